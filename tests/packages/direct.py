"""How files that a browser uploaded straight to the bucket get into each package's models."""

import io

from django.forms import modelform_factory
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.urls import reverse

from smart_storages.uploads.forms import DirectFileInput
from smart_storages.uploads.middleware import use_request
from smart_storages.uploads.models import DirectUpload, State
from smart_storages.uploads.targets import reference_to
from tests.packages import uses
from tests.packages.uses import BLUE, RED, check_picture, picture
from tests.uploads.browser import Browser


def submit(form_class, label, name, content, **options):
    """Upload a file as a browser does, submit a form with its token, and return what it saved."""
    editor = uses.editor()
    token = Browser(editor).upload(content, name, reference_to(label))
    field = label.rpartition(".")[2]
    data = QueryDict(mutable=True)
    data.update({f"{field}-upload": token, **options.pop("data", {})})
    request = RequestFactory().post("/")
    request.user = editor
    with use_request(request):
        form = form_class(data, {}, **options)
        assert form.is_valid(), form.errors
        assert 'data-field="' in str(form)
        saved = form.save()
    upload = DirectUpload.objects.latest("begun_at")
    assert upload.state == State.ADOPTED, upload.state
    return saved


def direct_form(model, field):
    """A form as a project writes one, with the widget on the package's own field."""
    widgets = {field: DirectFileInput(f"{model._meta.label}.{field}")}
    return modelform_factory(model, fields=[field], widgets=widgets)


def check_page(name, *args):
    """Look whether a page of Wagtail's admin has the widget and its script."""
    client = Client()
    client.force_login(uses.editor())
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200, answer
    html = answer.content.decode()
    assert "data-smart-upload" in html
    assert "smart-upload.js" in html


def wagtail_documents_directly():
    from wagtail.documents.forms import get_document_form
    from wagtail.documents.models import Document

    form_class, label = get_document_form(Document), "wagtaildocs.Document.file"

    def send(document, text):
        options = {"data": titled(text), "instance": document, "user": uses.editor()}
        return submit(form_class, label, f"{text}.txt", text.encode(), **options)

    document = send(Document(), "one")
    assert document.file.read() == b"one"
    check_page("wagtaildocs:edit", document.pk)
    assert document.file_size == 3
    assert document.file_hash == "fe05bcdcdc4928012781a5f1a2a77cbb5398e106"
    document = send(Document.objects.get(pk=document.pk), "two")
    assert Document.objects.get(pk=document.pk).file.read() == b"two"
    document.delete()


def wagtail_images_directly():
    from wagtail.images.forms import get_image_form
    from wagtail.images.models import Image

    form_class, label = get_image_form(Image), "wagtailimages.Image.file"

    def send(image, color):
        options = {"data": titled(color), "instance": image, "user": uses.editor()}
        return submit(form_class, label, f"{color}.jpg", picture(color), **options)

    image = send(Image(), RED)
    assert (image.width, image.height) == (32, 32)
    check_picture(image.get_rendition("fill-8x8").file, RED)
    check_page("wagtailimages:edit", image.pk)
    image = send(Image.objects.get(pk=image.pk), BLUE)
    check_picture(Image.objects.get(pk=image.pk).get_rendition("fill-8x8").file, BLUE)
    image.delete()


def titled(title):
    return {"title": title, "collection": uses.root_collection().pk, "tags": ""}


def easy_thumbnails_directly():
    from tests.packages.models import Cover

    cover = submit(direct_form(Cover, "picture"), "packages.Cover.picture", "red.jpg", picture(RED))
    check_picture(cover.picture.get_thumbnail({"size": (8, 8), "crop": True}), RED)
    cover.picture.delete(save=False)
    cover.delete()


def sorl_thumbnail_directly():
    from sorl.thumbnail import delete, get_thumbnail

    from tests.packages.models import Portrait

    form_class = direct_form(Portrait, "picture")
    portrait = submit(form_class, "packages.Portrait.picture", "blue.jpg", picture(BLUE))
    check_picture(io.BytesIO(get_thumbnail(portrait.picture, "8x8").read()), BLUE)
    delete(portrait.picture)
    portrait.delete()


def django_imagekit_directly():
    from tests.packages.models import Avatar

    form_class = direct_form(Avatar, "picture")
    # It remembers the names it has made; the other use made one of "red.jpg".
    avatar = submit(form_class, "packages.Avatar.picture", "another.jpg", picture(RED))
    check_picture(avatar.small, RED)
    avatar.small.storage.delete(avatar.small.name)
    avatar.picture.delete(save=False)
    avatar.delete()


DIRECT = {
    "wagtail": (wagtail_images_directly, wagtail_documents_directly),
    "easy_thumbnails": (easy_thumbnails_directly,),
    "sorl": (sorl_thumbnail_directly,),
    "imagekit": (django_imagekit_directly,),
}

USES = {package: plain + DIRECT.get(package, ()) for package, plain in uses.PLAIN.items()}
