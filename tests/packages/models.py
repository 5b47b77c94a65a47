"""Models with the fields of the packages that are installed."""

from importlib.util import find_spec

from django.core.files.storage import default_storage
from django.db import models

if find_spec("easy_thumbnails"):
    from easy_thumbnails.fields import ThumbnailerImageField

    class Cover(models.Model):
        # Named, for the setting is read once, when easy-thumbnails is imported.
        picture = ThumbnailerImageField(upload_to="covers", thumbnail_storage=default_storage)


if find_spec("sorl"):
    from sorl.thumbnail import ImageField

    class Portrait(models.Model):
        picture = ImageField(upload_to="portraits")


if find_spec("imagekit"):
    from imagekit.models import ImageSpecField
    from imagekit.processors import ResizeToFill

    class Avatar(models.Model):
        picture = models.ImageField(upload_to="avatars")
        small = ImageSpecField(source="picture", processors=[ResizeToFill(8, 8)], format="JPEG")


class Entry(models.Model):
    title = models.CharField(max_length=20)
