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
from tests.packages import uses
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
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)
    look_at_wagtail()
    look_at_wagtails_documents()
    look_at_thumbnails()
    look_at_filer()
    look_at_import_export()
    look_at_ckeditor()


def look_at_wagtail():
    from django.core.files.storage import storages
    from wagtail.hooks import get_hooks
    from wagtail.images import get_image_model
    from wagtail.images.forms import get_image_form
    from wagtail.images.models import get_rendition_storage

    widget = get_image_form(get_image_model()).base_fields["file"].widget
    assert widget.upload_label == "wagtailimages.Image.file"
    assert widget.attrs["data-controller"] == "w-sync"
    assert get_rendition_storage() is storages["thumbnails"]
    hooks = [each.__module__ for each in get_hooks("before_serve_document")]
    assert hooks == ["wagtail.documents.wagtail_hooks", "myapp.wagtail_hooks"], hooks


def look_at_wagtails_documents():
    from django.test import Client
    from wagtail.documents import get_document_model
    from wagtail.documents.forms import get_document_form

    from tests.packages.direct import submit, titled

    model = get_document_model()
    document = submit(
        get_document_form(model),
        "myapp.PrivateDocument.file",
        "one.txt",
        b"one",
        data=titled("one"),
        instance=model(),
        user=uses.editor(),
    )
    name, storage = document.file.name, document.file.storage
    assert re.fullmatch(r"documents/one_\w+\.txt", name), name
    assert storage.bucket_name == "acme-docs"
    answer = Client().get(document.url)
    assert answer["X-Accel-Redirect"] == "/smart-storages/object"
    assert "/acme-docs/" in answer["X-Object-URL"]
    restriction = model.objects.get().collection.view_restrictions.create(restriction_type="login")
    answer = Client().get(document.url)
    assert (answer.status_code, "X-Accel-Redirect" in answer) == (302, False)
    restriction.delete()
    document.delete()
    assert not storage.exists(name)


def look_at_thumbnails():
    from easy_thumbnails.storage import thumbnail_default_storage
    from imagekit.utils import get_storage as get_imagekit_storage
    from sorl.thumbnail import default as sorl

    assert thumbnail_default_storage.location == "thumbnails"
    assert sorl.storage.location == "thumbnails"
    assert get_imagekit_storage().location == "thumbnails"


def look_at_filer():
    from django.core.files.base import ContentFile
    from django.http import Http404
    from django.test import RequestFactory
    from filer.models import File
    from myapp.views import private_file

    public, private = (File(is_public=each).file for each in (True, False))
    assert public.storage.bucket_name == "acme-media"
    assert private.storage.bucket_name == "acme-docs"
    assert public.thumbnail_storage.location == "thumbnails"
    stored = File(is_public=False, owner=uses.editor(), original_filename="a.pdf")
    stored.file.save("a.pdf", ContentFile(b"pdf"))
    request = RequestFactory().get("/")
    request.user = stored.owner
    assert "/acme-docs/" in private_file(request, stored.pk)["Location"]
    try:
        private_file(request, stored.pk + 1)
    except Http404:
        stored.delete()
    else:
        raise AssertionError("There is no such file.")


def look_at_import_export():
    from django.utils.module_loading import import_string
    from import_export.tmp_storages import MediaStorage

    kept = import_string(settings.IMPORT_EXPORT_TMP_STORAGE_CLASS)()
    assert type(kept) is MediaStorage
    assert kept._storage.location == "imports"


def look_at_ckeditor():
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.test import Client

    from smart_storages import PublicStorage

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
