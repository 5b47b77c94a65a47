"""What a file is, by its first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import wave
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import features

from smart_storages.uploads.content_types import allows, detect, is_disguised, type_of_name
from tests.uploads.conftest import MP4, picture


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return made.getvalue()


def tarred() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.add(__file__, "a.py")
    return made.getvalue()


def sound() -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(100))
    return made.getvalue()


REAL = {
    "a.jpg": picture("JPEG"),
    "a.png": picture("PNG"),
    "a.gif": picture("GIF"),
    "a.webp": picture("WEBP"),
    "a.bmp": picture("BMP"),
    "a.tiff": picture("TIFF"),
    "a.ico": picture("ICO"),
    "a.pdf": picture("PDF"),
    "b.pdf": b"%PDF-1.4\n1 0 obj\n",
    "a.zip": zipped("a.txt"),
    "empty.zip": zipped(),
    "a.docx": zipped("[Content_Types].xml", "word/document.xml"),
    "a.xlsx": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "a.pptx": zipped("[Content_Types].xml", "ppt/presentation.xml"),
    "a.odt": zipped("mimetype", "content.xml"),
    "a.epub": zipped("mimetype"),
    "a.gz": gzip.compress(b"content"),
    "a.csv.gz": gzip.compress(b"content"),
    "a.bz2": bz2.compress(b"content"),
    "a.xz": lzma.compress(b"content"),
    "a.tar": tarred(),
    "a.wav": sound(),
    "a.mp4": MP4 + bytes(100),
    "a.m4a": b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100),
    "a.mov": b"\0\0\0\x14ftypqt  \0\0\0\0" + bytes(100),
    "old.mov": b"\0\0\0\x08wide\0\0\1\0mdat" + bytes(100),
    "a.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
    "a.avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(100),
    "a.webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1" + bytes(100),
    "a.mkv": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1" + bytes(100),
    "a.ogg": b"OggS\0\2" + bytes(100),
    "a.flac": b"fLaC\0\0\0\x22" + bytes(100),
    "a.mp3": b"ID3\4\0\0" + bytes(100),
    "b.mp3": b"\xff\xfb\x90\x64" + bytes(100),
    "a.aac": b"\xff\xf1\x50\x80" + bytes(100),
    "a.mpeg": b"\0\0\1\xba" + bytes(100),
    "a.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100),
    "a.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100),
    "a.rtf": b"{\\rtf1\\ansi",
    "a.svg": b"<?xml version='1.0'?>\n<!-- a --><svg xmlns='http://www.w3.org/2000/svg'/>",
    "a.html": b"<!doctype html><title>a</title>",
    "a.xml": b"<?xml version='1.0'?><a/>",
    "a.txt": "Grüße\n".encode(),
    "utf16.txt": "Grüße".encode("utf-16"),
    "latin.txt": "Grüße".encode("latin-1"),
    "bmw.txt": b"BMW and MZ, ID3",
    "a.csv": b"a;b\n1;2\n",
    "a.json": b'{"a": "<b>"}',
    "a.md": b"# <b>bold</b>",
    "a.py": Path(__file__).read_bytes(),
    "a.sh": b"#!/bin/sh\n",
    "a.unknown": b"\x7fELF" + bytes(10),
    "a.exe": b"MZ\x90\0\3\0",
    "a.class": b"\xca\xfe\xba\xbe\0\0",
    "a.ai": b"%PDF-1.5\n",
    "padded.mp3": bytes(100),
    "rf64.wav": b"RF64\xff\xff\xff\xffWAVEds64" + bytes(100),
    "dos.txt": b"text\r\n\x1a",
    "a.psd": b"8BPS\0\1" + bytes(10),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_what_its_name_says(name: str) -> None:
    assert not is_disguised(type_of_name(name), REAL[name]), detect(REAL[name])


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow makes no AVIF")
def test_a_real_avif_is_what_its_name_says() -> None:
    assert not is_disguised("image/avif", picture("AVIF"))


KINDS = {name: detect(content) for name, content in REAL.items()}


@pytest.mark.parametrize(
    "name",
    [
        each
        for each in REAL
        if type_of_name(each).startswith(("image/", "video/")) and each != "a.psd"
    ],
)
def test_an_image_or_a_film_is_nothing_else(name: str) -> None:
    kind = type_of_name(name)
    for other, content in REAL.items():
        same = type_of_name(other) == kind or KINDS[other] == KINDS[name]
        ours = {KINDS[name], KINDS[other]} <= {"heif", "avif"} or (
            kind.endswith(("icon", "x-icon")) and KINDS[other] == "png"
        )
        plays = KINDS[other] is None and not kind.startswith("image/")
        assert is_disguised(kind, content) or same or ours or plays, other


ATTACKS = [
    b"<html>", b"<HTML>", b"<!DOCTYPE html>", b" \n\t<script>alert(1)</script>", b"<svg/>",
    b"\xef\xbb\xbf<svg onload=alert(1)>", b"<x:svg xmlns:x='http://www.w3.org/2000/svg'/>",
    "<html><script>".encode("utf-16"), "\ufeff<svg onload='x'/>".encode("utf-16-be"),
    b"<?xml version='1.0'?><svg/>", b"<!-- comment --><html>", b"<html>\0<script>",
    b"\0\1<svg/>\x7f", "<script>".encode("utf-16-le"), b"GIF89a/*<script>*/=1",
    b"\xff\xd8<html>", b"#!/bin/sh", b"MZ" + bytes(60), b"", b"text",
]  # fmt: skip


@pytest.mark.parametrize("content", ATTACKS, ids=repr)
@pytest.mark.parametrize(
    "kind", ["image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4", "application/pdf"]
)
def test_what_a_browser_could_run_is_no_image(kind: str, content: bytes) -> None:
    assert is_disguised(kind, content)


@pytest.mark.parametrize("content", ATTACKS[:14], ids=repr)
def test_a_type_without_a_signature_is_not_html(content: bytes) -> None:
    assert is_disguised("image/x-unknown", content)


@given(st.binary(max_size=600), st.sampled_from(sorted({type_of_name(name) for name in REAL})))
@example(b"\xff", "image/png")
def test_any_content_gets_an_answer(content: bytes, kind: str) -> None:
    assert detect(content) is None or isinstance(detect(content), str)
    assert isinstance(is_disguised(kind, content), bool)


@given(st.binary(max_size=100))
def test_markup_at_the_start_is_never_an_image(rest: bytes) -> None:
    for kind in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        assert is_disguised(kind, b"<script>" + rest)


def test_which_names_are_allowed() -> None:
    def some(*types: str) -> Any:
        names = ("a.PNG", "a.svg", "a.pdf", "a.tar.gz", "a")
        return [name for name in names if allows(types, name)]

    assert some("image/*") == ["a.PNG"]
    assert some("image/*", "image/svg+xml") == ["a.PNG", "a.svg"]
    assert some(".pdf", ".tar.gz") == ["a.pdf", "a.tar.gz"]
    assert some("application/gzip") == ["a.tar.gz"]
    assert allows(None, "a")


@pytest.mark.parametrize("name", ["data:,a.html", "ab:a.png?b.html", "ab:a.png#b.html", "?.html"])
def test_a_name_is_no_url(name: str) -> None:
    # What `mimetypes` takes for one is text/plain or image/png to it.
    assert type_of_name(name) == "text/html"
    assert not allows(["image/*", "text/plain"], name)


def test_the_types_do_not_depend_on_the_host() -> None:
    # Python reads the operating system's table too, which may be missing.
    assert type_of_name("a.webp") == "image/webp"
    assert type_of_name("a.mkv") == "video/x-matroska"
    assert sys.version_info >= (3, 8)
