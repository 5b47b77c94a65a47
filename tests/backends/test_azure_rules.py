"""Names, headers and metadata of blobs: what Azurite keeps is kept, and the rest refused."""

from __future__ import annotations

import time
import urllib.request

import pytest
from django.core.files.base import ContentFile

from smart_storages.backends.store import Attributes
from smart_storages.exceptions import S3Error
from smart_storages.storages import SmartS3Storage


@pytest.fixture
def store(options):
    return SmartS3Storage("media", **options)._store()


def put(store, key):
    store.put(key, iter([b"hello"]), Attributes(), overwrite=False)


@pytest.mark.parametrize(
    "key",
    [
        *("a//b", "/lead", "a%2eb", "%2e%2e/b", "a/", "q?x", "h#x", "p+x", "s p", " lead", "t "),
        *("~t", "'q\"", "&<>", "*", "a:b", "\u00e9", "e\u0301", "\U0001f600", ".hidden", "a..b"),
        "x" * 1024,
    ],
)
def test_a_name_is_kept_as_it_is(store, key):
    put(store, key)
    assert [found for found, _ in store.entries("")] == [key]
    content, found = store.open(key)
    assert content.read() == b"hello"
    assert found.stat.size == 5
    with urllib.request.urlopen(store.url(key, expires=int(time.time()) + 60)) as answer:
        assert answer.read() == b"hello"
    store.delete(key)
    assert list(store.entries("")) == []


@pytest.mark.parametrize(
    "key",
    [
        *("../other/x", "in/../x", "./x", "a/./b", "..", ".", "a.", "a..", "a./b", "a\\b", ""),
        *("x\ny", "x\x00", "x\x7f", "x\x81", "x\ufffe", "x\ud800"),
        ".smart-storages/uploads/x",
    ],
)
def test_a_name_that_would_become_another_one_is_refused(store, key):
    with pytest.raises(S3Error, match=r"[Nn]ame") as caught:
        put(store, key)
    assert caught.value.code == "InvalidKey"
    with pytest.raises(S3Error):
        store.url(key)
    for use in (store.find, store.open):
        with pytest.raises(FileNotFoundError):
            use(key)
    store.delete(key)
    assert list(store.entries("")) == []


def test_a_file_whose_name_ends_in_a_dot_does_not_replace_another(options):
    storage = SmartS3Storage("media", **options)
    storage.save("a", ContentFile(b"precious"))
    with pytest.raises(S3Error, match=r"'a\.' under another name.*\(module 'media'"):
        storage.save("a.", ContentFile(b"other"))
    assert not storage.exists("a.")
    assert storage.open("a").read() == b"precious"


@pytest.mark.parametrize(
    ("metadata", "match"),
    [
        ({"by-whom": "ada"}, r"letters, digits and '_' in names .* not 'by-whom'"),
        ({"a": "x\r\nx-ms-meta-b: 1"}, r"of the metadata 'a'.* not 'x\\r\\nx-ms-meta-b: 1'"),
        ({"a": "\u010d"}, "urllib.parse.quote"),
        ({"a": " x"}, "no space at either end"),
        ({"Owner": "1", "owner": "2"}, "would lose one of Owner, owner"),
    ],
)
@pytest.mark.parametrize("file_overwrite", [True, False])
def test_metadata_that_azure_does_not_take_is_told(options, metadata, match, file_overwrite):
    storage = SmartS3Storage(
        "m",
        object_parameters={"Metadata": metadata},
        file_overwrite=file_overwrite,
        **options,
    )
    with pytest.raises(S3Error, match=match):
        storage.save("a.txt", ContentFile(b"x"))
    assert not storage.exists("a.txt")


@pytest.mark.parametrize("metadata", [{"a": ""}, {"Owner": "Ada L."}, {"a": "x" * 8000}])
def test_other_metadata_is_kept(options, metadata):
    storage = SmartS3Storage("m", object_parameters={"Metadata": metadata}, **options)
    storage.save("a.txt", ContentFile(b"x"))
    assert storage.stat("a.txt").metadata == metadata


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ContentDisposition", "attachment; filename=\u00e9"),
        ("CacheControl", "x\r\ny: z"),
        ("ContentLanguage", "\u4e2d"),
    ],
)
def test_a_header_that_cannot_be_sent_is_told(options, name, value):
    storage = SmartS3Storage("m", object_parameters={name: value}, **options)
    with pytest.raises(S3Error, match=r"of '(content|cache)-\w+'"):
        storage.save("a.txt", ContentFile(b"x"))
