"""What the pages about configuration show is accepted by the checks, and what they say is so."""

from __future__ import annotations

import os
import re
import sys
import types
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from smart_storages.checks import check_buckets
from smart_storages.checks.connections import check_credentials
from smart_storages.exceptions import BucketNotFoundError
from smart_storages.utils import get_storage

DOCS = Path(__file__).parents[1] / "docs"


def settings_blocks(page):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    return [block for block in blocks if block.lstrip().startswith(("SMART_", "ENVIRONMENT"))]


@pytest.mark.parametrize("block", settings_blocks("configuration.md"))
def test_the_checks_have_nothing_to_say_of_a_block_of_settings(settings, monkeypatch, block):
    keys = types.ModuleType("myproject.keys")
    keys.for_tenant = lambda module: {}
    monkeypatch.setitem(sys.modules, "myproject", types.ModuleType("myproject"))
    monkeypatch.setitem(sys.modules, "myproject.keys", keys)
    settings.AWS_STORAGE_BUCKET_NAME = "acme"
    names = {"os": os}
    exec(block, names)  # noqa: S102
    for name, value in names.items():
        if name.isupper():
            setattr(settings, name, value)
    assert check_buckets() == []


def test_blocks_are_found():
    assert len(settings_blocks("configuration.md")) >= 4


def test_check_tells_of_what_a_module_lacks_as_the_page_says(settings):
    settings.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme"}, "n": {}}
    assert "smart_storages.W003" in [message.id for message in check_buckets()]
    assert "smart_storages.W012" in [message.id for message in check_credentials()]


def test_every_id_of_a_check_has_a_paragraph():
    page = (DOCS / "checks.md").read_text("utf-8")
    package = DOCS.parent / "smart_storages"
    ids = {
        found
        for path in package.rglob("*.py")
        if "check" in str(path)
        for found in re.findall(r'"(?:smart_storages\.)?([EWQ]0\d\d)"', path.read_text("utf-8"))
    }
    assert {"E001", "W012", "Q001"} <= ids
    assert {each for each in ids if f"## smart_storages.{each}\n" not in page} == set()


def test_the_readmes_way_to_make_a_bucket_makes_one(settings, moto_server):
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    (block,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
        if "create_bucket" in block
    ]
    for name, value in moto_server.django_settings().items():
        setattr(settings, name, value)
    name = f"readme-{os.getpid()}"
    settings.SMART_STORAGE_BUCKETS = {
        "documents": {"bucket_name": name, "region_name": "eu-central-1"}
    }
    storage = get_storage("documents")
    with pytest.raises(BucketNotFoundError, match=name):
        storage.save("a.txt", ContentFile(b"x"))
    exec(block, {})  # noqa: S102
    assert storage.save("a.txt", ContentFile(b"x")) == "a.txt"
