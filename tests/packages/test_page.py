"""docs/packages.md, in a project that has all the packages it is about."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import django
import pytest

from tests.servers.keeper import exclusive

pytestmark = [
    pytest.mark.documentation,
    pytest.mark.slow,
    pytest.mark.skipif(
        django.VERSION < (4, 2), reason="The packages want Django 4.2 and its STORAGES."
    ),
    pytest.mark.skipif(
        sys.version_info < (3, 10), reason="See pyproject.toml: they do not all install."
    ),
]

ROOT = Path(__file__).parents[2]


def test_every_block_runs_as_it_is_printed(moto_server, tmp_path):
    client = moto_server.client()
    order = {"settings": moto_server.django_settings(), "folder": str(tmp_path)}
    with exclusive("documentation"):  # the names of the buckets are printed
        for bucket in ("acme-media", "acme-docs"):
            client.create_bucket(Bucket=bucket)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.packages.page"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            check=False,
            cwd=str(ROOT),
            env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        )
        for bucket in ("acme-media", "acme-docs"):
            with suppress(client.exceptions.NoSuchBucket):
                for item in client.list_objects_v2(Bucket=bucket).get("Contents", []):
                    client.delete_object(Bucket=bucket, Key=item["Key"])
                client.delete_bucket(Bucket=bucket)
    assert done.returncode == 0, done.stderr[-5000:]
