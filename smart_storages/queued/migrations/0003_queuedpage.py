from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("smart_storages_queued", "0002_ledgeridentity"),
    ]

    operations = [
        migrations.CreateModel(
            name="QueuedPage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("job", models.CharField(db_index=True, editable=False, max_length=32)),
                ("task", models.CharField(editable=False, max_length=200, verbose_name="task")),
                ("source", models.CharField(editable=False, max_length=200, verbose_name="source")),
                ("target", models.CharField(editable=False, max_length=200, verbose_name="target")),
                ("prefix", models.CharField(blank=True, editable=False, max_length=1024)),
                ("after", models.CharField(blank=True, editable=False, max_length=1024)),
                ("until", models.CharField(blank=True, editable=False, max_length=1024)),
                (
                    "files",
                    models.PositiveIntegerField(default=0, editable=False, verbose_name="files"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("held", "held"),
                            ("queued", "queued"),
                            ("transferring", "transferring"),
                            ("settling", "settling"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("deleting", "deleting"),
                        ],
                        default="queued",
                        editable=False,
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                (
                    "copied",
                    models.PositiveIntegerField(default=0, editable=False, verbose_name="copied"),
                ),
                ("size", models.BigIntegerField(default=0, editable=False, verbose_name="size")),
                ("same", models.PositiveIntegerField(default=0, editable=False)),
                ("gone", models.PositiveIntegerField(default=0, editable=False)),
                ("failed", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, editable=False, verbose_name="attempts"),
                ),
                (
                    "last_error",
                    models.TextField(blank=True, editable=False, verbose_name="last error"),
                ),
                (
                    "not_before",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="not before"
                    ),
                ),
                (
                    "enqueued_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="enqueued"),
                ),
                (
                    "finished_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="finished"),
                ),
                ("lease_token", models.CharField(blank=True, editable=False, max_length=32)),
                (
                    "lease_until",
                    models.DateTimeField(editable=False, null=True, verbose_name="lease until"),
                ),
            ],
            options={
                "verbose_name": "page of a copy",
                "verbose_name_plural": "pages of copies",
                "indexes": [models.Index(fields=["state", "not_before"], name="queuedpage_due")],
            },
        ),
    ]
