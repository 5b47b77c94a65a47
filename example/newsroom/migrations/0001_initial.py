import django.db.models.deletion
from django.db import migrations, models

import newsroom.models
import newsroom.validators
import smart_storages.storages
import smart_storages.utils


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Article",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("headline", models.CharField(max_length=120)),
                (
                    "standfirst",
                    models.CharField(
                        help_text="One or two sentences that say what happened.", max_length=240
                    ),
                ),
                (
                    "body",
                    models.TextField(
                        blank=True, help_text="Leave a blank line between paragraphs."
                    ),
                ),
                (
                    "image",
                    models.FileField(
                        help_text="PNG, JPEG, WebP or GIF, up to 5 MB. Anybody can see it.",
                        max_length=255,
                        storage=smart_storages.storages.MediaStorage(),
                        upload_to="articles/%Y/",
                        validators=[newsroom.validators.validate_image],
                        verbose_name="picture",
                    ),
                ),
                (
                    "image_alt",
                    models.CharField(
                        blank=True,
                        help_text="What it shows, for those who cannot see it.",
                        max_length=200,
                        verbose_name="picture in words",
                    ),
                ),
                (
                    "source",
                    models.FileField(
                        blank=True,
                        help_text="PDF or text, up to 5 MB. Stays private.",
                        max_length=255,
                        storage=smart_storages.storages.DocumentStorage(),
                        upload_to="sources/%Y/",
                        validators=[newsroom.validators.validate_document],
                        verbose_name="source document",
                    ),
                ),
                (
                    "kit",
                    models.FileField(
                        blank=True,
                        help_text="ZIP, up to 5 MB. Stays private.",
                        max_length=255,
                        storage=newsroom.models.kit_storage,
                        upload_to="%Y/",
                        validators=[newsroom.validators.validate_kit],
                        verbose_name="press kit",
                    ),
                ),
                ("published", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ("-published", "-pk"),
            },
        ),
        migrations.CreateModel(
            name="Bulletin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=120)),
                (
                    "name",
                    models.CharField(
                        editable=False, max_length=255, verbose_name="name in the storage"
                    ),
                ),
                ("added", models.DateTimeField(auto_now_add=True)),
                (
                    "region",
                    models.CharField(
                        choices=[("eu", "Europe"), ("us", "United States")], max_length=2
                    ),
                ),
            ],
            options={
                "ordering": ("-added", "-pk"),
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("role", models.CharField(max_length=80)),
                (
                    "avatar",
                    models.FileField(
                        blank=True,
                        help_text="PNG, JPEG, WebP or GIF, up to 5 MB. Anybody can see it.",
                        max_length=255,
                        storage=smart_storages.utils.create_storage(
                            "avatars",
                            {"object_parameters": {"CacheControl": "public, max-age=3600"}},
                        ),
                        upload_to="",
                        validators=[newsroom.validators.validate_image],
                        verbose_name="portrait",
                    ),
                ),
                (
                    "press_card",
                    models.FileField(
                        blank=True,
                        help_text=(
                            "PDF or text, up to 5 MB. Personal data: its links live for a minute."
                        ),
                        max_length=255,
                        storage=smart_storages.storages.SmartS3Storage(module_name="pii"),
                        upload_to="",
                        validators=[newsroom.validators.validate_document],
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "people",
                "ordering": ("name", "pk"),
            },
        ),
        migrations.CreateModel(
            name="Tenant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("slug", models.SlugField(unique=True)),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=120)),
                (
                    "name",
                    models.CharField(
                        editable=False, max_length=255, verbose_name="name in the storage"
                    ),
                ),
                ("added", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reports",
                        to="newsroom.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ("-added", "-pk"),
                "abstract": False,
            },
        ),
    ]
