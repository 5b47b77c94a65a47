"""A stream that knows where it is behaves as one in memory."""

from __future__ import annotations

import io
from typing import List, Tuple

from hypothesis import given
from hypothesis import strategies as st

from smart_storages.common.positions import PositionedReader


@given(
    st.integers(0, 100),
    st.lists(st.tuples(st.integers(-150, 150), st.sampled_from([0, 1, 2])), max_size=10),
)
def test_it_is_where_a_stream_in_memory_is(size: int, moves: List[Tuple[int, int]]) -> None:
    ours, memory = PositionedReader(size), io.BytesIO(b"x" * size)
    for offset, whence in moves:
        if whence == io.SEEK_SET and offset < 0:
            continue  # memory refuses that; before the beginning is the beginning here
        assert ours.seek(offset, whence) == memory.seek(offset, whence)
        assert ours.tell() == memory.tell()
    assert ours.readable()
    assert ours.seekable()
