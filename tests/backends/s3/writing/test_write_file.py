"""How what is written is cut into parts; tests/storages/test_writing.py writes to servers."""

from __future__ import annotations

from typing import Any, List

import pytest
from boto3.s3.transfer import TransferConfig
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.s3.writing import source, write_file
from smart_storages.backends.s3.writing.write_file import S3WriteFile

GROW_AFTER = 3


class Recorder:
    """In the place of what talks to a server: keeps what it is given."""

    parts: List[bytes]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        Recorder.parts = []

    def send(self, part: bytes) -> None:
        Recorder.parts.append(part)

    def complete(self, *, overwrite: bool) -> None:
        assert overwrite


@given(
    st.lists(st.binary(max_size=40), max_size=12),
    st.integers(min_value=1, max_value=30),
    st.integers(min_value=1, max_value=30),
)
def test_every_byte_goes_out_once_in_parts_of_the_size_asked_for(
    pieces: List[bytes], threshold: int, size: int
) -> None:
    content = b"".join(pieces)
    whole: List[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "MIN_PART", 1)
        patch.setattr(source, "_PARTS_BEFORE_GROWTH", GROW_AFTER)
        patch.setattr(write_file, "MultipartUpload", Recorder)
        patch.setattr(write_file, "put_body", lambda *args, **_: whole.append(args[2]))
        transfer = TransferConfig(multipart_threshold=threshold, multipart_chunksize=size)
        target: Any = None
        file = S3WriteFile(target, "k", "k", "wb", {}, transfer=transfer)
        for piece in pieces:
            assert file.write(piece) == len(piece)
        file.close()
    if len(content) <= threshold:
        assert whole == [content]
        return
    assert whole == []
    assert b"".join(Recorder.parts) == content
    expected = [size << number // GROW_AFTER for number in range(len(Recorder.parts))]
    lengths = [len(part) for part in Recorder.parts]
    assert lengths[:-1] == expected[:-1]
    assert 0 < lengths[-1] <= expected[-1]


def test_one_of_an_impossible_mode_can_be_shown() -> None:
    target: Any = None
    with pytest.raises(ValueError, match="not possible") as caught:
        S3WriteFile(target, "k", "k", "ab", {})
    half = caught.traceback[-1].frame.f_locals["self"]
    assert repr(half) == "<S3WriteFile: 'k' open for writing>"
