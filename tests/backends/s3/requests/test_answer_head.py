"""Status line and headers of an answer, held equal to what http.client reads."""

from __future__ import annotations

import io
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.s3.requests.answer_head import PlainResponse


class Sock:
    """A socket from which a text can be read."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._text))  # type: ignore[arg-type]


def read(text: bytes, method: str = "GET", kind: Any = PlainResponse) -> Any:
    response = kind(Sock(text), method=method)
    response.begin()
    return response


names = st.sampled_from(["ETag", "x-amz-request-id", "X-Amz-Meta-Name", "date", "Server"])
values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, blacklist_characters="\x7f\x85\xa0")
)
connections = st.sampled_from(["", "Connection: close\r\n", "Connection: Keep-Alive\r\n"])
lengths = st.sampled_from(
    ["", "Content-Length: 5\r\n", "Content-Length: x\r\n", "content-length: -1\r\n"]
)


@given(
    status=st.sampled_from([200, 204, 206, 301, 304, 403, 404, 500]),
    pairs=st.dictionaries(names, values.map(str.strip)),
    connection=connections,
    length=lengths,
    chunked=st.booleans(),
    method=st.sampled_from(["GET", "HEAD", "PUT"]),
    interim=st.booleans(),
    newline=st.sampled_from(["\r\n", "\n"]),
)
def test_an_answer_is_read_as_http_client_reads_it(
    *,
    status: int,
    pairs: Any,
    connection: str,
    length: str,
    chunked: bool,
    method: str,
    interim: bool,
    newline: str,
) -> None:
    text = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" if interim else ""
    text += f"HTTP/1.1 {status} Some reason\r\n{connection}{length}"
    text += "".join(f"{name}: {value}\r\n" for name, value in pairs.items())
    if chunked:
        text += "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    else:
        text += "\r\nhello"
    raw = text.replace("\r\n", newline).encode("latin-1") if not chunked else text.encode("latin-1")
    ours, theirs = read(raw, method), read(raw, method, HTTPResponse)
    for name in ("status", "reason", "length", "chunked", "will_close"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.headers == {name.lower(): value for name, value in theirs.getheaders()}
    assert ours.read() == theirs.read()


def test_an_answer_of_http_1_0_ends_with_its_connection() -> None:
    response = read(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    assert response.will_close
    assert response.read() == b"hello"


def test_a_header_that_goes_on_in_the_next_line_is_one_header() -> None:
    assert read(b"HTTP/1.1 200 OK\r\nETag: a\r\n  b\r\n\r\n").headers == {"etag": "a b"}


def test_a_connection_that_ends_without_an_answer_is_told_from_a_broken_one() -> None:
    with pytest.raises(RemoteDisconnected):
        read(b"")


@pytest.mark.parametrize(
    "text",
    [
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nETag: a",
        b"HTTP/1.1 200 OK\r\nETag a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nETag : a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: first\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_an_answer_is_an_error_and_nothing_is_guessed(text: bytes) -> None:
    with pytest.raises(HTTPException):
        read(text)
