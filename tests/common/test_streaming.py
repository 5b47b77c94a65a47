"""A body that is read as it is sent: closed at its end or when a client goes, and not buffered."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import Any, List

import pytest
from django.http import StreamingHttpResponse

from smart_storages.common import streaming
from smart_storages.common.compat import STREAMS_ASYNC
from smart_storages.common.streaming import AsyncChunks, Chunks, stream

CHUNK = 256 * 1024


class Watched(io.BytesIO):
    """A file that notes what is asked of it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.asked: List[int] = []

    def read(self, size: Any = -1) -> bytes:
        self.asked.append(size)
        return super().read(size)


async def _collect(chunks: Any) -> List[bytes]:
    return [chunk async for chunk in chunks]


def _read(chunks: Any) -> List[bytes]:
    if isinstance(chunks, AsyncChunks):
        return asyncio.run(_collect(chunks))
    return list(chunks)


@pytest.mark.parametrize("kind", [Chunks, AsyncChunks])
def test_a_file_is_read_in_chunks_and_closed_after_the_last(kind: Any) -> None:
    file = Watched(bytes(CHUNK + 10))
    assert list(map(len, _read(kind(file, CHUNK + 10)))) == [CHUNK, 10]
    assert file.asked == [CHUNK, 10]  # and nothing beyond the length
    assert file.closed
    file = Watched(bytes(CHUNK + 10))
    assert list(map(len, _read(kind(file, 10)))) == [10]
    assert file.closed
    file = Watched(bytes(CHUNK + 10))
    assert list(map(len, _read(kind(file, None)))) == [CHUNK, 10]
    assert file.closed
    assert _read(kind(Watched(b""), 0)) == []


@pytest.mark.parametrize("kind", [Chunks, AsyncChunks])
def test_a_file_that_ends_early_is_an_error_and_no_short_body(kind: Any) -> None:
    with pytest.raises(OSError, match="ended 5 bytes before its end"):
        _read(kind(Watched(b"12345"), 10))


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [Chunks, AsyncChunks])
def test_a_response_that_is_closed_closes_the_file(kind: Any) -> None:
    if kind is AsyncChunks and not STREAMS_ASYNC:
        pytest.skip("Django streams nothing async before 4.2.")
    file = Watched(bytes(10))
    StreamingHttpResponse(kind(file, 10)).close()
    assert file.closed
    assert file.asked == []


def test_a_close_waits_for_the_read_of_another_thread() -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            entered.set()
            assert go_on.wait(30)
            return super().read(size)  # an error, if it were closed

    file = Slow(bytes(10))
    chunks = Chunks(file, 10)
    read: List[bytes] = []
    reader = threading.Thread(target=lambda: read.append(next(chunks)))
    reader.start()
    assert entered.wait(30)
    closer = threading.Thread(target=chunks.close)
    closer.start()
    go_on.set()
    reader.join(30)
    closer.join(30)
    assert read == [bytes(10)]
    assert file.closed


def test_the_kind_of_the_request_decides(rf: Any, async_rf: Any, monkeypatch: Any) -> None:
    assert type(stream(rf.get("/"), io.BytesIO())) is Chunks
    expected = AsyncChunks if STREAMS_ASYNC else Chunks
    assert type(stream(async_rf.get("/"), io.BytesIO())) is expected
    monkeypatch.setattr(streaming, "STREAMS_ASYNC", False)
    assert type(stream(async_rf.get("/"), io.BytesIO())) is Chunks
