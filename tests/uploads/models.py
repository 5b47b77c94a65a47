"""Rows with files that a browser uploads: by our fields, by Django's, in place or copied."""

from __future__ import annotations

from typing import Any

from django.db import models

from smart_storages.uploads.fields import DirectFileField, DirectImageField


def anybody(request: Any, target: Any) -> bool:
    return True


def by_title(instance: Any, name: str) -> str:
    return f"by-title/{instance.title}/{name}"


class Film(models.Model):
    title = models.CharField(max_length=20, unique=True)
    video = DirectFileField(upload_to="films/%Y", blank=True, permission=anybody)


class Portrait(models.Model):
    image = DirectImageField(
        upload_to="portraits",
        width_field="width",
        height_field="height",
        types=["image/*"],
        max_size=10**9,
        permission=anybody,
    )
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)


class Report(models.Model):
    title = models.CharField(max_length=20)
    file = DirectFileField(upload_to=by_title, permission=anybody)
    #: Only staff with Django's permission may upload here.
    secret = DirectFileField(upload_to="secret", blank=True)


class Plain(models.Model):
    """A model of somebody else's, with Django's own field."""

    title = models.CharField(max_length=20, blank=True)
    attachment = models.FileField(upload_to="plain", blank=True)
    film = models.ForeignKey(Film, models.CASCADE, null=True, blank=True)
