"""Every way of naming the storage of a file, one after another."""

from __future__ import annotations

from typing import List

from django.db import models
from django.urls import reverse

from newsroom.files import StoredFile
from newsroom.validators import (
    validate_document,
    validate_image,
    validate_kit,
    validate_table,
    validate_text,
)
from smart_storages.storages import DocumentStorage, MediaStorage, SmartS3Storage
from smart_storages.utils import create_storage_class, get_storage, storages

# Way 2, used by Person below: a class made from a module's name. What is given here stands above
# SMART_STORAGE_BUCKETS; what an operator should be able to change belongs there instead.
AvatarStorage = create_storage_class(
    "avatars", object_parameters={"CacheControl": "public, max-age=3600"}
)


def kit_storage():
    """Way 4: an alias of ``STORAGES``, looked up through a callable so no migration records it."""
    return storages["kits"]


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


class Person(models.Model):
    """Somebody who works here, with a public portrait and a press card under lock and key."""

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
    """Way 5: a file whose bucket depends on the row, found with ``get_storage``."""

    title = models.CharField(max_length=120)
    name = models.CharField("name in the storage", max_length=255, editable=False)
    added = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ("-added", "-pk")

    def __str__(self) -> str:
        return self.title

    @property
    def module_name(self) -> str:
        raise NotImplementedError

    def store(self, upload) -> None:
        """Write ``upload`` to the bucket of this row and remember the name it was given."""
        storage = get_storage(self.module_name)
        self.name = storage.save(storage.generate_filename(upload.name), upload, max_length=255)

    @property
    def file(self) -> StoredFile:
        handle = f"{self._meta.model_name}-{self.pk}"
        return StoredFile.at(get_storage(self.module_name), self.name, handle, self.title)


class Report(RowStoredFile):
    """A report that one tenant may read, in that tenant's folder or bucket."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="reports")

    upload_validator = staticmethod(validate_table)

    @property
    def module_name(self) -> str:
        return f"tenant_{self.tenant.slug}"


class Bulletin(RowStoredFile):
    """A bulletin of a wire, kept in the region where it was written."""

    class Region(models.TextChoices):
        EU = "eu", "Europe"
        US = "us", "United States"

    region = models.CharField(max_length=2, choices=Region.choices)

    upload_validator = staticmethod(validate_text)

    @property
    def module_name(self) -> str:
        return f"wire-{self.region}"
