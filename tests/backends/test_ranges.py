"""A reader of ranges gives what a file of the same content gives."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.ranges import RangeReader

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 30)),
        st.tuples(st.just("seek"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("seek"), st.integers(0, 9), st.just(1)),
        st.tuples(st.just("seek"), st.integers(-5, 5), st.just(2)),
    )
)


@given(content=st.binary(max_size=20), held=st.integers(0, 20), most=st.integers(1, 8), steps=STEPS)
def test_it_reads_as_a_file_does(content, held, most, steps):
    asked = []

    def fetch(start, count):
        asked.append((start, count))
        assert 0 <= start < start + count <= len(content)
        return content[start : start + min(count, most)]  # a server may give less

    reader = RangeReader(fetch, content[:held], len(content))
    plain = io.BytesIO(content)
    for what, *arguments in steps:
        if what == "seek" and arguments[1] == 2:
            arguments[0] = max(arguments[0], -len(content))
        if what == "read" and arguments[0] >= 0:
            wanted = plain.read(*arguments)
            got = b""
            while len(got) < arguments[0]:
                piece = reader.read(arguments[0] - len(got))
                if not piece:
                    break
                got += piece
            assert got == wanted
        else:
            assert getattr(reader, what)(*arguments) == getattr(plain, what)(*arguments)
        assert reader.tell() == plain.tell()


def test_small_reads_share_a_request():
    asked = []
    content = bytes(range(100))

    def fetch(start, count):
        asked.append((start, count))
        return content[start : start + count]

    reader = RangeReader(fetch, content[:4], 100, 10)
    assert b"".join(reader.read(3) for _ in range(8)) == content[:20]
    assert asked == [(4, 10), (14, 10)]
