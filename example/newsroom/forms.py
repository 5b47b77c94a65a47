"""The upload forms."""

from __future__ import annotations

from django import forms
from django.db import transaction

from newsroom.models import Article, Attachment, Bulletin, Person, Report, Video
from newsroom.validators import validate_attachment
from smart_storages.uploads.forms import DirectFileField, DirectFileInput
from smart_storages.utils import storages


class DescribedFields:
    """Tells assistive technology what the page shows visually."""

    required_css_class = "required"

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            # One of direct uploads has no current file here, and names the types by itself.
            is_direct = isinstance(field.widget, DirectFileInput)
            if isinstance(field.widget, forms.ClearableFileInput) and not is_direct:
                # The page lists the current file with its link; "Currently: ..." would repeat it.
                field.widget = forms.FileInput()
                field.widget.is_required = field.required
                field.widget.attrs["accept"] = ",".join(self.accepted_types(name))
            described = []
            if field.help_text:
                described.append(f"id_{name}_help")
            if self.is_bound and name in self.errors:
                described.append(f"id_{name}_error")
                field.widget.attrs["aria-invalid"] = "true"
            if described:
                field.widget.attrs["aria-describedby"] = " ".join(described)

    def accepted_types(self, name):
        """Suffixes that the browser offers for the file field ``name``; the validator decides."""
        validators = self.fields[name].validators
        return [suffix for each in validators for suffix in getattr(each, "types", ())]


class PressForm(DescribedFields, forms.ModelForm):
    def accepted_types(self, name):
        if name not in self._meta.fields:
            return super().accepted_types(name)
        validators = self._meta.model._meta.get_field(name).validators
        return [suffix for each in validators for suffix in getattr(each, "types", ())]


class ArticleForm(PressForm):
    class Meta:
        model = Article
        fields = ("headline", "standfirst", "body", "image", "image_alt", "source", "kit")
        widgets = {
            "standfirst": forms.Textarea(attrs={"rows": 2}),
            "body": forms.Textarea(attrs={"rows": 4}),
        }


class ArticleFilesForm(PressForm):
    attachment = forms.FileField(
        required=False,
        validators=[validate_attachment],
        help_text="Any of these types, up to 5 MB. Its size decides where it goes.",
    )
    # Without JavaScript its file comes through Django, as those of the other fields.
    video = DirectFileField(
        label_of_upload="newsroom.Video.file",
        required=False,
        help_text="Up to 4 GB. It goes straight to the bucket, past this site.",
    )

    class Meta:
        model = Article
        fields = ("image", "source", "kit")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # The story has a picture already; without a new one it keeps that.
        self.fields["image"].required = False

    @transaction.atomic
    def save(self, commit=True):
        upload = self.cleaned_data.get("attachment")
        if upload:
            Attachment(article=self.instance, file=upload).save()
        video = self.cleaned_data.get("video")
        if video:
            Video(article=self.instance, file=video).save()
        return super().save(commit)


class PersonForm(PressForm):
    class Meta:
        model = Person
        fields = ("name", "role", "avatar", "press_card")


class RowStoredForm(PressForm):
    """A form for a model that finds its storage row by row."""

    upload = forms.FileField(label="File")

    def accepted_types(self, name):
        return self._meta.model.upload_validator.types

    def clean_upload(self):
        upload = self.cleaned_data["upload"]
        self._meta.model.upload_validator(upload)
        return upload

    def save(self, commit=True):
        self.instance.store(self.cleaned_data["upload"])
        return super().save(commit)


class ReportForm(RowStoredForm):
    class Meta:
        model = Report
        fields = ("tenant", "title")
        help_texts = {"tenant": "The report goes to this tenant's place and to no other."}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["tenant"].empty_label = "Choose a newspaper"


class BulletinForm(RowStoredForm):
    class Meta:
        model = Bulletin
        fields = ("region", "title")
        help_texts = {"region": "The file stays in this region."}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["region"].choices = [("", "Choose a region"), *Bulletin.Region.choices]


class DevelopmentForm(DescribedFields, forms.Form):
    upload = forms.FileField(
        label="File",
        validators=[validate_attachment],
        help_text="Picture, document, table or ZIP, up to 5 MB. It stays on this disk.",
    )

    def save(self):
        storage, upload = storages["development"], self.cleaned_data["upload"]
        return storage.save(storage.generate_filename(upload.name), upload)
