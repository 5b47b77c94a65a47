"""Brotli as a stream, and what is said where the package is missing."""

import io

import brotli
import pytest

from smart_storages.common import brotli_streams
from smart_storages.common.brotli_streams import BrotliCompressed, BrotliDecompressed
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import SmartS3Storage

TEXT = b"".join(b"line %d\n" % number for number in range(300_000))


def test_what_was_compressed_piece_by_piece_is_read_piece_by_piece() -> None:
    compressed = BrotliCompressed(io.BytesIO(TEXT[:100_000]))
    packed = b"".join(iter(lambda: compressed.read(777), b""))
    assert brotli.decompress(packed) == TEXT[:100_000]
    assert BrotliCompressed(io.BytesIO(b"")).read() == brotli.compress(b"")
    packed = brotli.compress(TEXT, quality=1)
    stream = io.BufferedReader(BrotliDecompressed(io.BytesIO(packed)))
    assert stream.readline() == b"line 0\n"
    assert b"line 0\n" + stream.read() == TEXT
    raw = io.BytesIO(packed)
    BrotliDecompressed(raw).close()
    assert raw.closed


def test_a_stream_that_is_cut_or_no_brotli_is_an_error() -> None:
    packed = brotli.compress(TEXT, quality=1)
    with pytest.raises(OSError, match="ends too early"):
        io.BufferedReader(BrotliDecompressed(io.BytesIO(packed[:-5]))).read()
    with pytest.raises(OSError, match="not compressed with Brotli"):
        io.BufferedReader(BrotliDecompressed(io.BytesIO(b"\xff" * 100))).read()


def test_without_the_package_the_option_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(brotli_streams, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"django-smart-storages\[brotli\]"):
        SmartS3Storage("static", bucket_name="acme", brotli=True)
    assert SmartS3Storage("static", bucket_name="acme").get_key("a.txt") == "a.txt"
