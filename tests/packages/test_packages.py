"""Packages that keep files upload, render, replace and delete; after that nothing is left.

Each on four storages, with keys in three places, in one process for all. Against Ceph, which checks
the keys, and against moto where Ceph is not installed.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import django
import pytest

from tests.conftest import REQUIRE_REAL_S3
from tests.packages.uses import USES
from tests.servers.ceph import missing_programs

pytestmark = pytest.mark.skipif(
    django.VERSION < (4, 2), reason="The packages want Django 4.2 and its STORAGES."
)

ROOT = Path(__file__).parents[2]
INSTALLED = [package for package in USES if find_spec(package)]


@pytest.fixture(scope="module")
def answers(request, tmp_path_factory):
    """What every use of every package that is installed came to."""
    real = REQUIRE_REAL_S3 or not missing_programs()
    server = request.getfixturevalue("ceph" if real else "moto_server")
    order = {
        "packages": INSTALLED,
        "server": {
            "endpoint_url": server.endpoint_url,
            "region_name": server.region_name,
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "provider": server.name,
        },
        "buckets": {"first": server.create_bucket(), "second": server.create_bucket()},
        "folder": str(tmp_path_factory.mktemp("packages")),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.packages.project"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        cwd=str(ROOT),
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("package", USES)
def test_a_package_does_all_it_does_and_leaves_nothing(package, request):
    if package not in INSTALLED:
        pytest.skip(f"{package} does not install on this Python")
    mine = [each for each in request.getfixturevalue("answers") if each["package"] == package]
    assert len(mine) == 12 * len(USES[package])
    wrong = [
        f"{each['where']}: left {each['left']}\n{each['error']}"
        for each in mine
        if each["left"] or each["error"]
    ]
    assert not wrong, "\n\n".join(wrong)
