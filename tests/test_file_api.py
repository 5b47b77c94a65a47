"""Django's file API over S3 beside ``FileSystemStorage``: what one does with a file, row by row.

Each row runs on both; what differs stands in `DIFFERENCES` with its reason, and in
docs/differences.md.
"""

from __future__ import annotations

import codecs
import configparser
import csv
import gzip
import hashlib
import io
import json
import pickle
import re
import shutil
import sys
import tarfile
import zipfile
from email import message_from_binary_file
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Tuple
from xml.etree import ElementTree

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.images import ImageFile, get_image_dimensions
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db.models import FileField
from django.db.models.fields.files import FieldFile
from PIL import Image

from smart_storages.common.compat import HAS_STORAGES
from smart_storages.storages import SmartS3Storage
from tests.conftest import Bucket, lead_to

TEXT = "one\ntwo\r\nthree\rfour\n\nfünf".encode()
TABLE = b'name,size\nred,1\n"light\nblue",22\n'

Row = Callable[[Any], Any]


def make_files() -> Dict[str, bytes]:
    """What is stored on both sides."""
    archive, packed, picture = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a/b.txt", TEXT)
        zipped.writestr("c.bin", bytes(range(256)) * 500)
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        about = tarfile.TarInfo("b.txt")
        about.size = len(TEXT)
        tar.addfile(about, io.BytesIO(TEXT))
    Image.new("RGB", (30, 20), "red").save(picture, "PNG")
    return {
        "t.txt": TEXT,
        "empty": b"",
        "spare": b"spare",
        "big": bytes(range(256)) * 800,
        "t.csv": TABLE,
        "t.json": b'{"a": [1, "\xc3\xbc"]}',
        "t.xml": b"<a><b>1</b></a>",
        "t.ini": b"[a]\nb = 1\n",
        "t.eml": b"Subject: hi\r\n\r\nbody\r\n",
        "t.pickle": pickle.dumps({"a": [1, 2]}),
        "t.gz": gzip.compress(TEXT, mtime=0),
        "t.zip": archive.getvalue(),
        "t.tar.gz": packed.getvalue(),
        "t.png": picture.getvalue(),
    }


# What one does


def on(name: str, do: Callable[[Any], Any], mode: str = "rb") -> Row:
    """A row that opens a file, does something with it and closes it."""

    def row(storage: Any) -> Any:
        with storage.open(name, mode) as file:
            return do(file)

    return row


def steps(*calls: Callable[[Any], Any]) -> Callable[[Any], List[Any]]:
    return lambda file: [call(file) for call in calls]


def after_close(do: Callable[[Any], Any]) -> Row:
    def row(storage: Any) -> Any:
        file = storage.open("t.txt")
        file.close()
        return do(file)

    return row


def saved(make: Callable[[Any], Any], name: Any = "new.txt") -> Row:
    """A row that saves a content and reads it back."""

    def row(storage: Any) -> Any:
        content = make(storage)
        stored = storage.save(name, content)
        content.close()
        with storage.open(stored) as file:
            back = file.read()
        storage.delete(stored)
        return re.sub(r"_\w{7}\.", "_*.", stored), back

    return row


def written(mode: str, *pieces: Any) -> Row:
    def row(storage: Any) -> Any:
        with storage.open("written.txt", mode) as file:
            counts = [file.write(piece) for piece in pieces]
        with storage.open("written.txt") as file:
            back = file.read()
        storage.delete("written.txt")
        return counts, back

    return row


def of_field(do: Callable[[Any], Any], name: str = "t.txt") -> Row:
    """A row on the ``FieldFile`` of a model's field."""

    def row(storage: Any) -> Any:
        field = FileField(storage=storage)
        field.name = field.attname = "file"
        instance = SimpleNamespace()
        file = FieldFile(instance, field, name)  # type: ignore[arg-type]
        try:
            return do(file)
        finally:
            file.close()

    return row


def fail_within(storage: Any) -> Any:
    with storage.open("broken.txt", "wb") as file:
        file.write(b"half")
        raise KeyError("on purpose")


def leave_after_failure(storage: Any) -> bool:
    with pytest.raises(KeyError):
        fail_within(storage)
    return bool(storage.exists("broken.txt"))


def temporary_upload(storage: Any) -> Any:
    upload = TemporaryUploadedFile("up.txt", "text/plain", len(TEXT), "utf-8")
    upload.write(TEXT)
    upload.seek(0)
    return upload


def half_read(storage: Any) -> Any:
    content = io.BytesIO(TEXT)
    content.read(5)
    return File(content)


def closed_by_with(storage: Any) -> Any:
    file = storage.open("t.txt")
    with file as same:
        first = file.read(3)
    return same is file, first, file.closed


def read_ini(file: Any) -> str:
    parser = configparser.ConfigParser()
    parser.read_file(file)
    return parser["a"]["b"]


def read_gzip_text(file: Any) -> Any:
    with gzip.open(file, "rt", encoding="utf-8") as text:
        return text.readlines()


def readinto(file: Any) -> Any:
    buffer = bytearray(8)
    return file.readinto(buffer), bytes(buffer)


def copy_out(file: Any) -> bytes:
    out = io.BytesIO()
    shutil.copyfileobj(file, out)
    return out.getvalue()


def digest(file: Any) -> str:
    if sys.version_info >= (3, 11):
        return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(file.read()).hexdigest()


def read_archive(file: Any) -> Any:
    with zipfile.ZipFile(file) as archive:
        return archive.namelist(), archive.read("c.bin"), archive.read("a/b.txt")


def read_tar(mode: str) -> Callable[[Any], Any]:
    def read(file: Any) -> Any:
        with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
            return [(each.name, tar.extractfile(each).read()) for each in tar]

    return read


def read_pixels(file: Any) -> Any:
    with Image.open(file) as picture:
        return picture.format, picture.size, picture.convert("RGB").getpixel((3, 3))


def read_pandas(file: Any) -> Any:
    import pandas

    return pandas.read_csv(file).to_dict("list")


def respond(storage: Any) -> Any:
    from django.http import FileResponse

    response = FileResponse(storage.open("t.txt"))
    try:
        return b"".join(response), response["Content-Type"], response.get("Content-Length")
    finally:
        response._resource_closers.clear()  # a request's end would look at the database
        response.file_to_stream.close()


def reopened_to_write(storage: Any) -> Any:
    file = storage.open("spare")
    file.close()
    with file.open("wb"):
        return file.write(b"x")


def reopen(file: Any) -> Any:
    first = file.read(3)
    same = file.open() is file
    second = file.read(3)
    file.close()
    with file.open("rb"):
        return first, same, second, file.read(3)


ROWS: Dict[str, Row] = {
    # How it is opened
    "open(name)": on("t.txt", lambda f: (f.mode, f.read())),
    "open(name, 'r')": on("t.txt", lambda f: (f.mode, f.read()), "r"),
    "open(name, 'rt')": on("t.txt", lambda f: f.read(), "rt"),
    "a missing file": lambda s: s.open("nope"),
    "a name that climbs out": lambda s: s.open("../nope"),
    "a mode that is none": lambda s: s.open("t.txt", "q"),
    "open(name, 'r+b')": on("t.txt", lambda f: f.read(3), "r+b"),
    "open(name, 'ab')": lambda s: s.open("log.txt", "ab").close(),
    "open(name, 'xb') of one that exists": lambda s: s.open("t.txt", "xb"),
    "name": on("t.txt", lambda f: f.name),
    "str": on("t.txt", str),
    "repr": on("t.txt", repr),
    "bool, len, size": on("t.txt", lambda f: (bool(f), len(f), f.size)),
    "size of an empty one": on("empty", lambda f: (bool(f), f.size, f.read())),
    "readable, writable, seekable, closed": on(
        "t.txt", lambda f: (f.readable(), f.writable(), f.seekable(), f.closed)
    ),
    "isatty": on("t.txt", lambda f: f.isatty()),
    "fileno": on("t.txt", lambda f: f.fileno() > 0),
    "pickle": on("t.txt", pickle.dumps),
    # How it is read
    "read in parts": on(
        "t.txt", steps(lambda f: f.read(3), lambda f: f.read(0), lambda f: f.read(-1))
    ),
    "read at the end": on("t.txt", lambda f: (f.read(), f.read(), f.read(3))),
    "read(None)": on("t.txt", lambda f: f.read(None)),
    "readline": on("t.txt", lambda f: (f.readline(), f.readline(2), f.readline(), f.readline())),
    "readlines": on("t.txt", lambda f: f.readlines()),
    "readlines(hint)": on("t.txt", lambda f: f.readlines(5)),
    "readinto": on("t.txt", readinto),
    "lines of bytes": on("t.txt", list),
    "lines of text": on("t.txt", list, "r"),
    "readline of text": on("t.txt", lambda f: (f.readline(), f.readline(), f.readline()), "r"),
    "readlines of text": on("t.txt", lambda f: f.readlines(), "r"),
    "read(4) of text": on("t.txt", lambda f: (f.read(4), f.read()), "r"),
    "seek and tell": on(
        "t.txt",
        steps(
            lambda f: f.seek(4),
            lambda f: f.read(3),
            lambda f: f.tell(),
            lambda f: f.seek(-3, io.SEEK_END),
            lambda f: f.read(),
            lambda f: f.seek(0),
            lambda f: f.seek(2, io.SEEK_CUR),
            lambda f: f.read(2),
            lambda f: f.seek(1000),
            lambda f: f.read(),
            lambda f: f.tell(),
        ),
    ),
    "seek before the start": on("t.txt", lambda f: f.seek(-1)),
    "seek of text": on("t.txt", lambda f: (f.read(2), f.seek(0), f.read(2)), "r"),
    "chunks": on("big", lambda f: [len(each) for each in f.chunks()]),
    "chunks(1000)": on("big", lambda f: b"".join(f.chunks(1000))),
    "chunks after a read": on("t.txt", lambda f: (f.read(3), list(f.chunks(5)))),
    "chunks of text": on("t.txt", lambda f: list(f.chunks(5)), "r"),
    "multiple_chunks": on("big", lambda f: (f.multiple_chunks(), f.multiple_chunks(9))),
    "write to one open for reading": on("t.txt", lambda f: f.write(b"x")),
    "truncate one open for reading": on("t.txt", lambda f: f.truncate(0)),
    "flush one open for reading": on("t.txt", lambda f: f.flush()),
    # How it is closed, and opened again
    "with closes": closed_by_with,
    "read when closed": after_close(lambda f: f.read()),
    "iterate when closed": after_close(list),
    "seek when closed": after_close(lambda f: f.seek(0)),
    "close twice": after_close(lambda f: (f.close(), f.closed)),
    "open again": on("t.txt", reopen),
    "open again as text, open": on("t.txt", lambda f: f.open("r").read(3)),
    "open again as text, closed": after_close(lambda f: f.open("r").read()),
    "open again in no mode, closed": after_close(lambda f: f.open("q")),
    "open again to write, closed": reopened_to_write,
    "open again to write, open": on("t.txt", lambda f: f.open("wb").read(3)),
    # Whom it is handed to
    "File(file)": on("t.txt", lambda f: (list(File(f)), File(f, "x").name, File(f).size)),
    "ContentFile of it": on("t.txt", lambda f: list(ContentFile(f.read()).chunks(7))),
    "csv of text": on("t.csv", lambda f: list(csv.reader(f)), "r"),
    "csv of TextIOWrapper": on(
        "t.csv", lambda f: list(csv.DictReader(io.TextIOWrapper(f, "utf-8", newline="")))
    ),
    "csv of codecs": on("t.csv", lambda f: list(csv.reader(codecs.getreader("utf-8")(f)))),
    "TextIOWrapper": on("t.txt", lambda f: io.TextIOWrapper(f, "utf-8").readlines()),
    "BufferedReader": on("t.txt", lambda f: io.BufferedReader(f).read(9)),
    "json": on("t.json", json.load),
    "json of text": on("t.json", json.load, "r"),
    "xml": on("t.xml", lambda f: ElementTree.parse(f).getroot()[0].text),  # noqa: S314 - ours
    "configparser": on(
        "t.ini",
        read_ini,
        "r",
    ),
    "email": on("t.eml", lambda f: message_from_binary_file(f)["Subject"]),
    "unpickle": on("t.pickle", pickle.load),
    "shutil.copyfileobj": on("big", copy_out),
    "hashlib": on("big", digest),
    "gzip": on("t.gz", lambda f: gzip.GzipFile(fileobj=f).read()),
    "gzip.open of text": on("t.gz", read_gzip_text),
    "zipfile": on("t.zip", read_archive),
    "is_zipfile": on("t.zip", zipfile.is_zipfile),
    "tarfile": on("t.tar.gz", read_tar("r:gz")),
    "tarfile, streaming": on("t.tar.gz", read_tar("r|gz")),
    "Pillow": on("t.png", read_pixels),
    "get_image_dimensions": on("t.png", get_image_dimensions),
    "ImageFile": on("t.png", lambda f: (ImageFile(f).width, ImageFile(f).height)),
    "pandas": on("t.csv", read_pandas),
    "pandas of text": on("t.csv", read_pandas, "r"),
    "FileResponse": respond,
    # How it is written
    "write bytes": written("wb", b"a\r\n", b"b"),
    "write text": written("w", "ü\n", "b"),
    "write text to bytes": written("wb", "ü"),
    "write bytes to text": written("w", b"a"),
    "write nothing to a new one": written("wb"),
    "write nothing to one that exists": lambda s: (
        s.open("t.csv", "wb").close(),
        s.open("t.csv").read(),
    ),
    "an error within": leave_after_failure,
    "read one open for writing": lambda s: s.open("w.txt", "wb").read(),
    "save bytes": saved(lambda s: ContentFile(TEXT)),
    "save text": saved(lambda s: ContentFile("zwölf")),
    "save BytesIO": saved(lambda s: io.BytesIO(TEXT)),
    "save File": saved(lambda s: File(io.BytesIO(TEXT), "b.txt"), None),
    "save one that is half read": saved(half_read),
    "save SimpleUploadedFile": saved(lambda s: SimpleUploadedFile("up.txt", TEXT)),
    "save TemporaryUploadedFile": saved(temporary_upload),
    "save a file of the storage": saved(lambda s: s.open("t.txt")),
    "save a File of a file": saved(lambda s: File(s.open("t.txt"))),
    "save a file of text": saved(lambda s: s.open("t.txt", "r")),
    "save under a name that is taken": saved(lambda s: ContentFile(b"x"), "t.json"),
    # Through a model's field
    "field: read": of_field(lambda f: (f.read(3), f.read())),
    "field: open()": of_field(lambda f: (f.open().read(3), f.open().read(3), f.closed)),
    "field: open('r')": of_field(lambda f: f.open("r").read()),
    "field: open('r') after open('rb')": of_field(
        lambda f: (f.open("rb").read(3), f.open("r").read(3))
    ),
    "field: open('r') after close": of_field(
        lambda f: (f.open("rb").read(3), f.close(), f.open("r").read(3))
    ),
    "field: with open()": of_field(lambda f: [list(each) for each in [f.open("rb")]]),
    "field: lines, chunks, size": of_field(lambda f: (list(f), list(f.chunks(9)), f.size)),
    "field: seek, readline, tell": of_field(lambda f: (f.seek(4), f.readline(), f.tell())),
    "field: Pillow": of_field(read_pixels, "t.png"),
    "field: a missing one": of_field(lambda f: f.read(), "nope"),
}

#: Rows that raise on both sides; an error anywhere else is no agreement.
RAISES = {
    "a missing file",
    "a mode that is none",
    "a name that climbs out",
    "field: a missing one",
    "iterate when closed",
    "open again in no mode, closed",
    "pickle",
    "read one open for writing",
    "read when closed",
    "seek when closed",
    "truncate one open for reading",
    "write to one open for reading",
}

_NAMES = "FileSystemStorage opens its files by their path; S3's are named as the storage names them"
_WHOLE = "an object of S3 is replaced as a whole, nothing can be added to it or changed in it"
_EITHER = "as with django-storages, either mode takes text and bytes"

#: Rows whose outcome is another one here, and why.
DIFFERENCES: Dict[str, str] = {
    "name": _NAMES,
    "str": _NAMES,
    "repr": _NAMES,
    "fileno": "there is no file on the disk",
    "seek before the start": "ValueError, as io.BytesIO raises, for the OSError of a disk",
    "open(name, 'r+b')": _WHOLE,
    "open(name, 'ab')": _WHOLE,
    "open(name, 'xb') of one that exists": _WHOLE,
    "open again to write, open": "Django stays in the old mode and fails at the first write",
    "open again to write, closed": "a file is written by its storage, which knows how to save it",
    "write text to bytes": _EITHER,
    "write bytes to text": _EITHER,
    "write nothing to one that exists": "as with django-storages, it stays as it is",
    "an error within": "a file that was written half is not published",
}
if not HAS_STORAGES:  # Django 4.2 came with both
    DIFFERENCES["FileResponse"] = "Django 3.2 gives the length of files on the disk alone"


def kind_of(error: BaseException) -> str:
    """The class of an error that a caller would catch: Python's or Django's."""
    bases = type(error).__mro__
    return next(each for each in bases if each.__module__.split(".")[0] in _CATCHABLE).__name__


_CATCHABLE = ("builtins", "django", "io", "_pickle")


def outcome_of(row: Row, storage: Any) -> Tuple[str, Any]:
    try:
        return "gives", row(storage)
    except Exception as error:
        return "raises", kind_of(error)


@pytest.fixture
def sides(
    moto_bucket: Bucket, settings: Any, tmp_path: Path
) -> Tuple[FileSystemStorage, SmartS3Storage]:
    lead_to(settings, moto_bucket.server)
    disk = FileSystemStorage(str(tmp_path), base_url="/media/")
    ours = SmartS3Storage(
        bucket_name=moto_bucket.name, provider="moto", location="media", file_overwrite=False
    )
    for name, content in make_files().items():
        (tmp_path / name).write_bytes(content)
        moto_bucket.put(f"media/{name}", content)
    return disk, ours


def test_a_file_behaves_as_djangos_own_but_for_what_is_listed(
    sides: Tuple[FileSystemStorage, SmartS3Storage], tmp_path: Path
) -> None:
    disk, ours = sides
    different, raised = {}, set()
    for name, row in ROWS.items():
        theirs = outcome_of(row, disk)
        mine = outcome_of(row, ours)
        if mine != theirs:
            different[name] = (mine, theirs)
        elif mine[0] == "raises":
            raised.add(name)
    assert {name: both for name, both in different.items() if name not in DIFFERENCES} == {}
    assert sorted(different) == sorted(DIFFERENCES)
    assert sorted(raised) == sorted(RAISES)
