from __future__ import annotations

import io
from typing import Any

import pytest
from django.test import override_settings

from smart_storages.management.output import Context
from smart_storages.management.subcommands import usage
from tests.conftest import Bucket
from tests.management.calls import call
from tests.servers import CephGateway


@pytest.fixture(autouse=True)
def bucket(s3_bucket: Bucket, s3_settings: Any) -> Bucket:
    provider = {"provider": s3_bucket.server.name}
    s3_settings.SMART_STORAGE_BUCKETS = {
        "media": {"location": "m/", **provider},
        "tenant_*": {"location": "t/{module}/", **provider},
        "empty": {"location": "e/", **provider},
    }
    for key, size in [
        ("m/a.txt", 100),
        ("m/2024/a.txt", 300),
        ("m/2024/b/c.txt", 500),
        ("m/2025/a.txt", 100),
        ("m/2026/", 0),
        ("t/tenant_x/a.txt", 7),
        ("t/tenant_y/b.txt", 9),
    ]:
        s3_bucket.put(key, b"x" * size)
    return s3_bucket


def test_files_are_counted_by_module_and_first_folder(bucket: Bucket) -> None:
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key="m/2024/large.bin")
    assert upload["UploadId"]
    answer = call("usage", "--json")
    assert answer.code == 0
    media, tenants, empty = answer.json
    counted = {name: (each["files"], each["bytes"]) for name, each in media["folders"].items()}
    assert counted == {".": (1, 100), "2024": (2, 800), "2025": (1, 100)}
    assert (media["files"], media["bytes"]) == (4, 1000)
    assert media["newest"] == max(each["newest"] for each in media["folders"].values())
    (told,) = media["incomplete_uploads"]
    assert told["key"] == "m/2024/large.bin"
    if bucket.server.name == "ceph":  # moto says that each upload began in 2010
        assert 0 <= told["days"] < 1
    assert {*tenants["folders"]} == {"tenant_x", "tenant_y"}
    assert (empty["files"], empty["newest"], empty["incomplete_uploads"]) == (0, None, [])


def test_a_person_sees_bars_the_largest_first(bucket: Bucket) -> None:
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="m/large.bin")
    lines = call("usage", "media").out.splitlines()
    assert lines[0] == f"media: {bucket.name}/m/, 4 files, 1000 B"
    assert lines[1].split() == ["FOLDER", "FILES", "SIZE", "NEWEST", "SHARE"]
    assert [line.split()[0] for line in lines[2:5]] == ["2024", "2025", "."]
    assert lines[2].endswith("80% " + "\u2588" * 19)
    assert lines[5].startswith("1 incomplete uploads")
    assert lines[6].split()[1:] == ["days", "m/large.bin"]
    assert "and 2 more folders" in call("usage", "media", "--top", "1").out


def test_a_terminal_that_lacks_blocks_gets_another_bar() -> None:
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert usage._block(Context(plain, plain)) == "#"


@pytest.mark.real_s3
@pytest.mark.parametrize("s3_server", ["ceph"], indirect=True)
def test_a_module_that_may_not_be_listed_is_told_of_and_the_others_shown(
    bucket: Bucket, ceph_gateway: CephGateway
) -> None:
    other = ceph_gateway.create_user()
    keys = {"access_key": other.access_key, "secret_key": other.secret_key}
    entries = {"closed": {"provider": "ceph", **keys}, "media": {"location": "m/"}}
    with override_settings(SMART_STORAGE_BUCKETS=entries):
        answer = call("usage")
    assert answer.code == 1
    assert "closed: S3 denied the request" in answer.err
    assert "media:" in answer.out
