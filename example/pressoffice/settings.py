"""Settings of the example site, a press office whose files live in many buckets.

The part to read is ``SMART_STORAGE_BUCKETS``. Everything that depends on where the site runs
comes from the environment, so the same file works on a laptop, a test server and in production:

======================================  =========================================================
``S3_ENDPOINT_URL``                     an S3 server that is not AWS, such as http://127.0.0.1:9000
``S3_PROVIDER``                         what that server is: ``minio``, ``ceph``, ``r2`` ...
``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``  the site's credentials
``AWS_REGION``                          region of the buckets that set none (``us-east-1``)
``PRESS_BACKEND``                       ``local``, ``memory``, ``azure``, ``gcs``: files not in S3
``PRESS_ENV``                           ``dev``, ``staging``, ``prod``: each has its own buckets
``PRESS_BUCKET_PREFIX``                 start of every bucket's name (``harbour-<PRESS_ENV>``)
``PRESS_REGION_EU``, ``PRESS_REGION_US``  regions of the two wires
``PRESS_ORIGINS``                       where browsers see the site, for CORS; commas between them
``PII_ACCESS_KEY_ID``, ``PII_SECRET_ACCESS_KEY``  separate credentials for personal data
``PRESS_TASKS``, ``PRESS_DARKROOM_PAUSE``  engine that transfers scans, and seconds to wait (3)
``PRESS_RUN_DIR``                       the SQLite file, new scans, the workbench (``example/run``)
``PRESS_DEBUG``, ``PRESS_SECRET_KEY``   Django's ``DEBUG`` and ``SECRET_KEY``
======================================  =========================================================
"""

from __future__ import annotations

import os
from pathlib import Path

from smart_storages.resolvers import BySize

BASE_DIR = Path(__file__).resolve().parent.parent
RUN_DIR = Path(os.environ.get("PRESS_RUN_DIR", str(BASE_DIR / "run")))
RUN_DIR.mkdir(parents=True, exist_ok=True)  # SQLite makes the file, not the folder
DEBUG = os.environ.get("PRESS_DEBUG", "1") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
# Good enough for a site that only this machine can reach; a real site sets the variable.
SECRET_KEY = os.environ.get("PRESS_SECRET_KEY", "the-harbour-press-office-example")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "smart_storages",
    "smart_storages.queued",
    "smart_storages.monitoring",
    "smart_storages.uploads",
    "newsroom",
    "darkroom",
]

# --- Where files go -------------------------------------------------------------------------

# The AWS_* settings of django-storages are the defaults of every module below. An option that is
# None counts as not set.
AWS_S3_ENDPOINT_URL = os.environ.get("S3_ENDPOINT_URL") or None
AWS_S3_REGION_NAME = os.environ.get("AWS_REGION", "us-east-1")
AWS_S3_SIGNATURE_VERSION = "s3v4"
AWS_S3_ADDRESSING_STYLE = "path" if AWS_S3_ENDPOINT_URL else "auto"
AWS_S3_ACCESS_KEY_ID = os.environ.get("AWS_ACCESS_KEY_ID")
AWS_S3_SECRET_ACCESS_KEY = os.environ.get("AWS_SECRET_ACCESS_KEY")
AWS_SESSION_TOKEN = os.environ.get("AWS_SESSION_TOKEN")

# Each environment has its own buckets, so staging can never overwrite a file of production.
ENVIRONMENT = os.environ.get("PRESS_ENV", "dev")
PREFIX = os.environ.get("PRESS_BUCKET_PREFIX", f"harbour-{ENVIRONMENT}")

SMART_STORAGE_BUCKETS = {
    # Level 1, public: anybody who knows the address may read, browsers may cache it for a day.
    "media": {
        "bucket_name": f"{PREFIX}-media",
        "location": "media/",
        "default_acl": "public-read",
        "object_parameters": {"CacheControl": "public, max-age=86400"},
    },
    "static": {
        "bucket_name": f"{PREFIX}-static",
        "location": "static/",
        "default_acl": "public-read",
    },
    "avatars": {
        "bucket_name": f"{PREFIX}-media",
        "location": "avatars/",
        "default_acl": "public-read",
        "file_overwrite": False,
    },
    # Level 2, internal: private objects, links that work for an hour.
    "documents": {
        "bucket_name": f"{PREFIX}-documents",
        "querystring_expire": 3600,
    },
    "kits": {
        "bucket_name": f"{PREFIX}-kits",
        "location": "kits/",
        "default_acl": "private",
        "file_overwrite": False,
        "querystring_expire": 3600,
    },
    # Level 3, personal data: its own bucket and credentials, links that work for a minute.
    "pii": {
        "bucket_name": f"{PREFIX}-pii",
        "location": "press-cards/",
        "default_acl": "private",
        "file_overwrite": False,
        "querystring_expire": 60,
        "object_parameters": {"CacheControl": "private, no-store"},
        "access_key": os.environ.get("PII_ACCESS_KEY_ID", AWS_S3_ACCESS_KEY_ID),
        "secret_key": os.environ.get("PII_SECRET_ACCESS_KEY", AWS_S3_SECRET_ACCESS_KEY),
    },
    # Tenants: one pattern for all of them, each with a folder of its own.
    "tenant_*": {
        "bucket_name": f"{PREFIX}-tenants",
        "location": "{module}/",
        "default_acl": "private",
        "file_overwrite": False,
        "querystring_expire": 900,
    },
    # An exact name takes precedence over the pattern: this tenant needs a bucket of its own.
    "tenant_tidewater": {
        "bucket_name": f"{PREFIX}-tenant-tidewater",
        "default_acl": "private",
        "file_overwrite": False,
        "querystring_expire": 900,
    },
    # Regions: what is written in Europe stays in Europe.
    "wire-eu": {
        "bucket_name": f"{PREFIX}-wire-eu",
        "region_name": os.environ.get("PRESS_REGION_EU", "eu-central-1"),
        "default_acl": "private",
        "file_overwrite": False,
    },
    "wire-us": {
        "bucket_name": f"{PREFIX}-wire-us",
        "region_name": os.environ.get("PRESS_REGION_US", "us-east-1"),
        "default_acl": "private",
        "file_overwrite": False,
    },
}

# Scans are saved to a disk first, and then transferred to this module's bucket.
SMART_STORAGE_BUCKETS["darkroom"] = {
    "bucket_name": f"{PREFIX}-darkroom",
    "location": "scans/",
    "default_acl": "private",
    "file_overwrite": False,
    "querystring_expire": 900,
}

# Attachments of a story: small and large ones in different buckets.
SMART_STORAGE_BUCKETS["attachments-small"] = {
    "bucket_name": f"{PREFIX}-attachments-small",
    "default_acl": "private",
    "file_overwrite": False,
    "querystring_expire": 900,
}
SMART_STORAGE_BUCKETS["attachments-large"] = {
    "bucket_name": f"{PREFIX}-attachments-large",
    "default_acl": "private",
    "file_overwrite": False,
    "querystring_expire": 900,
}
ATTACHMENT_LIMIT = 256 * 1024  # the largest attachment that counts as small, in bytes

# Videos of a story go from the browser to this bucket, in parts; Django sees none of their bytes.
SMART_STORAGE_BUCKETS["videos"] = {
    "bucket_name": f"{PREFIX}-videos",
    "default_acl": "private",
    "file_overwrite": False,
    "querystring_expire": 3600,
}
# A browser may send them from pages of these origins, and no others; create_buckets tells the
# buckets. The demo's port is a free one, so all ports of this machine are meant.
ORIGINS = os.environ.get("PRESS_ORIGINS", "http://127.0.0.1:*,http://localhost:*").split(",")

# The page "Development" reads this bucket and never changes it. A real project gives it read-only
# credentials; here both buckets are on the same server.
SMART_STORAGE_BUCKETS["production"] = {
    "bucket_name": f"{PREFIX}-production",
    "location": "papers/",
    "default_acl": "private",
}

# What kind of server it is: whether a name that is free can be kept by a condition, for example.
# Amazon's own is recognised by its address.
if os.environ.get("S3_PROVIDER"):
    for entry in SMART_STORAGE_BUCKETS.values():
        entry["provider"] = os.environ["S3_PROVIDER"]

# Another backend is one line. On a laptop every bucket becomes a folder of a directory, without a
# server; in memory all is gone when the site stops; in Azure every bucket is a container, of the
# account that AZURE_CONNECTION_STRING names; Google's buckets belong to the key that
# GOOGLE_APPLICATION_CREDENTIALS names.
BACKEND = os.environ.get("PRESS_BACKEND") or "s3"
if BACKEND == "local":
    SMART_STORAGE_LOCAL = RUN_DIR / "buckets"
else:
    SMART_STORAGE_BACKEND = BACKEND
AZURE_CONNECTION_STRING = os.environ.get("AZURE_CONNECTION_STRING")
GS_PROJECT_ID = os.environ.get("GOOGLE_CLOUD_PROJECT", "harbour")
if os.environ.get("STORAGE_EMULATOR_HOST"):
    GS_CREDENTIALS = "newsroom.emulator.credentials"  # a key that means nothing

# Django reads this from 4.2 on; on older versions the package does.
STORAGES = {
    "default": {"BACKEND": "smart_storages.storages.MediaStorage"},
    "staticfiles": {"BACKEND": "smart_storages.storages.StaticStorage"},
    "kits": {
        "BACKEND": "smart_storages.storages.SmartS3Storage",
        "OPTIONS": {"module_name": "kits"},
    },
    "scratch": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(RUN_DIR / "scratch")},
    },
    "scans": {
        "BACKEND": "smart_storages.queued.backends.QueuedStorage",
        "OPTIONS": {
            "local": "scratch",
            "remote": "darkroom",
            "task": "smart_storages.queued.tasks.TransferAndDelete",
        },
    },
    # The current tenant decides; without one, access is refused. The name records the tenant.
    "reports": {
        "BACKEND": "smart_storages.dispatcher.StorageDispatcher",
        "OPTIONS": {"resolver": "smart_storages.resolvers.ByTenant", "record_alias": True},
    },
    # The size decides at the save; the name records the choice, because a read cannot repeat it.
    "attachments": {
        "BACKEND": "smart_storages.dispatcher.StorageDispatcher",
        "OPTIONS": {
            "resolver": BySize(
                limit=ATTACHMENT_LIMIT, small="attachments-small", large="attachments-large"
            )
        },
    },
    # Development with the files of production: the disk comes first, the bucket is only read.
    "workbench": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(RUN_DIR / "workbench")},
    },
    "development": {
        "BACKEND": "smart_storages.fallback.FallbackStorage",
        "OPTIONS": {"backends": ["workbench", "production"], "write_to": ["workbench"]},
    },
}
# URLs of static files come from the storage. With DEBUG, those below this path do, which runserver
# serves: the style sheet can be edited without collectstatic.
STATIC_URL = "/static/"

# The engine that transfers the scans: "celery" or "django" in a real project; here a thread of this
# process, which waits a moment so that you can watch.
SMART_STORAGE_TASKS = os.environ.get("PRESS_TASKS", "darkroom.engines.ThreadEngine")
DARKROOM_PAUSE = float(os.environ.get("PRESS_DARKROOM_PAUSE", "3"))

# --- The rest is what startproject writes ---------------------------------------------------

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "smart_storages.uploads.middleware.DirectUploadMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "pressoffice.urls"
WSGI_APPLICATION = "pressoffice.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "newsroom.navigation.navigation",
            ],
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": RUN_DIR / "db.sqlite3",
        # The site's server uses threads, so wait for a lock instead of failing.
        "OPTIONS": {"timeout": 20},
    }
}
# What a visitor has uploaded in this hour is counted here, for all processes of the site.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": RUN_DIR / "cache",
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
