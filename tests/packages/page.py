"""The blocks of docs/packages.md, run as they are printed in a project with all the packages.

A process of its own, for test_page: the suite has none of these apps. Reads from standard input
where S3 is, and which directory may be filled.
"""

import importlib
import json
import re
import sys
from pathlib import Path

import django
from django.conf import settings

from tests.documentation import PLACES, STARTPROJECT, blocks
from tests.packages.project import APPS, TEMPLATES, NoMigrations


def main():
    order = json.load(sys.stdin)
    root = Path(order["folder"])
    sys.path.insert(0, str(root))
    for package in ("myproject", "myapp"):
        (root / package).mkdir()
        (root / package / "__init__.py").touch()
    # Everything is written before Django starts: some apps cannot start a second time.
    names = {key: each.copy() for key, each in STARTPROJECT.items() if hasattr(each, "copy")}
    names["INSTALLED_APPS"] += [app for each in APPS.values() for app in each]
    modules = {}
    for block in blocks("docs/packages.md"):
        if block.file == "settings.py":
            exec(compile(block.text, block.place, "exec"), names)  # noqa: S102
        else:
            path = PLACES.get(block.file, block.file)
            with (root / path).open("a") as file:
                file.write(f"\n{block.text}")
            modules[path[: -len(".py")].replace("/", ".")] = block.place
    configure(names, order["settings"])
    for module, place in modules.items():
        try:
            importlib.import_module(module)
        except Exception as error:
            raise AssertionError(f"{place}: {error!r}") from error
    look()


def configure(names, given):
    settings.configure(
        **{name: value for name, value in names.items() if name.isupper()},
        **given,
        SECRET_KEY="tests",
        USE_TZ=True,
        ROOT_URLCONF="myproject.urls",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        MIGRATION_MODULES=NoMigrations(),
        STATIC_URL="/static/",
        TEMPLATES=TEMPLATES,
        WAGTAIL_SITE_NAME="tests",
        WAGTAILADMIN_BASE_URL="http://localhost",
        ALLOWED_HOSTS=["testserver"],
        LOGGING_CONFIG=None,
    )
    django.setup()


def look():
    """Look at what the blocks have made."""
    from django.core.files.storage import storages
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.core.management import call_command
    from django.test import Client
    from django.utils.module_loading import import_string
    from easy_thumbnails.storage import thumbnail_default_storage
    from filer.models import File
    from imagekit.utils import get_storage as get_imagekit_storage
    from import_export.tmp_storages import MediaStorage
    from sorl.thumbnail import default as sorl
    from wagtail.documents import get_document_model
    from wagtail.documents.forms import get_document_form
    from wagtail.hooks import get_hooks
    from wagtail.images import get_image_model
    from wagtail.images.forms import get_image_form
    from wagtail.images.models import get_rendition_storage

    from smart_storages import PublicStorage
    from tests.packages import uses

    call_command("migrate", verbosity=0, run_syncdb=True)
    forms = (get_document_form(get_document_model()), get_image_form(get_image_model()))
    labels = [form.base_fields["file"].widget.upload_label for form in forms]
    assert labels == ["myapp.PrivateDocument.file", "wagtailimages.Image.file"], labels
    for form in forms:
        assert form.base_fields["file"].widget.attrs["data-controller"] == "w-sync"
    assert get_document_model()._meta.get_field("file").storage.bucket_name == "acme-docs"
    assert get_rendition_storage() is storages["thumbnails"]
    hooks = [each.__module__ for each in get_hooks("before_serve_document")]
    assert hooks == ["wagtail.documents.wagtail_hooks", "myapp.wagtail_hooks"], hooks

    public, private = (File(is_public=each).file for each in (True, False))
    assert public.storage.bucket_name == "acme-media"
    assert private.storage.bucket_name == "acme-docs"
    assert public.thumbnail_storage.location == "thumbnails"
    assert thumbnail_default_storage.location == "thumbnails"
    assert sorl.storage.location == "thumbnails"
    assert get_imagekit_storage().location == "thumbnails"
    kept = import_string(settings.IMPORT_EXPORT_TMP_STORAGE_CLASS)()
    assert type(kept) is MediaStorage
    assert kept._storage.location == "imports"

    assert "?" not in PublicStorage().url("red.jpg")
    client = Client()
    client.force_login(uses.editor())
    upload = SimpleUploadedFile("red.jpg", uses.picture(uses.RED), "image/jpeg")
    answer = client.post("/ckeditor5/image_upload/", {"upload": upload})
    # Where a server cannot refuse a name that is taken, each gets a suffix.
    url = answer.json()["url"]
    assert re.fullmatch(r"/editor-files/red(_\w+)?\.jpg", url), url
    shown = client.get(url)
    assert shown.status_code == 302
    assert "/acme-media/editor/red" in shown["Location"]
    assert "X-Amz-Signature=" in shown["Location"]
    assert "/accounts/login/" in Client().get(url)["Location"]


if __name__ == "__main__":
    main()
