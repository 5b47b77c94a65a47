"""Content on its way: whatever it gives at a time, every byte arrives once and in order."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.s3.requests.bodies import FileSlice
from smart_storages.backends.s3.writing import source as module
from smart_storages.backends.s3.writing.source import Source, part_size_of_file, read_exactly


class Dripping:
    """A stream that gives a few bytes at a time, as a socket does."""

    def __init__(self, content, sizes, seekable=False):
        self._file = io.BytesIO(content)
        self._sizes = sizes
        self._calls = 0
        self._seekable = seekable

    def read(self, size):
        self._calls += 1
        return self._file.read(min(size, self._sizes[self._calls % len(self._sizes)]))

    def seekable(self):
        return self._seekable

    def tell(self):
        return self._file.tell()

    def seek(self, position):
        self._file.seek(position)


drips = st.lists(st.integers(1, 70), min_size=1, max_size=5)


@given(st.binary(max_size=300), drips, st.integers(0, 200))
def test_read_exactly_gives_less_only_at_the_end(content, sizes, wanted):
    stream = Dripping(content, sizes)
    assert read_exactly(stream, wanted) == content[:wanted]
    assert read_exactly(stream, 1000) == content[wanted:]


@given(
    content=st.binary(max_size=400),
    sizes=drips,
    limit=st.integers(1, 150),
    part=st.integers(1, 120),
    seekable=st.booleans(),
    in_memory=st.sampled_from([0, 10**9]),
)
def test_every_byte_comes_once_and_again_when_asked_again(
    *, content, sizes, limit, part, seekable, in_memory
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MIN_PART", 1)
        patch.setattr(module, "_PARTS_BEFORE_GROWTH", 3)
        patch.setattr(module, "_IN_MEMORY", in_memory)
        source = Source(Dripping(content, sizes, seekable), limit)
        assert source.is_whole is (len(content) <= limit)
        if source.is_whole:
            head = source.head if isinstance(source.head, bytes) else source.head.read()
            assert head == content
        else:
            for _ in range(2):
                parts = list(source.parts(part, repeatable=True))
                assert b"".join(parts) == content
                assert all(len(one) >= part for one in parts[:-1])
        source.close()


def test_parts_grow_so_that_ten_thousand_are_enough(monkeypatch):
    monkeypatch.setattr(module, "MIN_PART", 1)
    monkeypatch.setattr(module, "_PARTS_BEFORE_GROWTH", 2)
    source = Source(io.BytesIO(bytes(20)), limit=1)
    assert [len(part) for part in source.parts(1, repeatable=False)] == [1, 1, 2, 2, 4, 4, 6]


@given(start=st.integers(0, 300), part=st.integers(1, 120), limit=st.integers(0, 400))
def test_a_file_on_disk_is_sent_from_there_part_by_part(tmp_path_factory, start, part, limit):
    content = bytes(range(256)) + bytes(44)
    path = tmp_path_factory.getbasetemp() / "source.bin"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch, path.open("rb") as file:
        patch.setattr(module, "MIN_PART", 1)
        patch.setattr(module, "_IN_MEMORY", 0)
        file.seek(start)
        source = Source(file, limit)
        assert source.is_whole is (len(content) - start <= limit)
        assert source.is_on_disk is (start < len(content))
        assert file.read() == b""
        if source.is_on_disk:
            assert source.head.read() == content[start:]
            for _ in range(2):
                parts = list(source.parts(part, repeatable=False))
                assert {type(one) for one in parts} == {FileSlice}
                assert b"".join(one.read() for one in parts) == content[start:]
        source.close()
        assert not file.closed


@given(st.integers(1, 5 * 1024**4), st.integers(1, 1024**3))
def test_a_file_on_disk_has_parts_that_s3_takes(size, chosen):
    step = part_size_of_file(size, chosen)
    assert step >= max(chosen, module.MIN_PART)
    assert -(-size // step) <= 10_000
    assert step <= max(chosen, 64 * 1024**2, -(-size // 10_000))
