"""Rows that share files: in one field, in several, in other models, by inheritance."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from smart_storages.storages.fields import SmartFileField, SmartImageField


class Named(models.Model):
    cover = SmartFileField(blank=True)

    class Meta:
        abstract = True


class Visible(models.Manager):  # type: ignore[type-arg]
    def get_queryset(self) -> Any:
        return super().get_queryset().filter(hidden=False)


class Paper(Named):
    file = SmartFileField(null=True, blank=True, default="default.txt")
    title = models.CharField(max_length=20, blank=True)
    hidden = models.BooleanField(default=False)

    objects = Visible()


class SignedPaper(Paper):
    signature = SmartFileField(blank=True)


class PaperProxy(Paper):
    class Meta:
        proxy = True


class Photo(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    image = SmartImageField(width_field="width", height_field="height", null=True, blank=True)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)


class Plain(models.Model):
    """A model of somebody else's, with Django's own field."""

    attachment = models.FileField(blank=True)
    paper = models.ForeignKey(Paper, models.CASCADE, null=True)
