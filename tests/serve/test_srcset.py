"""Pictures in several widths, made by the real packages, each in a project of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
import pytest
from django.core.files.storage import FileSystemStorage

from smart_storages.exceptions import ConfigurationError
from smart_storages.serve import image_srcset
from smart_storages.serve.srcset import ENGINES
from tests.serve.test_urls import value_of

_CHILD = """
import io, json, sys
import django
from django.conf import settings
order = json.loads(sys.argv[1])
storage = {"BACKEND": "smart_storages.SmartS3Storage", "OPTIONS": {"module_name": "media"}}
settings.configure(
    SECRET_KEY="tests", USE_TZ=True, LOGGING_CONFIG=None,
    INSTALLED_APPS=["django.contrib.contenttypes", *order["apps"], "smart_storages"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    STORAGES={"default": storage, "staticfiles": storage},
    # sorl keeps the class of a storage, without its options: that is the module "default".
    SMART_STORAGE_BUCKETS={
        name: {"backend": "memory", "bucket_name": "acme"} for name in ("default", "media")
    },
    THUMBNAIL_DEFAULT_STORAGE_ALIAS="default", THUMBNAIL_DEFAULT_STORAGE="default",
    ROOT_URLCONF="smart_storages.local.urls",
)
django.setup()
from types import SimpleNamespace
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import models
from django.db.models.fields.files import FieldFile
from PIL import Image
from smart_storages.serve import image_srcset

call_command("migrate", verbosity=0, run_syncdb=True)
file = io.BytesIO()
Image.new("RGB", (200, 100), "red").save(file, "JPEG")
default_storage.save("p.jpg", ContentFile(file.getvalue()))
field = models.ImageField(storage=default_storage, width_field="wide")
field.attname = field.name = "picture"

def picture(wide):
    return FieldFile(SimpleNamespace(wide=wide, pk=1), field, "p.jpg")

def describe(text):
    found = []
    for entry in text.split(", "):
        url, width = entry.split(" ")
        name = url.partition("?")[0].partition("/acme/")[2]
        size = Image.open(default_storage.open(name)).size
        found.append([width, size[0], "expires=" in url, name == "p.jpg"])
    return found

known = describe(image_srcset(picture(200), 40, 80, 400, 1600, expire=60, engine=order["engine"]))
unknown = describe(image_srcset(picture(None), 40, 80, engine=order["engine"]))

opened = []
real = default_storage._open_to_read
type(default_storage)._open_to_read = lambda self, name, *a, **k: (
    opened.append(name), real(name, *a, **k))[1]
image_srcset(picture(200), 40, 80, 400, engine=order["engine"])
print(json.dumps({"known": known, "unknown": unknown, "opened": opened}))
"""


@pytest.mark.slow
@pytest.mark.skipif(django.VERSION < (4, 2), reason="The packages want Django 4.2.")
@pytest.mark.parametrize("engine", ENGINES)
def test_each_package_makes_the_widths(engine: str) -> None:
    if find_spec(engine.partition(".")[0]) is None:
        pytest.skip(f"{engine} is not installed")
    for apps, asked in (([engine], None), ([each for each in ENGINES if _has(each)], engine)):
        order = {"apps": apps, "engine": asked}
        child = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _CHILD, json.dumps(order)],
            stdout=subprocess.PIPE,
            check=True,
            cwd=str(Path(__file__).parents[2]),
            env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        )
        outcome = json.loads(child.stdout)
        # Width said, width of the picture, whether it is signed, and whether it is the original.
        assert outcome["known"] == [
            ["40w", 40, True, False],
            ["80w", 80, True, False],
            ["200w", 200, True, True],
        ]
        assert outcome["unknown"] == [["40w", 40, True, False], ["80w", 80, True, False]]
        assert outcome["opened"] == []


def _has(engine: str) -> bool:
    return find_spec(engine.partition(".")[0]) is not None


def test_an_engine_that_is_not_there_is_named(monkeypatch: Any) -> None:
    picture = value_of(FileSystemStorage(base_url="/m/"), "a.jpg")
    installed = {"easy_thumbnails", "imagekit"}
    monkeypatch.setattr(
        "smart_storages.serve.srcset.apps", SimpleNamespace(is_installed=installed.__contains__)
    )
    with pytest.raises(ConfigurationError, match="easy_thumbnails and imagekit are installed; say"):
        image_srcset(picture, 400)
    with pytest.raises(ConfigurationError, match=r"sorl\.thumbnail is not in INSTALLED_APPS"):
        image_srcset(picture, 400, engine="sorl.thumbnail")
    installed.clear()
    with pytest.raises(ConfigurationError, match="no package that makes thumbnails is in"):
        image_srcset(picture, 400)
    with pytest.raises(ValueError, match="above 0 pixels"):
        image_srcset(picture, 0)
