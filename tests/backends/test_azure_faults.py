"""What goes wrong between this process and Azure, and what others leave there."""

from __future__ import annotations

import logging
import os
import threading
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)
from django.core.files.base import ContentFile
from django.views.debug import ExceptionReporter

from smart_storages.exceptions import (
    AccessDeniedError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import SmartS3Storage
from tests.old_releases import needs_newer_azure
from tests.servers import S3Proxy

MEBIBYTE = 1024**2
CONTENT = os.urandom(10 * MEBIBYTE)
LONG_AGO = "Fri, 27 Nov 2020 01:02:03 GMT"
#: Put together, so that the source on a debug page does not show it.
SIGNATURE = "-".join(("hunter", "two"))

#: The SDK tries again at once.
AT_ONCE = {"initial_backoff": 0, "increment_base": 0, "random_jitter_range": 0}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    # Before it asks again for an answer that ended too early, it waits a second, come what may.
    at_once = SimpleNamespace(sleep=lambda _: None)
    monkeypatch.setattr("azure.storage.blob._download.time", at_once, raising=False)


@pytest.fixture
def proxy(azurite):
    with S3Proxy(f"http://{urlsplit(azurite.endpoint_url).netloc}") as proxy:
        yield proxy


@pytest.fixture
def options(options, azurite, proxy):
    there = f"{proxy.endpoint_url}{urlsplit(azurite.endpoint_url).path}"
    way = options["connection_string"].replace(azurite.endpoint_url, there)
    return {**options, "connection_string": way, "client_options": AT_ONCE}


@pytest.fixture
def storage(options):
    return SmartS3Storage("media", location="in", file_overwrite=False, **options)


@pytest.fixture
def replacing(options):
    return SmartS3Storage("media", location="in", **options)


@pytest.fixture
def blob(azurite, container):
    """The blob of a.bin, past the proxy and this package."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        yield service.get_blob_client(container, "in/a.bin")


def save(storage, content=b"x", name="a.bin"):
    return storage.save(name, ContentFile(content))


def read(storage, name="a.bin"):
    with storage.open(name) as file:
        return file.read()


# Answers that do not arrive


@pytest.mark.parametrize("content", [b"small", CONTENT], ids=["small", "large"])
def test_a_file_is_saved_once_though_the_answer_is_lost(storage, proxy, content):
    # Of the large one, that to the second block, and that to the list of blocks.
    for skip in (0,) if content == b"small" else (1, 2):
        proxy.inject(method="PUT", skip=skip, lose_answer=True)
        name = f"{skip}.bin"
        assert save(storage, content, name) == name
        assert read(storage, name) == content
    assert len(storage.listdir("")[1]) == (1 if content == b"small" else 2)


@pytest.mark.parametrize("content", [b"small", CONTENT], ids=["small", "large"])
def test_a_name_that_is_taken_stays_so_though_the_answer_is_lost(storage, proxy, content):
    save(storage, b"of another")
    proxy.inject(method="PUT", skip=0 if content == b"small" else 2, lose_answer=True)
    name = save(storage, content)
    assert name != "a.bin"
    assert read(storage) == b"of another"
    assert read(storage, name) == content


def test_a_large_file_is_replaced_though_the_answer_is_lost(replacing, proxy):
    save(replacing)
    proxy.inject(method="PUT", skip=2, lose_answer=True)
    save(replacing, CONTENT)
    assert read(replacing) == CONTENT


def test_a_file_is_deleted_though_the_answer_is_lost(storage, proxy):
    save(storage)
    proxy.inject(method="DELETE", lose_answer=True)
    storage.delete("a.bin")
    assert not storage.exists("a.bin")


@pytest.mark.parametrize("cut", [0, 1, 8 * MEBIBYTE - 1])
def test_a_request_that_is_cut_is_sent_again(storage, proxy, cut):
    proxy.inject(method="PUT", cut_request_after=cut)
    assert save(storage, CONTENT) == "a.bin"
    assert read(storage) == CONTENT


@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("cut", [0, 1, 4 * MEBIBYTE - 1])
@needs_newer_azure
def test_an_answer_that_is_cut_is_asked_for_again(storage, proxy, skip, cut):
    save(storage, CONTENT)
    fault = proxy.inject(method="GET", skip=skip, cut_after=cut)
    assert read(storage) == CONTENT
    assert fault.fired == 1


@pytest.mark.parametrize("skip", [0, 1])
def test_an_answer_that_is_always_cut_is_an_error_that_names_the_file(options, proxy, skip):
    save(SmartS3Storage("media", **options), CONTENT)
    options["client_options"] = {**AT_ONCE, "retry_total": 0}
    storage = SmartS3Storage("media", **options)
    proxy.inject(method="GET", skip=skip, cut_after=100, times=None)
    match = f"module 'media', bucket '{storage.bucket_name}', key 'a.bin'"
    with pytest.raises(UnreachableError, match=match):
        read(storage)


def answer(status, body, *lines):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


PAGE = b"<html>Log in to the network</html>"


@pytest.mark.parametrize(
    "status", ["200 OK", "206 Partial Content", "404 Not Found", "409 Conflict", "412 No"]
)
@pytest.mark.parametrize("body", [PAGE, b""], ids=["page", "empty"])
def test_what_is_no_answer_of_azure_is_neither_a_file_nor_a_missing_one(
    options, proxy, status, body
):
    options["client_options"] = {"retry_total": 0}
    storage = SmartS3Storage("media", file_overwrite=False, **options)
    proxy.inject(answer=answer(status, body), unasked=True, times=None)
    uses = (
        lambda: storage.exists("a.bin"),
        lambda: read(storage),
        lambda: storage.listdir(""),
        lambda: storage.delete("a.bin"),
        lambda: save(storage),
        lambda: save(storage, CONTENT),
    )
    for number, use in enumerate(uses):
        with pytest.raises(S3Error, match=r"was not Azure|The library of Azure failed") as caught:
            use()
        assert caught.value.module == "media", number
        assert not isinstance(caught.value, FileNotFoundError), number


@pytest.mark.parametrize("skip", [0, 1])
def test_a_part_of_another_size_than_was_asked_for_is_refused(options, proxy, skip):
    options["client_options"] = {"retry_total": 0}
    storage = SmartS3Storage("media", **options)
    save(storage, CONTENT)
    lines = ("Content-Range: bytes 0-9/10485760", 'ETag: "0x1"')
    said = answer("206 Partial Content", b"0123456789", *lines, f"Last-Modified: {LONG_AGO}")
    proxy.inject(method="GET", skip=skip, answer=said, times=None)
    with pytest.raises(S3Error, match="was not Azure"):
        read(storage)


def test_a_container_that_somebody_else_makes_meanwhile_is_fine(replacing):
    replacing._store()._create_container()


def test_no_debug_page_shows_a_signature_that_azure_repeats(replacing, proxy):
    detail = f"The MAC signature found in the HTTP request '{SIGNATURE}' is not the same"
    body = (
        '<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code><Message>'
        f"Refused.</Message><AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
    ).encode()
    lines = ("Content-Type: application/xml", "x-ms-error-code: AuthenticationFailed")
    proxy.inject(answer=answer("403 Forbidden", body, *lines), unasked=True, times=None)
    uses = (
        lambda: read(replacing),
        lambda: replacing.listdir(""),
        lambda: save(replacing),
    )
    for use in uses:
        with pytest.raises(AccessDeniedError) as caught:
            use()
        trace = caught.value.__traceback__.tb_next.tb_next  # without the frames of this test
        page = ExceptionReporter(None, AccessDeniedError, caught.value, trace).get_traceback_html()
        assert SIGNATURE not in page


def test_a_file_that_was_open_before_a_fork_is_opened_again(storage):
    save(storage, CONTENT)
    with storage.open("a.bin") as file:
        file.read(1)
        pid = os.fork()
        if pid == 0:
            try:
                file.read()
            except UnreachableError:
                os._exit(0 if read(storage) == CONTENT else 1)
            os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0
        assert file.read() == CONTENT[1:]


def test_an_empty_file_that_is_replaced_while_it_is_opened_is_read_whole(replacing, proxy):
    save(replacing, b"")
    fault = proxy.inject(method="GET", hold_answer=True)
    found = []
    thread = threading.Thread(target=lambda: found.append(read(replacing)))
    thread.start()
    while not proxy.requests or proxy.requests[-1].method != "GET":
        thread.join(0.01)
    thread.join(0.3)  # its answer is on its way
    save(replacing, b"new")
    fault.resume.set()
    thread.join()
    assert found in ([b"new"], [b""])
    assert read(replacing) == b"new"


def test_no_log_shows_a_shared_access_signature(azurite, container, proxy, caplog):
    expiry = datetime.now(timezone.utc) + timedelta(hours=1)
    everything = AccountSasPermissions(read=True, write=True, delete=True, list=True)
    token = generate_account_sas(
        azurite.account_name, azurite.account_key, ResourceTypes(*[True] * 3), everything, expiry
    )
    there = f"{proxy.endpoint_url}{urlsplit(azurite.endpoint_url).path}"
    storage = SmartS3Storage(
        "media",
        backend="azure",
        bucket_name=container,
        connection_string=f"BlobEndpoint={there};SharedAccessSignature={token}",
        client_options={**AT_ONCE, "retry_total": 1},
    )
    signature = parse_qs(token)["sig"][0]
    with caplog.at_level(logging.DEBUG):
        save(storage, CONTENT)
        assert read(storage) == CONTENT
        assert [key for key, _ in storage.iter_keys("")] == ["a.bin"]
        proxy.inject(method="GET", status=503, times=None)
        with pytest.raises(S3Error):
            read(storage)
        with proxy.refusing(), pytest.raises(UnreachableError) as caught:
            read(storage)
    records = [logging.Formatter().format(record) for record in caplog.records]
    assert any("sig=***" in text for text in records)
    assert not [text for text in (*records, str(caught.value)) if signature in unquote(text)]


# What others leave there


def test_an_upload_that_nobody_ended_is_no_file(storage, blob):
    blob.stage_block("a" * 32, b"begun")
    assert not storage.exists("a.bin")
    assert storage.listdir("") == ([], [])
    assert list(storage.iter_files()) == []
    for use in (storage.open, storage.size):
        with pytest.raises(ObjectNotFoundError):
            use("a.bin")
    storage.delete("a.bin")
    assert save(storage, CONTENT) == "a.bin"
    assert read(storage) == CONTENT


def test_a_name_under_which_another_program_uploads_is_taken(storage, replacing, blob):
    blob.stage_block("its ids have another length", b"begun")
    name = save(storage, CONTENT)
    assert name != "a.bin"
    assert read(storage, name) == CONTENT
    with pytest.raises(S3Error, match="Another program has begun to upload a file of this name"):
        save(replacing, CONTENT)
    save(replacing, b"in one request")
    assert read(replacing) == b"in one request"


def test_what_azure_refuses_is_not_called_a_file_that_is_there(replacing, blob):
    save(replacing)
    blob.set_standard_blob_tier("Archive")
    with pytest.raises(S3Error, match="BlobArchived") as caught:
        read(replacing)
    assert not isinstance(caught.value, ObjectExistsError)
    blob.delete_blob()
    blob.create_append_blob()
    with pytest.raises(S3Error, match="InvalidBlobType") as caught:
        save(replacing, CONTENT)
    assert not isinstance(caught.value, ObjectExistsError)


def test_a_leased_file_is_not_called_a_changed_one(replacing, blob):
    save(replacing)
    blob.acquire_lease()
    uses = (
        lambda: save(replacing),
        lambda: save(replacing, CONTENT),
        lambda: replacing.delete("a.bin"),
    )
    for use in uses:
        with pytest.raises(S3Error, match="LeaseIdMissing") as caught:
            use()
        assert not isinstance(caught.value, ObjectChangedError)


def test_snapshots_are_not_listed_and_go_with_the_file(replacing, blob):
    save(replacing, b"old")
    blob.create_snapshot()
    save(replacing, b"new")
    assert [key for key, _ in replacing.iter_keys("")] == ["in/a.bin"]
    replacing.delete("a.bin")
    assert not replacing.exists("a.bin")


def test_a_file_that_is_moved_onto_itself_under_another_address_stays(options, azurite):
    one = SmartS3Storage("one", **options)
    other = SmartS3Storage("other", **{**options, "connection_string": azurite.connection_string})
    for content in (b"small", CONTENT):
        save(one, content)
        assert one.move("a.bin", "a.bin", to=other) == "a.bin"
        assert read(one) == content
        assert one.move("a.bin", "b.bin", to=other) == "b.bin"
        assert not one.exists("a.bin")
        assert read(one, "b.bin") == content
