"""One project with all the packages, on one storage after another; for test_packages.

Reads an order from standard input and writes a line of JSON for each use of each package: what
went wrong, and what is left in the buckets and on the disk.
"""

import itertools
import json
import logging
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

import boto3
import django
from django.conf import settings

S3 = "smart_storages.storages.SmartS3Storage"
DISK = "django.core.files.storage.FileSystemStorage"

#: The apps of each package, by what it is imported as.
APPS = {
    "wagtail": [
        "wagtail.images",
        "wagtail.documents",
        "wagtail.search",
        "wagtail.users",
        "wagtail.sites",
        "wagtail.admin",
        "wagtail",
        "taggit",
        "modelcluster",
    ],
    "easy_thumbnails": ["easy_thumbnails"],
    "sorl": ["sorl.thumbnail"],
    "imagekit": ["imagekit"],
    "filer": ["filer"],
    "import_export": ["import_export"],
    "django_ckeditor_5": ["django_ckeditor_5"],
}


TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


class NoMigrations:
    """Tables straight from the models: hundreds of migrations would take most of the time."""

    def __contains__(self, label):
        return True

    def __getitem__(self, label):
        return None


def configure(order):
    apps = [app for package in order["packages"] for app in APPS[package]]
    settings.configure(
        SECRET_KEY="tests",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "django.contrib.messages",
            *apps,
            "smart_storages",
            "smart_storages.queued",
            "smart_storages.uploads",
            "tests.packages",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "smart_storages.uploads.middleware.DirectUploadMiddleware",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        MIGRATION_MODULES=NoMigrations(),
        ROOT_URLCONF="tests.packages.urls",
        ALLOWED_HOSTS=["testserver"],
        STATIC_URL="/static/",
        TEMPLATES=TEMPLATES,
        WAGTAIL_SITE_NAME="tests",
        WAGTAILDOCS_DOCUMENT_FORM_BASE="tests.packages.wagtail_forms.DocumentForm",
        WAGTAILIMAGES_IMAGE_FORM_BASE="tests.packages.wagtail_forms.ImageForm",
        WAGTAILADMIN_BASE_URL="http://localhost",
        MEDIA_ROOT=order["folder"],
        STORAGES=storages_of("plain", "AWS_*", order)[0],
        THUMBNAIL_DEFAULT_STORAGE_ALIAS="default",
        THUMBNAIL_DEFAULT_STORAGE="default",
        LOGGING_CONFIG=None,
    )
    django.setup()


# Which storage, and where its keys are


def storages_of(kind, keys, order):
    """The settings of a storage whose keys are in one of three places: STORAGES, and the rest.

    A backend beside S3 is a kind of its own.
    """
    server = order["server"]
    more = {}
    if keys == "AWS_*":
        spelling = {
            "access_key": "AWS_ACCESS_KEY_ID",
            "secret_key": "AWS_SECRET_ACCESS_KEY",
            "endpoint_url": "AWS_S3_ENDPOINT_URL",
            "region_name": "AWS_S3_REGION_NAME",
        }
        more = {setting: server[name] for name, setting in spelling.items()}
    elif keys == "entry":
        more["SMART_STORAGE_BUCKETS"] = {
            name: {"bucket_name": bucket, "file_overwrite": False, **server}
            for name, bucket in order["buckets"].items()
        }

    def options(name):
        if keys == "entry":
            return {"module_name": name}
        # Without it a server is taken for one where a free name cannot be kept, and packages that
        # look for a file under the name they gave it do not find it.
        provider = {"provider": server["provider"]}
        plain = {"bucket_name": order["buckets"][name], "file_overwrite": False, **provider}
        return {**plain, **(server if keys == "OPTIONS" else {})}

    def bucket(name):
        return {"BACKEND": S3, "OPTIONS": options(name)}

    storages = {"staticfiles": {"BACKEND": DISK}, "scratch": {"BACKEND": DISK}}
    if kind == "plain":
        storages["default"] = bucket("first")
    elif kind == "dispatcher":
        from smart_storages.resolvers import ByExtension

        resolver = ByExtension({"jpg": "first", "jpeg": "first"}, default="second")
        storages["default"] = {
            "BACKEND": "smart_storages.dispatcher.StorageDispatcher",
            "OPTIONS": {"resolver": resolver},
        }
        storages.update(first=bucket("first"), second=bucket("second"))
    elif kind == "fallback":
        storages["default"] = {
            "BACKEND": "smart_storages.fallback.FallbackStorage",
            "OPTIONS": {"backends": [bucket("first"), bucket("second")]},
        }
    elif kind in order["backends"]:
        storages["default"] = {"BACKEND": S3, "OPTIONS": {"module_name": "media"}}
        entry = {"file_overwrite": False, "backend": kind, **order["backends"][kind]}
        more["SMART_STORAGE_BUCKETS"] = {"media": entry}
    else:
        remote = {"remote": S3, "remote_options": options("first")}
        storages["default"] = {
            "BACKEND": "smart_storages.queued.backends.QueuedStorage",
            "OPTIONS": {
                "local": "scratch",
                "task": "smart_storages.queued.tasks.TransferAndDelete",
                **remote,
            },
        }
    return storages, more


@contextmanager
def project_on(kind, keys, order):
    """The settings of this storage; those of the packages that keep a storage follow them."""
    from django.core.cache import caches
    from django.test.utils import override_settings

    storages, more = storages_of(kind, keys, order)
    with override_settings(STORAGES=storages, **more):
        if "sorl" in order["packages"]:
            from django.utils.functional import empty
            from sorl.thumbnail import default, images

            default.storage._wrapped = empty
            # It keeps storages by alias, for as long as a process lives.
            getattr(images.get_or_create_storage, "cache_clear", bool)()
        if "filer" in order["packages"]:
            from django.utils.module_loading import import_string
            from filer.fields import multistorage_file as fields

            # What FILER_STORAGES with this ENGINE and these OPTIONS makes when it is imported.
            engine, options = (storages["default"][key] for key in ("BACKEND", "OPTIONS"))
            for table in (fields.STORAGES, fields.THUMBNAIL_STORAGES):
                table["public"] = import_string(engine)(**options)
        caches["default"].clear()  # imagekit and sorl remember there what is in a storage
        yield


# What is left


def leftovers(client, order):
    found = []
    for bucket in order["buckets"].values():
        answer = client.list_objects_v2(Bucket=bucket)
        found += [f"{bucket}/{item['Key']}" for item in answer.get("Contents", [])]
    found += [f"the backend/{name}" for name in _names_on_backend()]
    folder = Path(order["folder"])
    found += [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return found


def _names_on_backend():
    from django.core.files.storage import default_storage

    if getattr(default_storage, "is_in_s3", True):
        return []
    return [name for name, _ in default_storage.iter_files()]


def clear(client, order, left):
    from django.core.files.storage import default_storage

    for each in left:
        bucket, _, key = each.partition("/")
        if bucket == "the backend":
            default_storage.delete(key)
        elif bucket in order["buckets"].values():
            client.delete_object(Bucket=bucket, Key=key)
        else:
            Path(order["folder"], each).unlink()


class Errors(logging.Handler):
    """What a task logged: Wagtail's run where nobody sees them fail."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.texts = []

    def emit(self, record):
        self.texts.append(self.format(record))


def main():
    order = json.load(sys.stdin)
    configure(order)
    from django.core.management import call_command

    from tests.packages.direct import USES

    call_command("migrate", verbosity=0, run_syncdb=True)
    client = boto3.client(
        "s3",
        endpoint_url=order["server"]["endpoint_url"],
        region_name=order["server"]["region_name"],
        aws_access_key_id=order["server"]["access_key"],
        aws_secret_access_key=order["server"]["secret_key"],
    )
    errors = Errors()
    logging.getLogger("django_tasks").addHandler(errors)
    logging.getLogger("django.tasks").addHandler(errors)
    kinds = itertools.product(
        ("plain", "dispatcher", "fallback", "queue"), ("OPTIONS", "AWS_*", "entry")
    )
    for kind, keys in [*kinds, *((backend, "entry") for backend in order["backends"])]:
        with project_on(kind, keys, order):
            for package in order["packages"]:
                for use in USES[package]:
                    errors.texts.clear()
                    error = ""
                    try:
                        use()
                    except Exception:
                        error = traceback.format_exc()
                    left = leftovers(client, order)
                    clear(client, order, left)
                    answer = {
                        "package": package,
                        "where": f"{use.__name__} on the {kind} with keys in {keys}",
                        "error": error + "\n".join(errors.texts),
                        "left": left,
                    }
                    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
