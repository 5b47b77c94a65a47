"""The pytest plugin: its fixture, and what it costs a project that does not use it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
from django.core.files.base import ContentFile
from smart_storages.storages import MediaStorage
from smart_storages.testing import assert_not_saved, assert_saved

media = MediaStorage()

def use(smart_buckets):
    assert_not_saved("media")
    media.save("a.txt", ContentFile(b"x"))
    assert_saved("media", "a.txt")

test_one = test_two = test_three = test_four = use

def test_without_it(monkeypatch):
    assert media.is_in_s3
"""

CONFTEST = """
from django.conf import settings

def pytest_configure():
    settings.configure(
        INSTALLED_APPS=["smart_storages"], SECRET_KEY="x", AWS_STORAGE_BUCKET_NAME="acme",
    )
"""


def is_installed():
    try:
        found = metadata.distribution("django-smart-storages").entry_points
    except metadata.PackageNotFoundError:
        return False
    return any(each.group == "pytest11" for each in found)


def run(tmp_path, *arguments):
    # pytest finds the plugin of an installed package by itself.
    named = [] if is_installed() else ["-p", "smart_storages.testing.plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:django",
         *named, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_fixture_gives_each_test_empty_buckets_also_under_xdist(tmp_path):
    (tmp_path / "test_files.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for arguments in ([], ["-n", "2"]):
        done = run(tmp_path, *arguments)
        assert "5 passed" in done.stdout, done.stdout + done.stderr


def test_a_project_without_django_notices_nothing(tmp_path):
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    assert 'django' not in sys.modules and 'boto3' not in sys.modules\n"
    )
    done = run(tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
