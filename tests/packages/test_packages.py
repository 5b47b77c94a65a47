"""Packages that keep files upload, render, replace and delete; after that nothing is left.

Each on four storages, with keys in three places, and on each backend beside S3, in one process for
all. Against Ceph, which checks the keys, and against moto where Ceph is not installed.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import django
import pytest

from tests.conftest import REQUIRE_REAL_S3
from tests.packages.direct import USES
from tests.servers.azurite import azurite_program
from tests.servers.ceph import missing_programs

pytestmark = pytest.mark.skipif(
    django.VERSION < (4, 2), reason="The packages want Django 4.2 and its STORAGES."
)

ROOT = Path(__file__).parents[2]
INSTALLED = [package for package in USES if find_spec(package)]


@pytest.mark.slow
def test_each_package_does_all_it_does_and_leaves_nothing(request, tmp_path):
    # In one test: the project takes its time to start, and parts of a module run in any process.
    real = REQUIRE_REAL_S3 or not missing_programs()
    server = request.getfixturevalue("ceph" if real else "moto_server")
    backends = {"memory": {}, "filesystem": {"root": str(tmp_path / "buckets")}}
    if azurite_program() is not None or REQUIRE_REAL_S3:
        azurite = request.getfixturevalue("azurite")
        backends["azure"] = {
            "bucket_name": azurite.create_container(),
            "connection_string": azurite.connection_string,
        }
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
        "folder": str(tmp_path / "disk"),
        "backends": backends,
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
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [
        f"{each['package']}, {each['where']}: left {each['left']}\n{each['error']}"
        for each in answers
        if each["left"] or each["error"]
    ]
    assert not wrong, "\n\n".join(wrong)
    told = Counter(each["package"] for each in answers)
    assert told == {package: (12 + len(backends)) * len(USES[package]) for package in INSTALLED}


def test_all_packages_are_installed_where_they_can_be():
    # See pyproject.toml: on an older Python some do not install.
    required = USES if sys.version_info >= (3, 10) else ["easy_thumbnails", "filer"]
    assert set(required) <= set(INSTALLED)
