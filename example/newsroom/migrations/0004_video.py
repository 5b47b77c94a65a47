import django.db.models.deletion
from django.db import migrations, models

import smart_storages.storages
import smart_storages.uploads.fields


class Migration(migrations.Migration):
    dependencies = [
        ("newsroom", "0003_attachment"),
    ]

    operations = [
        migrations.CreateModel(
            name="Video",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "file",
                    smart_storages.uploads.fields.DirectFileField(
                        max_length=255,
                        storage=smart_storages.storages.SmartS3Storage(module_name="videos"),
                        upload_to="%Y/",
                        verbose_name="video",
                    ),
                ),
                (
                    "article",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="videos",
                        to="newsroom.article",
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
    ]
