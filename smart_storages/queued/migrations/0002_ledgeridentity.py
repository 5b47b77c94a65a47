from __future__ import annotations

from typing import Any

from django.db import migrations, models

import smart_storages.queued.models


def write_identity(apps: Any, schema_editor: Any) -> None:
    # Here, and not with the first save: the transaction of that one may be rolled back.
    identity = apps.get_model("smart_storages_queued", "LedgerIdentity")
    identity.objects.using(schema_editor.connection.alias).get_or_create(
        pk=1, defaults={"value": smart_storages.queued.models.new_identity()}
    )


class Migration(migrations.Migration):
    dependencies = [("smart_storages_queued", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="LedgerIdentity",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                (
                    "value",
                    models.CharField(
                        default=smart_storages.queued.models.new_identity,
                        editable=False,
                        max_length=32,
                    ),
                ),
            ],
        ),
        migrations.RunPython(write_identity, migrations.RunPython.noop, elidable=False),
    ]
