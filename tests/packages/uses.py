"""How each package uploads, renders, replaces and deletes.

What a package leaves behind on purpose is removed here, with where its documentation says so.
"""

import io

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile


def picture(color):
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (32, 32), color).save(file, "JPEG")
    return file.getvalue()


RED, BLUE = "red", "blue"


def check_picture(file, color):
    """Look at what a package rendered: all of it, through the storage."""
    from PIL import Image

    file.open("rb") if file.closed else file.seek(0)
    pixel = Image.open(io.BytesIO(file.read())).convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert pixel.index(max(pixel)) == {RED: 0, BLUE: 2}[color], pixel


def wagtail_images():
    from wagtail.images.forms import get_image_form
    from wagtail.images.models import Image

    root_collection()
    form_class = get_image_form(Image)

    def send(image, color):
        upload = SimpleUploadedFile(f"{color}.jpg", picture(color), "image/jpeg")
        data = {"title": color, "collection": root_collection().pk, "tags": ""}
        form = form_class(data, {"file": upload}, instance=image, user=editor())
        assert form.is_valid(), form.errors
        return form.save()

    image = send(Image(uploaded_by_user=editor()), RED)
    rendition = image.get_rendition("fill-8x8")
    assert "8x8" in rendition.url
    check_picture(rendition.file, RED)
    # The form deletes the file that is replaced, and the renditions.
    image = send(image, BLUE)
    image = Image.objects.get(pk=image.pk)
    check_picture(image.get_rendition("fill-8x8").file, BLUE)
    image.delete()


def wagtail_documents():
    from wagtail.documents.forms import get_document_form
    from wagtail.documents.models import Document

    root_collection()
    form_class = get_document_form(Document)

    def send(document, text):
        upload = SimpleUploadedFile(f"{text}.pdf", text.encode(), "application/pdf")
        data = {"title": text, "collection": root_collection().pk, "tags": ""}
        form = form_class(data, {"file": upload}, instance=document, user=editor())
        assert form.is_valid(), form.errors
        return form.save()

    document = send(Document(uploaded_by_user=editor()), "one")
    assert document.file.read() == b"one"
    document = send(Document.objects.get(pk=document.pk), "two")
    assert Document.objects.get(pk=document.pk).file.read() == b"two"
    document.delete()


def root_collection():
    from wagtail.models import Collection

    return Collection.get_first_root_node() or Collection.add_root(name="Root")


def editor():
    from django.contrib.auth.models import User

    return User.objects.get_or_create(username="editor", is_staff=True, is_superuser=True)[0]


def easy_thumbnails():
    from tests.packages.models import Cover

    cover = Cover()
    cover.picture.save("red.jpg", ContentFile(picture(RED)))
    thumbnail = cover.picture.get_thumbnail({"size": (8, 8), "crop": True})
    assert "8x8" in thumbnail.url
    check_picture(thumbnail, RED)
    # Django deletes no file that is replaced; the field's delete() takes the thumbnails along.
    # https://easy-thumbnails.readthedocs.io/en/latest/usage/#models
    cover.picture.delete(save=False)
    cover.picture.save("blue.jpg", ContentFile(picture(BLUE)))
    check_picture(cover.picture.get_thumbnail({"size": (8, 8), "crop": True}), BLUE)
    cover.picture.delete(save=False)
    cover.delete()


def sorl_thumbnail():
    from sorl.thumbnail import delete, get_thumbnail

    from tests.packages.models import Portrait

    portrait = Portrait()
    portrait.picture.save("red.jpg", ContentFile(picture(RED)))
    thumbnail = get_thumbnail(portrait.picture, "8x8", crop="center")
    assert thumbnail.url
    check_picture(io.BytesIO(thumbnail.read()), RED)
    # delete() takes a file and its thumbnails away; a model that is deleted leaves both.
    # https://sorl-thumbnail.readthedocs.io/en/latest/reference/model.html
    delete(portrait.picture)
    portrait.picture.save("blue.jpg", ContentFile(picture(BLUE)))
    check_picture(io.BytesIO(get_thumbnail(portrait.picture, "8x8").read()), BLUE)
    delete(portrait.picture)
    portrait.delete()


def django_imagekit():
    from tests.packages.models import Avatar

    avatar = Avatar()
    avatar.picture.save("red.jpg", ContentFile(picture(RED)))
    assert avatar.small.url
    check_picture(avatar.small, RED)

    def drop():
        # imagekit never deletes what it made: its name follows from the source and the spec.
        # https://django-imagekit.readthedocs.io/en/latest/caching.html#removing-safeguards
        avatar.small.storage.delete(avatar.small.name)
        avatar.picture.delete(save=False)

    drop()
    avatar.picture.save("blue.jpg", ContentFile(picture(BLUE)))
    avatar.small.generate()
    check_picture(avatar.small, BLUE)
    drop()
    avatar.delete()


def django_filer():
    from filer.models import File, Image

    owner = editor()
    image = Image.objects.create(
        owner=owner, original_filename="red.jpg", file=ContentFile(picture(RED), "red.jpg")
    )
    thumbnail = image.file.get_thumbnail({"size": (8, 8), "crop": True})
    assert thumbnail.url
    check_picture(thumbnail, RED)
    # A file that is replaced stays, unless somebody deletes it.
    image.file.delete(save=False)
    image.file = ContentFile(picture(BLUE), "blue.jpg")
    image.save()
    check_picture(image.file.get_thumbnail({"size": (8, 8), "crop": True}), BLUE)
    image.delete()
    plain = File.objects.create(
        owner=owner, original_filename="a.pdf", file=ContentFile(b"pdf", "a.pdf")
    )
    assert plain.file.read() == b"pdf"
    plain.delete()


def django_import_export():
    import tablib
    from import_export.resources import modelresource_factory
    from import_export.tmp_storages import MediaStorage

    from tests.packages.models import Entry

    # As its admin does between the upload and the confirmation, which are two requests.
    resource = modelresource_factory(Entry)()
    for title in ("one", "two"):
        upload = MediaStorage()
        upload.save(f"id,title\n1,{title}\n".encode())
        confirmed = MediaStorage(name=upload.name)
        rows = tablib.Dataset().load(confirmed.read().decode(), format="csv")
        resource.import_data(rows, raise_errors=True)
        confirmed.remove()
        assert f"1,{title}" in resource.export().csv
    name = default_storage.save("export.csv", ContentFile(resource.export().csv.encode()))
    assert b"1,two" in default_storage.open(name).read()
    default_storage.delete(name)
    Entry.objects.all().delete()


def ckeditor():
    from urllib.request import urlopen

    from django.test import Client

    client = Client()
    client.force_login(editor())
    names = []
    for color in (RED, BLUE):
        upload = SimpleUploadedFile(f"{color}.jpg", picture(color), "image/jpeg")
        answer = client.post("/ckeditor5/image_upload/", {"upload": upload})
        assert answer.status_code == 200, answer.content
        url = answer.json()["url"]
        names.append(f"{color}.jpg")
        check_picture(default_storage.open(names[-1]), color)
        if url.startswith("http"):
            with urlopen(url) as response:
                assert response.headers["Content-Type"] == "image/jpeg"
                check_picture(io.BytesIO(response.read()), color)
    assert client.post("/ckeditor5/image_upload/", {"upload": _page()}).status_code == 400
    assert Client().post("/ckeditor5/image_upload/", {"upload": _page()}).status_code == 403
    # Nothing but the text names these files, so the package never deletes one.
    for name in names:
        default_storage.delete(name)


def _page():
    return SimpleUploadedFile("page.jpg", b"<html>", "image/jpeg")


PLAIN = {
    "wagtail": (wagtail_images, wagtail_documents),
    "easy_thumbnails": (easy_thumbnails,),
    "sorl": (sorl_thumbnail,),
    "imagekit": (django_imagekit,),
    "filer": (django_filer,),
    "import_export": (django_import_export,),
    "django_ckeditor_5": (ckeditor,),
}
