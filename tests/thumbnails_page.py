"""A page of 100 thumbnails in a process of its own, for test_thumbnails.

Both apps read their settings when they are imported, and bring tables. Each line on standard input
names what to do next: ``upload``, ``render`` or ``forget``; "done" answers it.
"""

import io
import json
import sys

import django
from django.conf import settings

SIZES = [(side, side) for side in range(10, 20)]


def configure(order):
    options = {
        "bucket_name": order["bucket"],
        "provider": order["provider"],
        "metadata_cache_seconds": order["seconds"],
    }
    backend = "smart_storages.storages.SmartS3Storage"
    settings.configure(
        SECRET_KEY="tests",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "easy_thumbnails",
            "filer",
            "smart_storages",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        STORAGES={
            "default": {"BACKEND": backend, "OPTIONS": {"module_name": "media"}},
            "thumbnails": {"BACKEND": backend, "OPTIONS": {"module_name": "thumbnails"}},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        SMART_STORAGE_BUCKETS={
            "media": {"location": "media", **options},
            "thumbnails": {"location": "thumbnails", **options},
            "default": {"location": "thumbnails", **options},
        },
        CACHES={
            "default": {
                "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
                "OPTIONS": {"MAX_ENTRIES": 10_000},  # of its own it forgets a third above 300
            }
        },
        THUMBNAIL_DEFAULT_STORAGE_ALIAS="thumbnails",
        # The name of the setting until easy-thumbnails 2.9.
        THUMBNAIL_DEFAULT_STORAGE=backend,
        # Look into the storage where the table of thumbnails has no row.
        THUMBNAIL_CHECK_CACHE_MISS=True,
        FILER_STORAGES={
            "public": {
                "main": {
                    "ENGINE": backend,
                    "OPTIONS": {"module_name": "media"},
                    "UPLOAD_TO": "filer.utils.generate_filename.by_date",
                    "UPLOAD_TO_PREFIX": "filer",
                },
                "thumbnails": {"ENGINE": backend, "OPTIONS": {"module_name": "thumbnails"}},
            },
        },
        **order["settings"],
    )
    django.setup()


def picture(number):
    from django.core.files.base import ContentFile
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (40, 40), (number, 0, 0)).save(file, "JPEG")
    return ContentFile(file.getvalue(), f"{number}.jpg")


class EasyThumbnails:
    def upload(self):
        from django.core.files.storage import default_storage

        self.names = [default_storage.save(f"{n}.jpg", picture(n)) for n in range(10)]

    def render(self):
        from django.core.files.storage import default_storage
        from easy_thumbnails.files import get_thumbnailer

        for name in self.names:
            for size in SIZES:
                thumbnailer = get_thumbnailer(default_storage, relative_name=name)
                yield thumbnailer.get_thumbnail({"size": size, "crop": True}).url


class Filer:
    def upload(self):
        from filer.models import Image

        for number in range(10):
            Image.objects.create(file=picture(number), original_filename=f"{number}.jpg")

    def render(self):
        from filer.models import Image

        for image in Image.objects.order_by("pk"):
            for size in SIZES:
                yield image.file.get_thumbnail({"size": size, "crop": True}).url


def forget():
    from easy_thumbnails.models import Source

    Source.objects.all().delete()


def main():
    order = json.loads(sys.argv[1])
    configure(order)
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)
    page = {"easy-thumbnails": EasyThumbnails, "django-filer": Filer}[order["app"]]()
    for line in sys.stdin:
        step = line.strip()
        if step == "render":
            assert len(set(page.render())) == 100
        else:
            {"upload": page.upload, "forget": forget}[step]()
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
