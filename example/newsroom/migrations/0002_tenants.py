"""The newspapers that the press office works for."""

from __future__ import annotations

from django.db import migrations

TENANTS = (
    ("The Evening Beacon", "beacon"),
    ("Gull & Anchor Weekly", "gull"),
    ("The Tidewater Times", "tidewater"),
    ("The Skerries Post", "skerries"),
)


def add_tenants(apps, schema_editor):
    tenant = apps.get_model("newsroom", "Tenant")
    for name, slug in TENANTS:
        tenant.objects.get_or_create(slug=slug, defaults={"name": name})


class Migration(migrations.Migration):
    dependencies = [("newsroom", "0001_initial")]

    operations = [migrations.RunPython(add_tenants, migrations.RunPython.noop)]
