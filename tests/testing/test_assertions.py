"""The assertions say what is there instead of what was expected."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from smart_storages.testing import (
    assert_not_saved,
    assert_saved,
    assert_url_not_signed,
    assert_url_signed,
    override_buckets,
)
from smart_storages.utils import get_storage


@pytest.fixture(autouse=True)
def media():
    with override_buckets(buckets={"media": {}}):
        storage = get_storage("media")
        storage.save("docs/a.txt", ContentFile(b"hello"))
        yield storage


def test_what_was_saved_is_found(media, tmp_path):
    assert_saved("media", "docs/a.txt")
    assert_saved(media, "docs/a.txt", b"hello", content_type="text/plain")
    assert_saved(media, "docs/a.txt", "hello")
    disk = FileSystemStorage(str(tmp_path))
    assert_not_saved(disk)
    disk.save("b/c.txt", ContentFile(b"x"))
    assert_saved(disk, "b/c.txt", b"x")
    with pytest.raises(AssertionError, match=r"It has: 'b/c.txt'\."):
        assert_saved(disk, "c.txt")


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (["a.txt"], {}, r"'a.txt' was not saved in 'media'. It has: 'docs/a.txt'\."),
        (["docs/a.txt", b"hallo!"], {}, r"has 5 bytes, b'hello', and not 6, b'hallo!'\."),
        (["docs/a.txt", b"x" * 300], {}, r"and not 300, b'x{200}'\.\.\.\."),
        (["docs/a.txt"], {"content_type": "text/css"}, "type 'text/plain', and not 'text/css'"),
    ],
)
def test_a_difference_is_told(arguments, options, match):
    with pytest.raises(AssertionError, match=match):
        assert_saved("media", *arguments, **options)


def test_what_was_not_saved_is_not_found(media):
    assert_not_saved("media", "other.txt")
    with pytest.raises(AssertionError, match=r"'docs/a.txt' was saved in 'media', with 5 bytes"):
        assert_not_saved("media", "docs/a.txt")
    with pytest.raises(AssertionError, match=r"Something was saved .* It has: 'docs/a.txt'"):
        assert_not_saved("media")
    media.delete("docs/a.txt")
    assert_not_saved("media")
    with pytest.raises(AssertionError, match="It has no files"):
        assert_saved("media", "docs/a.txt")


def test_of_many_files_some_are_listed(media):
    media.save_many((f"{n:02}.txt", ContentFile(b"x")) for n in range(30))
    with pytest.raises(AssertionError, match=r"'00.txt', .*'19.txt', and 11 more\."):
        assert_saved("media", "missing.txt")


SIGNED = [
    "https://acme.s3.amazonaws.com/a.txt?X-Amz-Algorithm=AWS4&X-Amz-Signature=0a1b",
    "https://cdn.example.com/a.txt?Expires=1&Signature=abc&Key-Pair-Id=K",
    "/buckets/acme/a.txt?expires=1&signature=abc",
]
UNSIGNED = [
    "https://acme.s3.amazonaws.com/a.txt",
    "/buckets/acme/signature.txt?v=1",
    "/a.txt?signature=",
]


def test_a_signature_is_recognised(media):
    for url in (*SIGNED, media.url("docs/a.txt")):
        assert_url_signed(url)
        with pytest.raises(AssertionError, match="is signed") as caught:
            assert_url_not_signed(url)
        assert "abc" not in str(caught.value)
    for url in UNSIGNED:
        assert_url_not_signed(url)
        with pytest.raises(AssertionError, match="is not signed"):
            assert_url_signed(url)
