"""What is sent to Google Cloud Storage, and what is made of its answers, as Google documents both.

The emulator forgets what these tests are about, so here a server answers as it is told.

- https://cloud.google.com/storage/docs/performing-resumable-uploads
- https://cloud.google.com/storage/docs/resumable-uploads
- https://cloud.google.com/storage/docs/json_api/v1/objects/insert
- https://cloud.google.com/storage/docs/json_api/v1/status-codes
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.core.files.base import ContentFile
from google.auth.credentials import AnonymousCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from smart_storages.backends import gcs, gcs_requests, gcs_uploads
from smart_storages.backends.store import Attributes
from smart_storages.exceptions import (
    AccessDeniedError,
    AclNotSupportedError,
    BucketNotFoundError,
    ContentMismatchError,
    S3Error,
    ThrottledError,
    UnreachableError,
)
from smart_storages.storages import SmartS3Storage

UNIT = 262_144
ANYBODY = AnonymousCredentials()


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    query: Dict[str, str]
    headers: Any
    body: bytes


class Told(NamedTuple):
    """One answer; the connection is closed in its place if the status is 0."""

    status: int
    headers: Dict[str, str] = {}
    body: bytes = b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(parts.query))
        asked = Asked(self.command, parts.path, query, self.headers, body)
        told = self.server.answer(asked)
        if told.status == 0:
            self.close_connection = True
            return
        self.send_response(told.status)
        for name, value in {"Content-Length": str(len(told.body)), **told.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told.body)

    do_DELETE = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815 - names of the base class

    def log_message(self, *args):
        """Say nothing."""


class Script(ThreadingHTTPServer):
    """Answers with what stands in ``answers``, one after another, or what ``decide`` returns."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: List[Asked] = []
        self.answers: List[Told] = []
        self.decide: Any = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, asked):
        self.asked.append(asked)
        return self.decide(asked) if self.decide else self.answers.pop(0)

    @property
    def spans(self):
        return [each.headers.get("Content-Range") for each in self.asked if each.method == "PUT"]


@pytest.fixture(scope="module")
def script_of_module():
    script = Script()
    thread = threading.Thread(target=script.serve_forever, daemon=True)
    thread.start()
    yield script
    script.shutdown()
    script.server_close()
    thread.join()


@pytest.fixture
def script(script_of_module, monkeypatch):
    monkeypatch.setattr("smart_storages.common.on_loop.sleep", lambda seconds: None)
    script_of_module.asked, script_of_module.answers = [], []
    script_of_module.decide = None
    return script_of_module


@pytest.fixture
def store(script):
    connection = gcs_requests.connection_of({"credentials": ANYBODY}, script.url)
    return gcs.GoogleStore(connection, "acme", part=UNIT)


@pytest.fixture
def storage(script):
    return SmartS3Storage(
        "media",
        backend="gcs",
        bucket_name="acme",
        credentials=ANYBODY,
        endpoint_url=script.url,
        blob_chunk_size=UNIT,
    )


def resource(content=b"", **more):
    return Told(
        200,
        {"Content-Type": "application/json"},
        json.dumps(
            {
                "name": "in/a.bin",
                "size": str(len(content)),
                "updated": "2026-11-27T01:02:03.456Z",
                "generation": "1795741635916223",
                "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),  # noqa: S324
                **more,
            }
        ).encode(),
    )


def refusal(status, reason, message):
    each = {"domain": "global", "reason": reason, "message": message}
    said = {"error": {"code": status, "message": message, "errors": [each]}}
    return Told(status, {"Content-Type": "application/json"}, json.dumps(said).encode())


def kept(count):
    return Told(308, {"Range": f"bytes=0-{count - 1}"} if count else {})


def begun(script):
    return Told(200, {"Location": f"{script.url}/session?upload_id=1"})


def put(store, content, *, overwrite=False, attributes=None):
    chunks = (content[at : at + 100_000] for at in range(0, len(content), 100_000))
    return store.put("in/a.bin", chunks, attributes or Attributes(), overwrite=overwrite)


CHANGED = "At least one of the pre-conditions you specified did not hold."
CONTENT = bytes(range(256)) * (UNIT // 256) * 2 + b"the end"
LAST = len(CONTENT) - 1
TOTAL = len(CONTENT)


# One request


def test_a_small_file_is_one_request_with_description_and_content(script, store):
    script.answers = [resource(b"hello")]
    attributes = Attributes(
        {"content-type": "text/plain", "cache-control": "no-store"}, {"By": "ada"}, is_public=True
    )
    stat = put(store, b"hello", overwrite=True, attributes=attributes)
    (asked,) = script.asked
    assert (asked.method, asked.path) == ("POST", "/upload/storage/v1/b/acme/o")
    assert {**asked.query, "fields": ""} == {
        "uploadType": "multipart",
        "predefinedAcl": "publicRead",
        "fields": "",
    }
    kind, _, boundary = asked.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/related"
    before, described, content, after = asked.body.split(f"--{boundary}".encode())
    assert (before, after) == (b"", b"--")
    head, _, text = described.partition(b"\r\n\r\n")
    assert head == b"\r\nContent-Type: application/json; charset=UTF-8"
    assert json.loads(text) == {
        "name": "in/a.bin",
        "contentType": "text/plain",
        "cacheControl": "no-store",
        "metadata": {"by": "ada"},
        "md5Hash": "XUFAKrxLKna5cZ2REBfFkg==",
    }
    assert content == b"\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
    assert stat.etag == "5d41402abc4b2a76b9719d911017c592"


def test_a_file_that_must_not_overwrite_has_the_condition(script, store):
    script.answers = [refusal(412, "conditionNotMet", CHANGED)]
    with pytest.raises(FileExistsError):
        put(store, b"hello")
    (asked,) = script.asked
    assert asked.query["ifGenerationMatch"] == "0"


@pytest.mark.parametrize("kind", ["text/plain\r\nX: y", "text/\u00e4", "a\r\n\r\n--x"])
def test_a_type_adds_no_line_to_the_request(script, store, kind):
    script.answers = [resource(b"hello")]
    put(store, b"hello", attributes=Attributes({"content-type": kind}))
    boundary = script.asked[0].headers["Content-Type"].partition("; boundary=")[2]
    _, described, content, _ = script.asked[0].body.split(f"--{boundary}".encode())
    assert json.loads(described.partition(b"\r\n\r\n")[2])["contentType"] == kind
    assert content.count(b"\r\n") == 4
    assert content.endswith(b"\r\n\r\nhello\r\n")


# Resumable uploads


def test_a_large_file_is_a_session_that_ends_with_its_size(script, store):
    script.answers = [begun(script), kept(UNIT), kept(2 * UNIT), resource(CONTENT)]
    attributes = Attributes({"content-type": "image/png"}, {"by": "ada"})
    assert put(store, CONTENT, attributes=attributes).size == TOTAL
    begin, *parts = script.asked
    assert (begin.method, begin.path) == ("POST", "/upload/storage/v1/b/acme/o")
    assert begin.query["uploadType"] == "resumable"
    assert begin.query["name"] == "in/a.bin"
    assert begin.query["ifGenerationMatch"] == "0"
    assert begin.headers["X-Upload-Content-Type"] == "image/png"
    described = json.loads(begin.body)
    assert described["metadata"].pop("write-id")
    assert described == {
        "name": "in/a.bin",
        "contentType": "image/png",
        "metadata": {"by": "ada"},
    }
    assert {part.path for part in parts} == {"/session"}
    assert script.spans == [
        f"bytes 0-{UNIT - 1}/*",
        f"bytes {UNIT}-{2 * UNIT - 1}/*",
        f"bytes {2 * UNIT}-{LAST}/{TOTAL}",
    ]
    assert b"".join(part.body for part in parts) == CONTENT


def test_an_upload_that_overwrites_has_no_condition(script, store):
    script.answers = [begun(script), kept(UNIT), kept(2 * UNIT), resource(CONTENT)]
    put(store, CONTENT, overwrite=True)
    assert "ifGenerationMatch" not in script.asked[0].query


def test_the_condition_is_decided_at_the_end(script, store):
    script.answers = [
        begun(script),
        kept(UNIT),
        kept(2 * UNIT),
        refusal(412, "conditionNotMet", CHANGED),
    ]
    with pytest.raises(FileExistsError):
        put(store, CONTENT)
    assert len(script.asked) == 4


def test_what_was_kept_of_a_part_is_not_sent_again(script, store):
    script.answers = [
        begun(script),
        kept(UNIT),
        Told(503),
        kept(UNIT),  # nothing of it
        kept(2 * UNIT),
        Told(0),
        kept(2 * UNIT),
        resource(CONTENT),
    ]
    put(store, CONTENT)
    assert script.spans == [
        f"bytes 0-{UNIT - 1}/*",
        f"bytes {UNIT}-{2 * UNIT - 1}/*",
        "bytes */*",
        f"bytes {UNIT}-{2 * UNIT - 1}/*",
        f"bytes {2 * UNIT}-{LAST}/{TOTAL}",
        f"bytes */{TOTAL}",
        f"bytes {2 * UNIT}-{LAST}/{TOTAL}",
    ]


def test_an_upload_that_ended_unheard_is_whole(script, store):
    script.answers = [begun(script), kept(UNIT), kept(2 * UNIT), Told(0), resource(CONTENT)]
    assert put(store, CONTENT).size == TOTAL
    assert script.spans[-1] == f"bytes */{TOTAL}"


#: How much of a part the server keeps, in units, and what it answers in place of that.
MOVES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, 0, 429, 500, 503])))


@settings(max_examples=60, deadline=None)
@given(units=st.integers(1, 3), more=st.integers(1, UNIT), moves=MOVES)
def test_whatever_goes_wrong_what_is_kept_is_the_content(script_of_module, units, more, moves):
    """The server keeps as much as it likes, fails when it likes, and must end with every byte."""
    script = script_of_module
    content = (CONTENT * 2)[: units * UNIT + more]
    had = bytearray()
    moves = list(moves)
    wrong = []
    #: What the client was told last, and for how many requests it has heard of nothing new.
    heard, quiet, longest = 0, 0, 0

    def decide(asked):
        nonlocal heard, quiet, longest
        if asked.method != "PUT":
            return begun(script) if asked.method == "POST" else Told(499)
        span, _, total = asked.headers["Content-Range"].partition(" ")[2].partition("/")
        count, status = moves.pop(0) if moves else (2, None)
        if span != "*":
            if int(span.partition("-")[0]) != len(had):
                wrong.append((span, len(had)))
            # It keeps whole units only, unless it keeps everything.
            had.extend(asked.body if count == 2 else asked.body[: count * UNIT])
        is_news = status is None and len(had) > heard
        quiet = 0 if is_news else quiet + 1
        longest = max(longest, quiet)
        if status is not None:
            return Told(status)
        heard = len(had)
        return resource(bytes(had)) if str(heard) == total else kept(heard)

    script.decide = decide
    connection = gcs_requests.connection_of({"credentials": ANYBODY}, script.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smart_storages.common.on_loop.sleep", lambda seconds: None)
        try:
            gcs_uploads.upload(
                connection, "acme", {"name": "in/a.bin"}, iter([content]), query={}, part=UNIT
            )
        except S3Error:
            assert longest >= gcs_requests.TRIES
        else:
            assert bytes(had) == content
    assert wrong == []


def test_a_session_that_is_gone_is_told_and_forgotten(script, store):
    script.answers = [begun(script), kept(UNIT), Told(410), Told(499)]
    with pytest.raises(S3Error, match="ended the upload before its end") as caught:
        put(store, CONTENT)
    assert caught.value.code == "UploadGone"
    assert script.asked[-1].method == "DELETE"


def test_content_that_fails_ends_the_session(script, store):
    def broken():
        yield CONTENT[: 2 * UNIT]
        raise ZeroDivisionError

    script.answers = [begun(script), kept(UNIT), Told(499)]
    with pytest.raises(ZeroDivisionError):
        store.put("in/a.bin", broken(), Attributes(), overwrite=False)
    assert (script.asked[-1].method, script.asked[-1].path) == ("DELETE", "/session")


def test_a_service_that_keeps_nothing_is_not_asked_for_ever(script, store):
    script.decide = lambda asked: begun(script) if asked.method == "POST" else kept(0)
    with pytest.raises(S3Error, match="takes no more of the upload"):
        put(store, CONTENT)
    assert len(script.asked) == 1 + gcs_requests.TRIES + 1  # the last one ends the session


def test_a_service_that_lost_what_it_had_kept_is_an_error(script, store):
    script.answers = [begun(script), kept(UNIT), kept(0), Told(499)]
    with pytest.raises(S3Error, match="lost a part of the upload"):
        put(store, CONTENT)


def test_an_upload_that_fails_for_good_says_so(script, store):
    def decide(asked):
        return begun(script) if asked.method == "POST" else Told(0)

    script.decide = decide
    with pytest.raises(UnreachableError):
        put(store, CONTENT)


def test_other_bytes_than_were_sent_are_deleted_and_told(script, store):
    other = resource(CONTENT[::-1])
    script.answers = [begun(script), kept(UNIT), kept(2 * UNIT), other, Told(204)]
    with pytest.raises(ContentMismatchError, match="kept other bytes"):
        put(store, CONTENT)
    deleted = script.asked[-1]
    assert deleted.method == "DELETE"
    assert deleted.query == {"generation": "1795741635916223"}


def test_a_conflict_after_a_lost_answer_may_be_the_own_file(script, store):
    token = {}

    def decide(asked):
        if asked.method == "GET":
            return resource(b"hello", metadata={"write-id": token.get("theirs", token["ours"])})
        described = asked.body.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
        token["ours"] = json.loads(described)["metadata"]["write-id"]
        return Told(0) if len(script.asked) == 1 else refusal(412, "conditionNotMet", CHANGED)

    script.decide = decide
    assert put(store, b"hello").metadata == {}
    token["theirs"] = "another"
    script.asked.clear()
    with pytest.raises(FileExistsError):
        put(store, b"hello")


# Reading


def media(content, *, at=0, total=None, **more):
    end = at + len(content) - 1
    total = len(content) if total is None else total
    return Told(
        206,
        {
            "Content-Range": f"bytes {at}-{end}/{total}",
            "Last-Modified": "Fri, 27 Nov 2026 01:02:03 GMT",
            "x-goog-generation": "7",
            "x-goog-stored-content-encoding": "identity",
            "x-goog-stored-content-length": str(total),
            **more,
        },
        content,
    )


def test_a_file_is_opened_by_one_request_and_read_on_by_its_generation(script, storage):
    size = 6 * 1024**2
    first, rest = b"1" * 4 * 1024**2, b"2" * 2 * 1024**2
    script.answers = [
        media(first, total=size, **{"x-goog-meta-by": "ada", "Content-Type": "text/css"}),
        media(rest, at=len(first), total=size),
    ]
    with storage.open("a b/\u00e4.css") as file:
        assert file.read() == first + rest
    opened, read_on = script.asked
    assert opened.path == "/download/storage/v1/b/acme/o/a%20b%2F%C3%A4.css"
    assert opened.query == {"alt": "media"}
    assert opened.headers["Range"] == "bytes=0-4194303"
    assert opened.headers["Accept-Encoding"] == "gzip"
    assert read_on.query == {"alt": "media", "generation": "7"}
    assert read_on.headers["Range"] == "bytes=4194304-6291455"


def test_an_object_that_was_composed_of_others_is_known_by_its_generation(script, store):
    script.answers = [media(b"hello", **{"x-goog-hash": "crc32c=mnG7TA=="}), resource(b"hello")]
    del json.loads(script.answers[1].body)["md5Hash"]
    script.answers[1] = resource(b"hello", md5Hash=None, generation="7")
    _, found = store.open("a")
    assert found.stat.etag == store.find("a").stat.etag == "7"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Encoding": "gzip"}, 206),
        ({"x-goog-stored-content-encoding": "gzip"}, 200),
    ],
)
def test_what_was_compressed_on_the_way_is_an_error_and_not_a_file(
    script, storage, headers, status
):
    told = media(b"hello", **{"Content-Encoding": "identity", **headers})
    script.answers = [told._replace(status=status)]
    with pytest.raises(S3Error, match="otherwise than it is stored"):
        storage.open("a.txt")


# Errors


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (403, "forbidden", "ada@example.com does not have storage.objects.get", AccessDeniedError),
        (404, "notFound", "The specified bucket does not exist.", BucketNotFoundError),
        (404, "notFound", "No such object: acme/a.txt", FileNotFoundError),
        (429, "rateLimitExceeded", "The rate of change is too high.", ThrottledError),
        (503, "backendError", "Backend Error", ThrottledError),
        (
            400,
            "invalid",
            "Cannot insert legacy ACL for an object when uniform bucket-level access is enabled.",
            AclNotSupportedError,
        ),
        (400, "invalidParameter", "Invalid unsigned integer value", S3Error),
    ],
)
def test_an_answer_becomes_the_error_that_it_is_in_s3(
    script, storage, *, status, reason, message, kind
):
    script.decide = lambda asked: refusal(status, reason, message)
    with pytest.raises(kind) as caught:
        storage.size("a.txt")
    assert "ada@example.com" not in str(caught.value)
    assert caught.value.module == "media"
    if status != 404:
        assert caught.value.status == status
        assert caught.value.code == reason
    assert len(script.asked) == (gcs_requests.TRIES if status in {429, 503} else 1)


def test_a_bucket_that_is_missing_is_told_by_a_download_too(script, storage):
    script.answers = [Told(404, {}, b"The specified bucket does not exist.")]
    with pytest.raises(BucketNotFoundError):
        storage.open("a.txt")


PAGE = b"<html>Log in to the network</html>"


@pytest.mark.parametrize(
    "told",
    [
        Told(200, {}, PAGE),
        Told(206, {}, PAGE),
        Told(404, {}, PAGE),
        Told(412, {}, PAGE),
        Told(200, {}, b"[]"),
    ],
    ids=["page", "part", "missing", "condition", "list"],
)
def test_what_is_no_answer_of_google_is_neither_a_file_nor_a_missing_one(script, storage, told):
    storage.file_overwrite = False
    uses = (
        lambda: storage.exists("a.txt"),
        lambda: storage.open("a.txt").read(),
        lambda: storage.listdir(""),
        lambda: storage.save("a.txt", ContentFile(b"hello")),
        lambda: storage.save("a.txt", ContentFile(CONTENT)),
        lambda: storage.delete("a.txt"),
    )[: 6 if told.body == PAGE else 5]
    for number, use in enumerate(uses):
        script.decide = lambda asked: told
        with pytest.raises(S3Error, match=r"was not Google|refused the request") as caught:
            use()
        assert caught.value.module == "media", number
        assert not isinstance(caught.value, FileNotFoundError), number


def _part(span, body, generation="7"):
    headers = {
        "Content-Range": f"bytes {span}",
        "x-goog-generation": generation,
        "Last-Modified": "Fri, 27 Nov 2026 01:02:03 GMT",
    }
    return Told(206, headers, body)


@pytest.mark.parametrize(
    "second",
    [
        _part("0-2/6291456", b"abc"),
        _part("4194304-4194306/6291456", b"abc"),
        Told(206, {}, b"abc"),
    ],
    ids=["another", "less", "unknown"],
)
def test_a_part_of_a_file_is_the_one_that_was_asked_for(script, storage, second):
    script.answers = [_part("0-4194303/6291456", bytes(4194304)), second]
    with storage.open("a.bin") as file, pytest.raises(S3Error, match="was not Google"):
        file.read()


def test_a_file_that_does_not_begin_at_its_beginning_is_refused(script, storage):
    script.answers = [_part("5-9/10", b"56789")]
    with pytest.raises(S3Error, match="was not Google"):
        storage.open("a.bin").read()


def test_a_name_that_was_taken_and_is_free_again_is_no_missing_file(script, storage):
    storage.file_overwrite = False
    taken = refusal(412, "conditionNotMet", CHANGED)
    gone = refusal(404, "notFound", "No such object: acme/a.txt")
    script.answers = [Told(503), taken, gone, resource(b"hello")]
    assert storage.save("a.txt", ContentFile(b"hello")) != "a.txt"


def test_a_delete_says_which_object_and_a_missing_one_is_no_error(script, storage):
    script.answers = [refusal(404, "notFound", "No such object: acme/a.txt")]
    storage.delete("a.txt")
    assert (script.asked[0].method, script.asked[0].path) == (
        "DELETE",
        "/storage/v1/b/acme/o/a.txt",
    )


def test_a_listing_asks_for_one_page_after_another(script, storage):
    pages = [
        {"items": [{"name": "a", **_entry()}], "prefixes": ["b/"], "nextPageToken": "t"},
        {"items": [{"name": "c", **_entry()}], "prefixes": ["b/", "d/"]},
    ]
    script.answers = [Told(200, {}, json.dumps(page).encode()) for page in pages]
    assert storage.listdir("") == (["b", "d"], ["a", "c"])
    assert [each.query.get("pageToken") for each in script.asked] == [None, "t"]
    assert {each.query["delimiter"] for each in script.asked} == {"/"}


def _entry():
    return {"size": "1", "updated": "2026-11-27T01:02:03Z", "generation": "7"}


def test_a_file_is_saved_by_a_storage_under_a_free_name(script, storage):
    storage.file_overwrite = False
    script.answers = [refusal(412, "conditionNotMet", CHANGED), resource(b"hello")]
    assert storage.save("a.txt", ContentFile(b"hello")) != "a.txt"
    assert [each.query["ifGenerationMatch"] for each in script.asked] == ["0", "0"]
