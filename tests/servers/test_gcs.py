"""The server of Google Cloud Storage does what Google documents where the tests need it."""

from __future__ import annotations

import json
import threading
from typing import Any, Tuple

import urllib3

from tests.servers.gcs import GoogleStorage

HTTP = urllib3.PoolManager(maxsize=8)


def insert(server: GoogleStorage, bucket: str, name: str, content: bytes) -> Tuple[int, Any]:
    """Write an object that must not be there, in a session of two parts."""
    begun = HTTP.request(
        "POST",
        f"{server.endpoint_url}/upload/storage/v1/b/{bucket}/o"
        f"?uploadType=resumable&name={name}&ifGenerationMatch=0",
        body=json.dumps({"name": name}),
        headers={"Content-Type": "application/json"},
    )
    session = begun.headers["Location"]
    assert session.startswith(server.endpoint_url)
    first, rest = content[:262_144], content[262_144:]
    kept = HTTP.request(
        "PUT", session, body=first, headers={"Content-Range": "bytes 0-262143/*"}, redirect=False
    )
    assert kept.status == 308
    span = f"bytes 262144-{len(content) - 1}/{len(content)}"
    done = HTTP.request("PUT", session, body=rest, headers={"Content-Range": span})
    return done.status, json.loads(done.data)


def test_a_session_keeps_the_condition_that_it_was_begun_with(gcs: GoogleStorage) -> None:
    bucket = gcs.create_bucket()
    assert insert(gcs, bucket, "a", b"1" * 300_000)[0] == 200
    status, said = insert(gcs, bucket, "a", b"2" * 300_000)
    assert status == 412
    assert said["error"]["errors"][0]["reason"] == "conditionNotMet"
    url = f"{gcs.endpoint_url}/download/storage/v1/b/{bucket}/o/a?alt=media"
    assert HTTP.request("GET", url).data == b"1" * 300_000


def test_of_two_writers_at_once_one_wins(gcs: GoogleStorage) -> None:
    bucket = gcs.create_bucket()
    statuses = []

    def write() -> None:
        statuses.append(insert(gcs, bucket, "a", b"1" * 300_000)[0])

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 412, 412, 412, 412, 412]


def test_a_missing_bucket_is_told_apart_from_a_missing_object(gcs: GoogleStorage) -> None:
    bucket = gcs.create_bucket()
    for name, is_there in ((bucket, True), ("no-such-bucket", False)):
        answer = HTTP.request("GET", f"{gcs.endpoint_url}/storage/v1/b/{name}/o/a")
        assert answer.status == 404
        assert (b"bucket does not exist" in answer.data) is not is_there
