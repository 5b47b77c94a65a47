"""What a request carries: a slice of a file is the same bytes, however many threads send it."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import InMemoryUploadedFile, TemporaryUploadedFile
from hypothesis import given
from hypothesis import strategies as st
from storages.utils import ReadBytesWrapper

from smart_storages.backends.s3.requests.bodies import (
    FileSlice,
    find_file,
    pieces_of,
    send_body,
    size_of,
)

CONTENT = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("bodies") / "content.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def descriptor(path: Path) -> Iterator[int]:
    with path.open("rb") as file:
        yield file.fileno()


def receive_while(send: Any) -> bytes:
    """Return what arrives at the other end of a connection while ``send`` sends."""
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    ours.settimeout(5)
    arrived = bytearray()

    def receive() -> None:
        for piece in iter(lambda: theirs.recv(65536), b""):
            arrived.extend(piece)

    reader = threading.Thread(target=receive)
    reader.start()
    try:
        send(ours)
    finally:
        ours.close()
        reader.join()
        theirs.close()
        listener.close()
    return bytes(arrived)


class TestFileSlice:
    @given(
        start=st.integers(0, len(CONTENT)),
        size=st.integers(0, len(CONTENT)),
        moves=st.lists(
            st.one_of(
                st.tuples(st.just("read"), st.integers(-1, 2000)),
                st.tuples(st.just("seek"), st.integers(0, len(CONTENT))),
            ),
            max_size=8,
        ),
    )
    def test_it_reads_as_a_file_of_those_bytes_does(
        self, path: Path, start: int, size: int, moves: Any
    ) -> None:
        expected = io.BytesIO(CONTENT[start : start + size])
        with path.open("rb") as file:
            slice_ = FileSlice(file.fileno(), start, len(expected.getvalue()))
            assert size_of(slice_) == len(expected.getvalue())
            for move, number in moves:
                assert getattr(slice_, move)(number) == getattr(expected, move)(number)
                assert slice_.tell() == expected.tell()
            assert file.tell() == 0

    def test_slices_of_one_file_are_sent_at_once_over_connections_of_their_own(
        self, descriptor: int
    ) -> None:
        steps = range(0, len(CONTENT), 300_000)
        slices = [FileSlice(descriptor, at, min(300_000, len(CONTENT) - at)) for at in steps]
        arrived = {}

        def send(number: int) -> None:
            arrived[number] = receive_while(lambda sock: send_body(sock, slices[number]))

        threads = [threading.Thread(target=send, args=[n]) for n in range(len(slices))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert b"".join(arrived[number] for number in range(len(slices))) == CONTENT

    def test_a_file_that_became_shorter_is_an_error_and_not_a_shorter_object(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "log.txt"
        path.write_bytes(bytes(1000))
        with path.open("rb") as file:
            slice_ = FileSlice(file.fileno(), 0, 2000)
            with pytest.raises(EOFError, match="became shorter"):
                receive_while(lambda sock: send_body(sock, slice_))
            with pytest.raises(EOFError, match="became shorter"):
                list(pieces_of(slice_))

    def test_a_line_that_takes_nothing_ends_in_a_timeout(self, tmp_path: Path) -> None:
        path = tmp_path / "film.bin"
        path.write_bytes(bytes(16 * 1024**2))
        listener = socket.create_server(("127.0.0.1", 0))
        with listener, socket.create_connection(listener.getsockname()) as ours:
            theirs, _ = listener.accept()
            ours.settimeout(0.1)
            with theirs, path.open("rb") as file:
                with pytest.raises(socket.timeout):
                    send_body(ours, FileSlice(file.fileno(), 0, 16 * 1024**2))


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1])
def test_every_kind_of_body_gives_all_its_bytes(path: Path, size: int) -> None:
    content = CONTENT[:size]
    with path.open("rb") as file:
        bodies = [
            content,
            bytearray(content),
            memoryview(content),
            io.BytesIO(content),
            FileSlice(file.fileno(), 0, size),
        ]
        for body in bodies:
            assert size_of(body) == size
            for _ in range(2):  # a retry begins at the beginning
                assert b"".join(bytes(piece) for piece in pieces_of(body)) == content
                assert receive_while(lambda sock, body=body: send_body(sock, body)) == content


class Reversing(File):  # type: ignore[type-arg]
    def read(self, *args: Any) -> bytes:
        return bytes(reversed(self.file.read(*args)))


class Upper(io.FileIO):
    def read(self, *args: Any) -> Any:
        return super().read(*args).upper()


class TestFindFile:
    def test_a_file_on_disk_is_found_whatever_wraps_it(self, path: Path) -> None:
        upload = TemporaryUploadedFile("a.bin", "text/plain", 5, None)
        upload.write(b"12345")  # lies in the buffer
        with path.open("rb") as plain, path.open("rb+") as both, path.open("rb", 0) as raw:
            for content, size in [
                (plain, len(CONTENT)),
                (both, len(CONTENT)),
                (raw, len(CONTENT)),
                (File(plain), len(CONTENT)),
                (ReadBytesWrapper(File(plain)), len(CONTENT)),
                (upload, 5),
                (ReadBytesWrapper(upload), 5),
            ]:
                assert find_file(content) == (content.fileno(), size), content
        upload.close()

    def test_what_reading_changes_is_not_taken_for_its_file(self, path: Path) -> None:
        with gzip.open(path.with_suffix(".gz"), "wb") as packed:
            packed.write(b"text")
        reading, writing = os.pipe()
        pipe = os.fdopen(reading, "rb")
        os.close(writing)
        spooled = tempfile.SpooledTemporaryFile(max_size=1)  # noqa: SIM115
        spooled.write(CONTENT)
        memory = InMemoryUploadedFile(io.BytesIO(b"x"), None, "a", "text/plain", 1, None)
        with gzip.open(path.with_suffix(".gz")) as unpacking, path.open("rb") as file:
            others = [
                unpacking,
                File(unpacking),
                Reversing(file),
                Upper(str(path)),
                io.BufferedReader(Upper(str(path))),
                path.open(encoding="latin-1"),
                ReadBytesWrapper(path.open(encoding="latin-1")),
                ContentFile(b"x"),
                memory,
                io.BytesIO(b"x"),
                spooled,
                pipe,
                File(None),
                object(),
            ]
            for content in others:
                assert find_file(content) is None, content
            for content in others[3:7]:
                content.close()
        pipe.close()
        spooled.close()
        assert find_file(file) is None  # closed
