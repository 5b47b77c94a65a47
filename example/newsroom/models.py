"""Every way of naming the storage of a file, one after another."""

from __future__ import annotations

from contextlib import nullcontext
from typing import List

from django.db import models
from django.urls import reverse

from newsroom.files import StoredFile
from newsroom.validators import (
    validate_attachment,
    validate_document,
    validate_image,
    validate_kit,
    validate_table,
    validate_text,
)
from smart_storages.storages import DocumentStorage, MediaStorage, SmartS3Storage
from smart_storages.tenancy import use_tenant
from smart_storages.uploads.fields import DirectFileField
from smart_storages.utils import create_storage_class, get_storage, storages

# Way 2, used by Person below: a class made from a module's name. Options given here override
# SMART_STORAGE_BUCKETS; options that an operator should be able to change belong there instead.
AvatarStorage = create_storage_class(
    "avatars", object_parameters={"CacheControl": "public, max-age=3600"}
)


def kit_storage():
    """Way 4: an alias of ``STORAGES``, looked up through a callable so no migration records it."""
    return storages["kits"]


def attachment_storage():
    """Way 6: a dispatcher of ``STORAGES``, which chooses by the size of the content."""
    return storages["attachments"]


def anybody(request, target) -> bool:
    """Let every visitor upload: this site has no accounts, and only this machine reaches it.

    A real site asks for a login here: ``return request.user.has_perm("newsroom.add_video")``.
    """
    return True


class Article(models.Model):
    """A story, with a public picture and a private source document."""

    headline = models.CharField(max_length=120)
    standfirst = models.CharField(
        max_length=240, help_text="One or two sentences that say what happened."
    )
    body = models.TextField(blank=True, help_text="Leave a blank line between paragraphs.")
    # Way 1: a ready-made class.
    image = models.FileField(
        "picture",
        storage=MediaStorage(),
        upload_to="articles/%Y/",
        max_length=255,
        validators=[validate_image],
        help_text="PNG, JPEG, WebP or GIF, up to 5 MB. Anybody can see it.",
    )
    image_alt = models.CharField(
        "picture in words",
        max_length=200,
        blank=True,
        help_text="What it shows, for those who cannot see it.",
    )
    source = models.FileField(
        "source document",
        storage=DocumentStorage(),
        upload_to="sources/%Y/",
        max_length=255,
        blank=True,
        validators=[validate_document],
        help_text="PDF or text, up to 5 MB. Stays private.",
    )
    kit = models.FileField(
        "press kit",
        storage=kit_storage,
        upload_to="%Y/",
        max_length=255,
        blank=True,
        validators=[validate_kit],
        help_text="ZIP, up to 5 MB. Stays private.",
    )
    published = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-published", "-pk")

    def __str__(self) -> str:
        return self.headline

    def get_absolute_url(self) -> str:
        return reverse("article", args=[self.pk])

    @property
    def files(self) -> List[StoredFile]:
        return StoredFile.of_fields(self, "image", "source", "kit")


class Attachment(models.Model):
    """A file of a story; its size decides the bucket, and its name records which it was."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="attachments")
    file = models.FileField(
        "attachment",
        storage=attachment_storage,
        upload_to="%Y/",
        max_length=255,
        validators=[validate_attachment],
    )
    reason = models.CharField(max_length=200, editable=False)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.file.name

    def save(self, *args, **kwargs) -> None:
        if self.file and not self.file._committed:
            # Later only the name is known, so the reason is stored now, while there is content.
            storage, upload = self.file.storage, self.file.file
            self.reason = storage.explain(self.file.name, "save", content=upload).reason
        super().save(*args, **kwargs)

    @property
    def stored(self) -> StoredFile:
        handle, label = f"attachment-{self.pk}", self.file.name.rpartition("/")[2]
        return StoredFile.at(self.file.storage, self.file.name, handle, label, self.reason)


class Video(models.Model):
    """A video of a story, which the browser sends to the bucket in parts, past Django."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="videos")
    file = DirectFileField(
        "video",
        storage=SmartS3Storage(module_name="videos"),
        upload_to="%Y/",
        max_length=255,
        permission=anybody,
        types=["video/*"],
        max_size=4 * 1024**3,
        uploads_per_hour=60,
        expiry=3600,
    )

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.file.name

    @property
    def stored(self) -> StoredFile:
        handle, label = f"video-{self.pk}", self.file.name.rpartition("/")[2]
        return StoredFile.at(self.file.storage, self.file.name, handle, label)


class Person(models.Model):
    """Somebody who works here, with a public portrait and a private press card."""

    name = models.CharField(max_length=80)
    role = models.CharField(max_length=80)
    avatar = models.FileField(
        "portrait",
        storage=AvatarStorage(),
        max_length=255,
        blank=True,
        validators=[validate_image],
        help_text="PNG, JPEG, WebP or GIF, up to 5 MB. Anybody can see it.",
    )
    # Way 3: the general class, with the module's name as an argument.
    press_card = models.FileField(
        storage=SmartS3Storage(module_name="pii"),
        max_length=255,
        blank=True,
        validators=[validate_document],
        help_text="PDF or text, up to 5 MB. Personal data: its links live for a minute.",
    )

    class Meta:
        ordering = ("name", "pk")
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.name.split()[:2]).upper()

    @property
    def files(self) -> List[StoredFile]:
        return StoredFile.of_fields(self, "avatar", "press_card")


class Tenant(models.Model):
    """A newspaper that the press office works for."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RowStoredFile(models.Model):
    """A file whose bucket depends on the row."""

    title = models.CharField(max_length=120)
    name = models.CharField("name in the storage", max_length=255, editable=False)
    added = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ("-added", "-pk")

    def __str__(self) -> str:
        return self.title

    @property
    def storage(self):
        raise NotImplementedError

    def on_behalf(self):
        """The context in which the storage is used."""
        return nullcontext()

    def store(self, upload) -> None:
        """Write ``upload`` to the bucket of this row and remember the name it was given."""
        with self.on_behalf():
            name = self.storage.generate_filename(upload.name)
            self.name = self.storage.save(name, upload, max_length=255)

    def delete_file(self) -> None:
        """Delete the file from the bucket of this row."""
        with self.on_behalf():
            self.storage.delete(self.name)

    @property
    def file(self) -> StoredFile:
        handle = f"{self._meta.model_name}-{self.pk}"
        with self.on_behalf():
            return StoredFile.at(self.storage, self.name, handle, self.title)


class Report(RowStoredFile):
    """A report that one tenant may read, in that tenant's folder or bucket."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="reports")

    upload_validator = staticmethod(validate_table)

    @property
    def storage(self):
        return storages["reports"]

    def on_behalf(self):
        """On behalf of the tenant, so that the dispatcher only uses that tenant's storage."""
        return use_tenant(self.tenant.slug)


class Bulletin(RowStoredFile):
    """Way 5: ``get_storage``, with the name of a module that depends on the row."""

    class Region(models.TextChoices):
        EU = "eu", "Europe"
        US = "us", "United States"

    region = models.CharField(max_length=2, choices=Region.choices)

    upload_validator = staticmethod(validate_text)

    @property
    def storage(self):
        return get_storage(f"wire-{self.region}")
