"""The projects that the pages about moving in begin with, with rows, and files in buckets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict

from smart_storages.testing.s3_server import S3Server

__all__ = ["PREPARE"]

_MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
execute_from_command_line(sys.argv)
"""

_SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for a test"
DEBUG = True
ROOT_URLCONF = "mysite.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "orders",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MEDIA_ROOT = BASE_DIR / "media"
STATIC_URL = "static/"
"""

_MODELS = """
from django.db import models


class Order(models.Model):
    photo = models.FileField()
"""


class Project:
    """A project in a folder, and the S3 server that has its buckets.

    Args:
        folder: An empty folder.
        server: A server.
        environment: The variables of its commands.
    """

    def __init__(self, folder: Path, server: S3Server, environment: Dict[str, str]) -> None:
        self.folder = folder
        self.server = server
        self._environment = environment

    def write(self, settings: str, models: str = _MODELS, **modules: str) -> None:
        """Write its files; a keyword is a module of its app."""
        for package in ("mysite", "orders", "orders/migrations"):
            (self.folder / package).mkdir()
            (self.folder / package / "__init__.py").touch()
        (self.folder / "manage.py").write_text(_MANAGE)
        (self.folder / "mysite/settings.py").write_text(_SETTINGS + settings)
        (self.folder / "mysite/urls.py").write_text("urlpatterns = []\n")
        (self.folder / "orders/models.py").write_text(models)
        for name, text in modules.items():
            (self.folder / "orders" / f"{name}.py").write_text(text)

    def fill(self, code: str, *buckets: str) -> None:
        """Make buckets and tables, and run code that saves rows."""
        for bucket in buckets:
            self.server.create_bucket(bucket)
        self._manage("makemigrations", "--verbosity", "0")
        self._manage("migrate", "--verbosity", "0")
        lines = ["from django.core.files.base import ContentFile", "from orders.models import *"]
        self._manage("shell", "--command", "\n".join([*lines, code]))

    def _manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=self.folder, env=self._environment, check=True)


def _on_django_storages(project: Project) -> None:
    project.write(
        settings=f"""
INSTALLED_APPS += ["storages"]
AWS_STORAGE_BUCKET_NAME = "acme-media"
AWS_S3_ENDPOINT_URL = "{project.server.endpoint_url}"
AWS_S3_ACCESS_KEY_ID = "development"
AWS_S3_SECRET_ACCESS_KEY = "development"
AWS_S3_FILE_OVERWRITE = False
STORAGES = {{
    "default": {{"BACKEND": "storages.backends.s3.S3Storage"}},
    "staticfiles": {{
        "BACKEND": "storages.backends.s3.S3StaticStorage",
        "OPTIONS": {{"bucket_name": "acme-static"}},
    }},
}}
""",
        models="""
from django.db import models

from orders.storages import InvoiceStorage


class Order(models.Model):
    photo = models.FileField()
    invoice = models.FileField(storage=InvoiceStorage())
""",
        storages="""
from storages.backends.s3 import S3Storage


class InvoiceStorage(S3Storage):
    bucket_name = "acme-invoices"
    location = "invoices"
    querystring_expire = 300
""",
    )
    project.fill(
        "Order.objects.create("
        'photo=ContentFile(b"a photo", "bike.jpg"), invoice=ContentFile(b"paid", "1.pdf"))',
        "acme-media",
        "acme-static",
        "acme-invoices",
    )


_BUCKETS_ALREADY = """
AWS_STORAGE_BUCKET_NAME = "acme-media"
AWS_S3_ENDPOINT_URL = "{}"
AWS_S3_ACCESS_KEY_ID = "development"
AWS_S3_SECRET_ACCESS_KEY = "development"
SMART_STORAGE_PROVIDER = "moto"
"""


def _with_a_file_in_the_bucket(project: Project) -> None:
    # The packages of these pages do not import on the versions of Django that we support.
    project.write(settings=_BUCKETS_ALREADY.format(project.server.endpoint_url))
    project.fill('Order.objects.create(photo="bike.jpg")', "acme-media", "acme-invoices")
    get_storage = "from smart_storages.storages import SmartS3Storage"
    project.fill(f'{get_storage}; SmartS3Storage().save("bike.jpg", ContentFile(b"a photo"))')


def _on_django_s3_storage(project: Project) -> None:
    project.write(
        settings=f"""
INSTALLED_APPS += ["django_s3_storage"]
AWS_REGION = "us-east-1"
AWS_ACCESS_KEY_ID = "development"
AWS_SECRET_ACCESS_KEY = "development"
AWS_S3_BUCKET_NAME = "acme-media"
AWS_S3_BUCKET_NAME_STATIC = "acme-static"
AWS_S3_KEY_PREFIX = "uploads"
AWS_S3_ENDPOINT_URL = "{project.server.endpoint_url}"
STORAGES = {{
    "default": {{"BACKEND": "django_s3_storage.storage.S3Storage"}},
    "staticfiles": {{"BACKEND": "django_s3_storage.storage.StaticS3Storage"}},
}}
"""
    )
    project.fill(
        'Order.objects.create(photo=ContentFile(b"a photo", "bike.jpg"))',
        "acme-media",
        "acme-static",
    )


#: For each page, what makes the project that it takes for granted.
PREPARE: Dict[str, Callable[[Project], None]] = {
    "docs/from-django-fallback-storage.md": _with_a_file_in_the_bucket,
    "docs/from-django-queued-storage.md": _with_a_file_in_the_bucket,
    "docs/from-django-s3-storage.md": _on_django_s3_storage,
    "docs/from-django-storage-dispatcher.md": _with_a_file_in_the_bucket,
    "docs/from-django-storages.md": _on_django_storages,
}
