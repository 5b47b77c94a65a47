from __future__ import annotations

from typing import Any

import django.utils.timezone
from django.db import migrations, models


def _key() -> Any:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def _text(name: str, length: int, **options: Any) -> Any:
    return models.CharField(editable=False, max_length=length, verbose_name=name, **options)


def _time(name: str) -> Any:
    return models.DateTimeField(
        default=django.utils.timezone.now, editable=False, verbose_name=name
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="BucketCheck",
            fields=[
                ("id", _key()),
                ("module", _text("module", 200, db_index=True)),
                ("bucket", _text("bucket", 255, blank=True)),
                ("checked_at", _time("checked")),
                ("is_fine", models.BooleanField(editable=False, verbose_name="fine")),
                (
                    "findings_json",
                    models.TextField(default="[]", editable=False, verbose_name="findings"),
                ),
            ],
            options={"verbose_name": "bucket", "verbose_name_plural": "buckets"},
        ),
        migrations.CreateModel(
            name="BucketUsage",
            fields=[
                ("id", _key()),
                ("module", _text("module", 200, db_index=True)),
                ("bucket", _text("bucket", 255, blank=True)),
                ("location", _text("location", 1024, blank=True)),
                ("measured_at", _time("counted")),
                ("files", models.BigIntegerField(editable=False, verbose_name="files")),
                ("bytes", models.BigIntegerField(editable=False, verbose_name="bytes")),
                (
                    "newest",
                    models.DateTimeField(editable=False, null=True, verbose_name="newest file"),
                ),
                (
                    "incomplete_uploads",
                    models.PositiveIntegerField(
                        editable=False, null=True, verbose_name="incomplete uploads"
                    ),
                ),
            ],
            options={
                "verbose_name": "usage of a bucket",
                "verbose_name_plural": "usage of buckets",
            },
        ),
    ]
