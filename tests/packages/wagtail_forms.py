"""The forms of Wagtail with the widget that uploads, as docs/packages.md says."""

from wagtail.documents.forms import BaseDocumentForm
from wagtail.images.forms import BaseImageForm

from smart_storages.uploads.forms import DirectFileInput


class DocumentForm(BaseDocumentForm):
    class Meta(BaseDocumentForm.Meta):
        widgets = {
            **BaseDocumentForm.Meta.widgets,
            "file": DirectFileInput(
                "wagtaildocs.Document.file", BaseDocumentForm.Meta.widgets["file"].attrs
            ),
        }


class ImageForm(BaseImageForm):
    class Meta(BaseImageForm.Meta):
        widgets = {
            **BaseImageForm.Meta.widgets,
            "file": DirectFileInput(
                "wagtailimages.Image.file", BaseImageForm.Meta.widgets["file"].attrs
            ),
        }
