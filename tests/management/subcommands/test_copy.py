"""``manage.py buckets copy`` and ``verify``: between buckets, and between a bucket and a disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smart_storages.management.moving.arguments import read_plan
from smart_storages.management.moving.manifest import Manifest
from tests.conftest import methods
from tests.management.calls import call
from tests.management.conftest import Ends
from tests.servers import S3Proxy

ODD = ["a b+c&d.txt", "ä/ö😀.txt", "a//b", "folder/", "a/../b", "~x", "a.txt", "a/b.txt", "a0"]


def test_what_differs_is_copied_with_its_type_and_metadata(ends: Ends) -> None:
    for name in ODD:
        ends.put(name, name.encode(), ContentType="text/x-odd", Metadata={"who": "me"})
    ends.archive.put("out/a0", b"older")
    ends.archive.put("out/only-here", b"x")
    answer = call("copy", "photos", "archive", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert (answer.json["copied"], answer.json["extra"]) == (len(ODD), 1)
    assert ends.of_archive() == {**{name: name.encode() for name in ODD}, "only-here": b"x"}
    head = ends.archive.client.head_object(Bucket=ends.archive.name, Key="out/a b+c&d.txt")
    assert (head["ContentType"], head["Metadata"]) == ("text/x-odd", {"who": "me"})
    again = call("copy", "photos", "archive", "--json").json
    assert (again["copied"], again["same"]) == (0, len(ODD))


def test_objects_that_are_there_cost_a_listing_of_each_side(
    ends: Ends, s3_proxy: Any, count_requests: Any
) -> None:
    for number in range(30):
        ends.put(f"{number}.txt", b"x")
    with count_requests() as requests:
        assert call("copy", "photos", "archive").code == 0
    assert sorted(methods(requests)) == ["GET"] * 2 + ["PUT"] * 30
    assert all("x-amz-copy-source" in each.headers for each in requests if each.method == "PUT")
    with count_requests() as requests:
        assert call("copy", "photos", "archive").code == 0
    assert methods(requests) == ["GET"] * 2


def test_fewer_files_at_a_time_pass_through_this_process(moto_ends: Ends) -> None:
    def threads(**options: Any) -> int:
        names = {"source": "photos", "target": "archive", "prefix": ""}
        return read_plan({**names, **options}).threads

    assert threads() == 32
    assert threads(target="disk") == 8
    other = moto_ends.archive.endpoint_url.replace("127.0.0.1", "localhost")
    moto_ends.module("archive", endpoint_url=other)
    assert threads() == 8
    assert threads(workers=50) == 50


def test_dry_run_says_what_would_be_done_and_does_nothing(
    ends: Ends, cache_directory: Path
) -> None:
    ends.put("new", b"x")
    ends.archive.put("out/old", b"y")
    answer = call("copy", "photos", "archive", "--delete", "--dry-run", verbosity=2)
    assert answer.out.splitlines()[:2] == ["copied: new", "deleted: old"]
    assert "1 would be copied (1 B)" in answer.out
    assert "1 would be deleted" in answer.out
    assert ends.of_archive() == {"old": b"y"}
    assert not cache_directory.exists()


def test_a_manifest_lists_what_is_to_be_copied(moto_ends: Ends, tmp_path: Path) -> None:
    for name in ("a,b c", "ä", "same"):
        moto_ends.put(name, b"x")
    moto_ends.archive.put("out/same", b"x")
    path = tmp_path / "manifest.csv"
    answer = call("copy", "photos", "archive", "--manifest", str(path), "--json")
    assert (answer.code, answer.json["copied"], answer.json["dry_run"]) == (0, 2, True)
    bucket = moto_ends.photos.name
    assert sorted(path.read_text().splitlines()) == [
        f"{bucket},in/%C3%A4",
        f"{bucket},in/a%2Cb%20c",
    ]
    assert moto_ends.of_archive() == {"same": b"x"}
    assert call("copy", "disk", "archive", "--manifest", str(path)).code == 2
    assert call("copy", "photos", "archive", "--manifest", f"{tmp_path}/no/file").code == 2
    assert [each.name for each in tmp_path.glob("manifest*")] == ["manifest.csv"]


def test_half_a_manifest_is_none(
    moto_ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_ends.put("a", b"x")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Manifest, "add", interrupt)
    assert call("copy", "photos", "archive", "--manifest", f"{tmp_path}/manifest.csv").code == 130
    assert list(tmp_path.glob("manifest*")) == []


class TestDelete:
    def test_what_the_source_does_not_have_goes_when_all_is_copied(self, ends: Ends) -> None:
        ends.put("a", b"1")
        for name in ("b", "c//d", "folder/"):
            ends.archive.put(f"out/{name}", b"2")
        ends.archive.put("elsewhere", b"3")
        assert call("copy", "photos", "archive", "--delete").code == 0
        assert ends.archive.keys() == ["elsewhere", "out/a"]

    def test_nothing_is_deleted_after_a_failure(self, moto_ends: Ends) -> None:
        moto_ends.put("a", b"1")
        moto_ends.put("b", b"a directory in the way")
        moto_ends.write("b/c", b"2")
        answer = call("copy", "photos", "disk", "--delete", "--json")
        assert (answer.code, answer.json["failed"]) == (1, 1)
        assert list(answer.json["failures"]) == ["b"]
        assert answer.err.startswith("b: ")
        assert "Nothing was deleted" in answer.err
        assert moto_ends.of_disk() == {"a": b"1", "b/c": b"2"}

    def test_an_empty_source_deletes_nothing_unless_that_is_meant(self, moto_ends: Ends) -> None:
        moto_ends.archive.put("out/b", b"2")
        refused = call("copy", "photos", "archive", "--delete")
        assert refused.code == 1
        assert "--allow-empty" in refused.err
        assert moto_ends.of_archive() == {"b": b"2"}
        assert call("copy", "photos", "archive", "--delete", "--allow-empty").code == 0
        assert moto_ends.of_archive() == {}


class TestDisk:
    def test_a_directory_goes_into_a_bucket_and_back(self, ends: Ends) -> None:
        files = {
            "a/b.txt": b"1",
            "a.txt": b"2",
            "a0/c.bin": b"3" * 9 * 1024**2,
            "ä b.txt": b"4",
            "empty": b"",
        }
        for name, body in files.items():
            ends.write(name, body)
        assert call("copy", "disk", "archive").code == 0
        assert ends.of_archive() == files
        head = ends.archive.client.head_object(Bucket=ends.archive.name, Key="out/a.txt")
        assert head["ContentType"] == "text/plain"
        again = call("copy", "disk", "archive", "--json").json
        assert (again["copied"], again["same"]) == (0, 5), "parts of the same size, the same ETag"
        assert call("copy", "archive", "default").code == 0
        assert ends.of_disk("media") == files
        assert call("copy", "archive", "default", "--json").json["same"] == 5
        assert call("verify", "disk", "default", "--json").json["same"] == 5

    def test_a_change_of_the_same_size_is_seen(self, ends: Ends) -> None:
        ends.write("a.txt", b"one")
        ends.archive.put("out/a.txt", b"two")
        assert call("copy", "disk", "archive", "--json").json["copied"] == 1
        assert ends.of_archive() == {"a.txt": b"one"}

    def test_what_no_file_can_be_named_fails_and_names_itself(self, ends: Ends) -> None:
        ends.put("../../evil", b"x")
        ends.put("fine", b"y")
        answer = call("copy", "photos", "disk", "--json")
        assert answer.code == 1
        assert list(answer.json["failures"]) == ["../../evil"]
        assert ends.of_disk() == {"fine": b"y"}
        assert not (ends.directory.parent / "evil").exists()

    def test_a_name_that_would_become_another_key_fails(self, moto_ends: Ends) -> None:
        moto_ends.write("a\\b", b"x")
        answer = call("copy", "disk", "archive", "--json")
        assert (answer.code, list(answer.json["failures"])) == (1, ["a\\b"])
        assert moto_ends.of_archive() == {}

    def test_compressed_objects_are_compared_by_what_is_in_them(self, moto_ends: Ends) -> None:
        moto_ends.module("archive", gzip=True)
        moto_ends.write("a.css", b"a{} " * 1000)
        assert call("copy", "disk", "archive").code == 0
        assert len(moto_ends.of_archive()["a.css"]) < 4000
        assert call("verify", "disk", "archive").code == 0
        assert call("copy", "archive", "default").code == 0
        assert moto_ends.of_disk("media") == {"a.css": b"a{} " * 1000}


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (("photos", "photos"), "the same place"),
            (("photos", "nested"), "lies within"),
            (("photos", "nobody"), "no storage 'nobody'"),
            (("photos", "archive", "--workers", "0"), "whole number"),
        ],
    )
    def test_a_copy_that_makes_no_sense_is_refused(
        self, moto_ends: Ends, arguments: Any, text: str
    ) -> None:
        entries = moto_ends.settings.SMART_STORAGE_BUCKETS
        nested = {**entries["photos"], "location": "in/side"}
        moto_ends.settings.SMART_STORAGE_BUCKETS = {**entries, "nested": nested}
        answer = call("copy", *arguments)
        assert answer.code in (1, 2)
        assert text in answer.err

    def test_one_bucket_under_two_addresses_is_one_place(
        self, ends: Ends, s3_proxy: S3Proxy
    ) -> None:
        ends.put("side/a", b"1")
        ends.put("b", b"2")
        entry = ends.settings.SMART_STORAGE_BUCKETS["photos"]
        direct = ends.photos.server.endpoint_url
        for options in ({"location": "in"}, {"location": "in/side"}, {"location": ""}):
            ends.settings.SMART_STORAGE_BUCKETS = {
                "photos": {**entry, "endpoint_url": s3_proxy.endpoint_url},
                "again": {**entry, "endpoint_url": direct, **options},
            }
            for pair in (("photos", "again"), ("again", "photos")):
                answer = call("copy", *pair, "--delete", "--allow-empty")
                assert answer.code == 2, options
                assert "same place" in answer.err
        assert ends.of_photos() == {"side/a": b"1", "b": b"2"}

    def test_two_buckets_with_the_same_files_are_two_places(self, ends: Ends) -> None:
        ends.put("a", b"1")
        ends.module("archive", location="in")
        assert call("copy", "photos", "archive").code == 0
        assert call("copy", "photos", "archive", "--delete").code == 0

    def test_a_prefix_apart_from_the_target_is_no_circle(self, moto_ends: Ends) -> None:
        moto_ends.module("archive", bucket_name=moto_ends.photos.name, location="in/backup")
        moto_ends.put("media/a", b"1")
        assert call("copy", "photos", "archive", "--prefix", "media/").code == 0
        assert moto_ends.of_photos() == {"media/a": b"1", "backup/media/a": b"1"}


class TestVerify:
    def test_each_difference_is_named(self, ends: Ends) -> None:
        for name in ("same", "different", "missing"):
            ends.put(name, b"1")
        for name, body in (("same", b"1"), ("different", b"2"), ("extra", b"3")):
            ends.archive.put(f"out/{name}", body)
        answer = call("verify", "photos", "archive", "--json")
        assert answer.code == 1
        assert sorted(answer.err.splitlines()) == [
            "different: different",
            "extra: extra",
            "missing: missing",
        ]
        assert answer.json == {
            "same": 1,
            "different": 1,
            "missing": 1,
            "extra": 1,
            "failed": 0,
            "gone": 0,
        }

    def test_an_object_in_parts_is_the_same_as_one_in_one_piece(self, ends: Ends) -> None:
        body = b"x" * 5 * 1024**2 + b"y"
        place = {"Bucket": ends.photos.name, "Key": "in/film"}
        client = ends.photos.client
        upload = client.create_multipart_upload(**place)["UploadId"]
        parts = []
        for number, part in enumerate([body[:-1], body[-1:]], 1):
            answer = client.upload_part(**place, UploadId=upload, PartNumber=number, Body=part)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
        ends.archive.put("out/film", body)
        assert call("verify", "photos", "archive").code == 0
        ends.archive.put("out/film", body[:-1] + b"z")
        assert call("verify", "photos", "archive").code == 1
        # A copy through this process says what it was made from, and is not made twice.
        ends.archive.client.delete_object(Bucket=ends.archive.name, Key="out/film")
        ends.module(
            "archive", endpoint_url=ends.archive.endpoint_url.replace("127.0.0.1", "localhost")
        )
        assert call("copy", "photos", "archive", "--json").json["copied"] == 1
        assert call("copy", "photos", "archive", "--json").json["same"] == 1
        assert json.loads(call("verify", "photos", "archive", "--json").out)["same"] == 1
