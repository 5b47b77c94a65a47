"""What django-storages documents of a storage and its files, done by both, side by side.

A row of ``SCENARIOS`` is done with django-storages' class and with ours, each in a bucket of its
own on a real server. What differs on purpose is in ``DIFFERENT``, and in ``docs/differences.md``.
"""

from __future__ import annotations

import ast
import copy
import inspect
import io
import pathlib
import pickle
import re
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any, Callable, Dict, List, NamedTuple, Tuple
from urllib.parse import parse_qsl, urlsplit

import pytest
import storages.backends.s3 as upstream
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.staticfiles.finders import get_finder
from django.contrib.staticfiles.management.commands import collectstatic
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone
from storages.backends.s3 import (
    S3File,
    S3ManifestStaticStorage,
    S3StaticStorage,
    S3Storage,
)

from smart_storages.config.spelling import KNOWN_SETTINGS
from smart_storages.storages import ManifestStaticStorage, SmartS3Storage, StaticStorage
from tests import documentation
from tests.conftest import lead_to
from tests.old_releases import needs_newer_django_storages

pytestmark = pytest.mark.documentation

TEXT = b"body { color: red }\n" * 50
PEM = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)


class Plain(S3Storage):
    """django-storages' own."""


class Smart(SmartS3Storage):
    """Ours, as a project names it that has moved in."""

    module_name = "m"


class Site(NamedTuple):
    """A storage, its bucket, and what makes another in it."""

    make: Callable[..., Any]
    server: Any
    bucket: str

    def put(self, key: str, body: bytes = b"x", **arguments: Any) -> None:
        self.server.client().put_object(Bucket=self.bucket, Key=key, Body=body, **arguments)

    def head(self, key: str) -> Dict[str, Any]:
        """What the server says of an object, without what each answer says anew."""
        names = (
            "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage",
            "ContentLength", "ContentType", "Metadata", "StorageClass",
        )  # fmt: skip
        answer = self.server.client().head_object(Bucket=self.bucket, Key=key)
        return {name: answer[name] for name in names if name in answer}

    def get(self, key: str) -> bytes:
        answer = self.server.client().get_object(Bucket=self.bucket, Key=key)
        body: bytes = answer["Body"].read()
        return body

    def found(self) -> List[str]:
        answer = self.server.client().list_objects_v2(Bucket=self.bucket)
        return [each["Key"] for each in answer.get("Contents", [])]

    def readers(self, key: str) -> Any:
        """Who may read an object besides its owner."""
        answer = self.server.client().get_object_acl(Bucket=self.bucket, Key=key)
        grants = [(g["Grantee"].get("URI", ""), g["Permission"]) for g in answer["Grants"]]
        return sorted(each for each in grants if each[0])


#: By its name: the members of a storage or of a file that a scenario is about, and the scenario.
SCENARIOS: Dict[str, Tuple[Tuple[str, ...], Callable[[Site], Any]]] = {}


def about(*members: str) -> Callable[[Callable[[Site], Any]], Callable[[Site], Any]]:
    def add(scenario: Callable[[Site], Any]) -> Callable[[Site], Any]:
        SCENARIOS[scenario.__name__] = (members, scenario)
        return scenario

    return add


def attempt(act: Callable[[], Any]) -> Any:
    """The result, or the error."""
    try:
        return act()
    except Exception as error:
        return error


def fetch(url: str, method: str = "GET", body: Any = None) -> Any:
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers["Content-Disposition"]
    except urllib.error.HTTPError as error:
        return error.code


def parts(url: str) -> Any:
    """A URL without what is of its moment and its bucket."""
    split = urlsplit(url)
    path = re.sub(r"/(bucket-\w+)/", "/BUCKET/", split.path)
    volatile = ("X-Amz-Date", "X-Amz-Signature", "X-Amz-Credential", "Signature", "Expires")
    query = {k: v for k, v in parse_qsl(split.query) if k not in volatile}
    return split.scheme, split.netloc, path, query


# Saving


@about("save")
def saving_bytes_text_and_what_cannot_be_rewound(site: Site) -> Any:
    class Once(ContentFile):
        def seekable(self) -> bool:
            return False

        def seek(self, *args: Any) -> int:
            raise io.UnsupportedOperation

    storage = site.make()
    read_half = io.BytesIO(b"0123456789")
    read_half.read(5)
    contents = {
        "bytes.bin": ContentFile(b"\x00\x01"),
        "text.txt": ContentFile("text"),
        "once.txt": Once(b"once"),
        "file.bin": File(io.BytesIO(b"file")),
        "string.txt": File(io.StringIO("string")),
        "half.bin": File(read_half),
        "empty": ContentFile(b""),
        "plain.bin": io.BytesIO(b"no file of Django's"),
    }
    names = [storage.save(name, content) for name, content in contents.items()]
    return names, {name: (site.get(name), site.head(name)) for name in site.found()}


@about("save")
def text_beyond_ascii(site: Site) -> Any:
    return attempt(lambda: site.get(site.make().save("a.txt", ContentFile("grüße"))))


@about("save")
def cleaning_of_names(site: Site) -> Any:
    storage = site.make(location="files")
    given = ("a/./b.txt", "a//c.txt", "a\\d.txt", "/e.txt", "f/../g.txt", "h i+ü.txt")
    return [attempt(lambda n=n: storage.save(n, ContentFile(b"x"))) for n in given], site.found()


@about("save", "default_content_type")
def content_types(site: Site) -> Any:
    class Odd(type(site.make())):  # type: ignore[misc]
        default_content_type = "application/x-odd"

    storage, odd = site.make(), Odd(bucket_name=site.bucket)
    for name in ("a.css", "b.json", "c.tar.gz", "d.svgz", "e", "f.unheard-of", "g.JPG"):
        storage.save(name, ContentFile(b"x"))
    storage.save("h.css", SimpleUploadedFile("h.css", b"x", content_type="text/x-mine"))
    site.make(object_parameters={"ContentType": "text/x-all"}).save("i.css", ContentFile(b"x"))
    odd.save("j", ContentFile(b"x"))
    return {key: site.head(key) for key in site.found()}


@about("get_object_parameters")
def parameters_of_each_file(site: Site) -> Any:
    class ByName(type(site.make())):  # type: ignore[misc]
        def get_object_parameters(self, name: str) -> Dict[str, Any]:
            given: Dict[str, Any] = super().get_object_parameters(name)
            given["ContentDisposition"] = f"attachment; filename={name[-5:]}"
            if name.endswith(".txt"):
                given.update(Metadata={"desk": "press"}, CacheControl="no-store")
            return given

    storage = ByName(bucket_name=site.bucket, object_parameters={"CacheControl": "max-age=60"})
    storage.save("a.txt", ContentFile(b"x"))
    storage.save("b.bin", ContentFile(b"x"))
    with storage.open("c.txt", "wb") as file:
        file.write(b"x")
    unchanged = storage.object_parameters
    return {key: site.head(key) for key in site.found()}, unchanged


@about("save")
def access_of_files(site: Site) -> Any:
    site.make(default_acl="public-read").save("a.txt", ContentFile(b"x"))
    both = {"default_acl": "public-read", "object_parameters": {"ACL": "private"}}
    site.make(**both).save("b.txt", ContentFile(b"x"))
    site.make(object_parameters={"ACL": "public-read"}).save("c.txt", ContentFile(b"x"))
    site.make().save("d.txt", ContentFile(b"x"))
    return {key: site.readers(key) for key in site.found()}


@about("save", "open")
def gzip(site: Site) -> Any:
    class Once(ContentFile):
        def seekable(self) -> bool:
            return False

    storage = site.make(gzip=True)
    for name in ("a.css", "b.svg", "c.txt", "d.png", "e.js"):
        storage.save(name, ContentFile(TEXT))
    content = ContentFile(TEXT)
    for name in ("f.css", "g.css"):  # one content, twice
        storage.save(name, content)
    storage.save("h.css", ContentFile(TEXT.decode()))
    storage.save("i.css", Once(TEXT))
    site.make(gzip=True, object_parameters={"ContentEncoding": "identity"}).save(
        "j.css", ContentFile(TEXT)
    )
    site.make(gzip=True, gzip_content_types=["text/plain"]).save("k.txt", ContentFile(TEXT))
    site.make(gzip=True, gzip_content_types=["text/plain"]).save("l.css", ContentFile(TEXT))
    heads = {key: site.head(key) for key in site.found()}
    for head in heads.values():
        if head.get("ContentEncoding") == "gzip":
            head["ContentLength"] = head["ContentLength"] < len(TEXT)
    read = {key: storage.open(key).read() == TEXT for key in heads}
    raw = site.make().open("a.css").read()[:2]  # a storage without the option decompresses nothing
    return heads, read, raw, storage.exists("a.css")


@about("open")
def text_that_is_gzipped(site: Site) -> Any:
    storage = site.make(gzip=True)
    storage.save("a.css", ContentFile(b"grass"))
    return storage.open("a.css", "r").read()


@about("save", "exists")
def keys_of_the_customer(site: Site) -> Any:
    secret = {"SSECustomerKey": "0" * 32, "SSECustomerAlgorithm": "AES256"}
    storage = site.make(object_parameters=secret)
    storage.save("a.txt", ContentFile(b"sealed"))
    return (
        storage.exists("a.txt"),
        storage.exists("b.txt"),
        storage.open("a.txt").read(),
        storage.open("a.txt").size,
    )


# Names


@about("get_available_name", "get_alternative_name", "is_name_available")
def names_that_are_taken(site: Site) -> Any:
    overwriting, keeping = site.make(), site.make(file_overwrite=False)
    for storage in (overwriting, keeping):
        storage.save("a/b.txt", ContentFile(b"1"))
    second = keeping.get_available_name("a/b.txt")
    return (
        overwriting.get_available_name("a/b.txt"),
        overwriting.get_available_name("a/b.txt", max_length=7),
        attempt(lambda: overwriting.get_available_name("a/b.txt", max_length=3)),
        bool(re.fullmatch(r"a/b_\w{7}\.txt", second)),
        bool(re.fullmatch(r"x_\w{7}\.txt", keeping.get_alternative_name("x", ".txt"))),
        attempt(lambda: keeping.get_available_name("a/b.txt", max_length=6)),
        overwriting.get_valid_name("x y/ü?.txt"),
    )


@about("get_valid_name", "generate_filename")
def names_that_are_made(site: Site) -> Any:
    storage = site.make(location="files")
    given = ("a b.txt", "d/e f?.txt", pathlib.PurePosixPath("g/h.txt"), "i/../../j", "", "k\\l.txt")
    return (
        [attempt(lambda n=n: str(storage.generate_filename(n))) for n in given],
        [attempt(lambda n=n: storage.get_valid_name(n)) for n in ("a b.txt", "ü?!.txt", "..")],
    )


# Reading


@about("open", "read", "readline", "seek", "tell", "chunks", "multiple_chunks", "size", "closed",
       "close", "readable", "seekable", "file", "DEFAULT_CHUNK_SIZE")  # fmt: skip
def reading_a_file(site: Site) -> Any:
    site.put("a.txt", b"one\ntwo\r\nthree")
    storage = site.make()
    with storage.open("a.txt") as file:
        seen = [
            file.size, file.read(2), file.tell(), file.read(), file.seek(4), file.readline(),
            file.name, file.closed, file.readable(), file.seekable(), file.multiple_chunks(),
            list(file.chunks(5)), file.DEFAULT_CHUNK_SIZE,
        ]  # fmt: skip
        file.seek(0)
        seen += [list(file), file.file.read()]
    seen.append(file.closed)
    with storage.open("a.txt", "r") as file:
        seen += [file.read(3), file.read()]
    return seen


@about("readlines", "open")
def lines_and_opening_again(site: Site) -> Any:
    site.put("a.txt", b"one\ntwo\r\n")
    storage = site.make()
    with storage.open("a.txt") as file:
        lines = file.readlines()
        file.open()  # from the start again
        start = file.read(3)
    file.open()  # a closed one too
    return lines, start, file.read(), storage.open("a.txt", "r").readlines()


@about("readinto")
def filling_a_buffer(site: Site) -> Any:
    if sys.version_info < (3, 11):
        return None  # their temporary file has no readinto() then
    site.put("a.txt", b"one\ntwo\r\n")
    buffer = bytearray(3)
    with site.make().open("a.txt") as file:
        return file.readinto(buffer), bytes(buffer)


@about("readlines")
def lines_that_end_with_a_carriage_return(site: Site) -> Any:
    site.put("a.txt", b"a\rb\n")
    return site.make().open("a.txt").readlines()


@about("open")
def modes_that_are_refused(site: Site) -> Any:
    site.put("a.txt")
    storage = site.make()
    return [
        attempt(lambda: storage.open("missing.txt")),
        attempt(lambda: storage.open("a.txt", "rw")),
    ]


@about("read", "readline", "write")
def using_a_file_against_its_mode(site: Site) -> Any:
    site.put("b.txt")
    storage = site.make()
    for_writing, for_reading = storage.open("a.txt", "wb"), storage.open("b.txt")
    return [
        attempt(for_writing.read),
        attempt(for_writing.readline),
        attempt(lambda: for_reading.write(b"x")),
    ]


@about("writable")
def what_a_file_for_reading_says_of_writing(site: Site) -> Any:
    site.put("a.txt")
    with site.make().open("a.txt") as file:
        file.read()
        return file.writable()


@about("encoding", "newlines", "isatty")
def the_rest_of_a_file(site: Site) -> Any:
    site.put("a.txt")
    with site.make().open("a.txt", "r") as text:
        text.read()
        return text.encoding, text.newlines, text.isatty()


@about("truncate")
def cutting_a_file_off(site: Site) -> Any:
    site.put("a.txt")
    with site.make().open("a.txt") as file:
        file.read()
        return attempt(lambda: file.truncate(0)), site.get("a.txt")


@about("fileno")
def the_number_of_a_file(site: Site) -> Any:
    site.put("a.txt")
    return attempt(site.make().open("a.txt").fileno)


# Writing through a file


@about("open", "write", "writelines", "flush", "close", "closed")
def writing_through_a_file(site: Site) -> Any:
    storage = site.make(object_parameters={"CacheControl": "no-store"})
    with storage.open("a.bin", "wb") as file:
        file.write(b"one")
        file.write(bytearray(b"two"))
        file.writelines([b"three", b"four"])
        file.flush()
        open_before = file.closed
    with storage.open("b.txt", "w") as file:
        file.write("grüße")
    site.put("d.bin", b"is there")
    with storage.open("d.bin", "wb"):
        pass  # stays what it was
    with storage.open("a.bin", "wb") as again:
        again.write(b"overwritten")
    return (
        file.closed,
        open_before,
        {key: (site.get(key), site.head(key)) for key in site.found() if key != "d.bin"},
        site.get("d.bin"),
    )


@about("open", "close")
def a_file_into_which_nothing_was_written(site: Site) -> Any:
    site.make().open("a.bin", "wb").close()
    return site.get("a.bin"), site.head("a.bin")


@about("open", "write")
def writing_more_than_a_part(site: Site) -> Any:
    chunk = b"0123456789abcdef" * 65536
    with site.make().open("a.bin", "wb") as file:
        for _ in range(7):  # the parts are of 5 MiB
            file.write(chunk)
    return site.get("a.bin") == chunk * 7, site.head("a.bin")["ContentLength"]


@about("open", "write")
def a_file_that_is_opened_again_for_writing(site: Site) -> Any:
    file = site.make().open("a.txt", "wb")
    contents = []
    for content in (b"one", b"two"):
        with file.open("wb") as opened:
            opened.write(content)
        contents.append(site.get("a.txt"))
    return contents, file.closed


# Asking


@about("exists", "size", "get_modified_time", "get_created_time", "get_accessed_time", "path")
def asking_about_a_file(site: Site) -> Any:
    storage = site.make(location="files")
    site.put("files/a.txt", b"12345")
    now = timezone.now()
    times = {}
    for aware in (True, False):
        with override_settings(USE_TZ=aware):
            modified = storage.get_modified_time("a.txt")
            near = now if aware else timezone.make_naive(now)
            times[aware] = (modified.tzinfo is not None, abs(modified - near) < timedelta(hours=1))
    names = ("a.txt", "b.txt", "", "a", "/a.txt")
    return (
        [attempt(lambda n=n: storage.exists(n)) for n in names],
        storage.size("a.txt"),
        attempt(lambda: storage.size("b.txt")),
        times,
        attempt(lambda: storage.path("a.txt")),
        attempt(lambda: storage.get_created_time("a.txt")),
        attempt(lambda: storage.get_accessed_time("a.txt")),
    )


@about("get_modified_time")
def the_time_of_a_missing_file(site: Site) -> Any:
    return attempt(lambda: site.make().get_modified_time("a.txt"))


@about("listdir")
def listing(site: Site) -> Any:
    for key in ("f/a.txt", "f/d/b.txt", "f/d/e/c.txt", "f/", "f/d/", "other.txt"):
        site.put(key)
    storage, root = site.make(location="f"), site.make()
    paths = ("", "d", "d/", "d/e", "missing", ".", "/")
    return (
        [attempt(lambda p=p: storage.listdir(p)) for p in paths],
        [root.listdir(path) for path in ("", "f", "f/d")],
        site.make(location="nothing").listdir(""),
    )


@about("delete")
def deleting(site: Site) -> Any:
    storage = site.make(location="f")
    for key in ("f/a.txt", "a.txt"):
        site.put(key)
    return storage.delete("a.txt"), storage.delete("missing.txt"), site.found()


@about("exists", "size", "open", "delete", "listdir")
def another_error_than_not_found(site: Site) -> Any:
    storage = site.make(secret_key="wrong", access_key=site.server.access_key)
    if site.server.name == "moto":  # which checks no keys
        return None
    site.put("a.txt")
    return [
        attempt(lambda: storage.exists("a.txt")),
        attempt(lambda: storage.size("a.txt")),
        attempt(lambda: storage.open("a.txt")),
        attempt(lambda: storage.delete("a.txt")),
        attempt(lambda: storage.listdir("")),
        site.found(),
    ]


# URLs


@about("url")
def signed_urls(site: Site) -> Any:
    site.put("a b.txt", b"content")
    storage = site.make()
    attachment = {"ResponseContentDisposition": "attachment"}
    before = dict(attachment)
    put = storage.url("new.txt", http_method="PUT")
    version = storage.url("a b.txt", parameters={"VersionId": "null"})
    urls = [
        storage.url("a b.txt"),
        storage.url("a b.txt", expire=60),
        storage.url("a b.txt", parameters=attachment),
        storage.url("ü/é.txt"),
        storage.url("/a b.txt"),
        put,
        version,
        site.make(querystring_expire=7).url("a b.txt"),
        site.make(querystring_auth=False).url("a b.txt"),
        site.make(querystring_auth=False).url("a b.txt", parameters=attachment),
    ]
    fetched = [fetch(url) for url in urls[:3]]
    return [parts(url) for url in urls], fetched, attachment == before


@about("url")
def urls_of_a_domain(site: Site) -> Any:
    storage = site.make(custom_domain="cdn.example.com", location="files")
    plain = site.make(custom_domain="cdn.example.com", url_protocol="http:")
    names = ("", "path", "path/", "path/1", "path/1/", "whacky & file.mp4", "ãlöhâ.jpg", "/a")
    return (
        [attempt(lambda n=n: storage.url(n)) for n in names],
        [attempt(lambda n=n: plain.url(n)) for n in names],
        plain.url("a.mp4", parameters={"version": 10}),
        plain.url("a.mp4", expire=5),
    )


@about("url", "get_cloudfront_signer")
def urls_that_cloudfront_checks(site: Site) -> Any:
    keys = {"cloudfront_key_id": "K1", "cloudfront_key": PEM}
    domain = {"custom_domain": "cdn.example.com"}
    signed = site.make(**keys, **domain)
    policy = parts(signed.url("a.txt", expire=60, parameters={"v": "1"}))
    made = signed.get_cloudfront_signer("K2", PEM.decode())
    with override_settings(AWS_CLOUDFRONT_KEY_ID="K1", AWS_CLOUDFRONT_KEY=PEM):
        by_setting = parts(site.make(**domain).url("a.txt"))
        without = site.make(cloudfront_signer=None, **domain).url("a.txt")
    return (
        policy,
        made.key_id,
        by_setting,
        without,
        site.make(cloudfront_signer=made, **domain).cloudfront_signer is made,
        parts(site.make(cloudfront_signer=made, **domain).url("a.txt")),
        site.make(querystring_auth=False, **keys, **domain).url("a.txt"),
    )


# The clients, and the class


@about("connection", "bucket", "unsigned_connection")
def what_boto3_offers(site: Site) -> Any:
    storage = site.make()
    site.put("a.txt", b"content")
    bucket = storage.bucket
    bucket.Object("b.txt").put(Body=b"by boto3")
    return (
        bucket.name == site.bucket,
        bucket.Object("a.txt").get()["Body"].read(),
        sorted(each.key for each in storage.connection.Bucket(site.bucket).objects.all()),
        storage.connection.meta.client.meta.config.signature_version,
        storage.unsigned_connection.meta.client.meta.config.signature_version is UNSIGNED,
        storage.open("a.txt").obj.content_length,
    )


@about("config")
def a_configuration_of_the_class(site: Site) -> Any:
    class Patient(type(site.make())):  # type: ignore[misc]
        config = Config(read_timeout=7, signature_version="s3v4", s3={"addressing_style": "path"})

    with pytest.warns(DeprecationWarning, match="'config' class property"):
        storage = Patient(bucket_name=site.bucket)
    storage.save("a.txt", ContentFile(b"x"))
    return storage.connection.meta.client.meta.config.read_timeout, site.found()


@about("get_default_settings")
def defaults_of_the_class(site: Site) -> Any:
    class Own(type(site.make())):  # type: ignore[misc]
        def get_default_settings(self) -> Dict[str, Any]:
            return {**super().get_default_settings(), "location": "own", "default_acl": None}

    storage = Own(bucket_name=site.bucket)
    storage.save("a.txt", ContentFile(b"x"))
    return storage.location, site.found(), Own(location="given").location


@about("deconstruct")
def copies_and_migrations(site: Site) -> Any:
    storage = site.make(location="files")
    storage.save("a.txt", ContentFile(b"x"))
    copied = [pickle.loads(pickle.dumps(storage)), copy.copy(storage), copy.deepcopy(storage)]  # noqa: S301
    path, args, kwargs = storage.deconstruct()
    return (
        [(each.location, each.exists("a.txt")) for each in copied],
        path.rpartition(".")[0],
        args,
        kwargs["location"],
        storage == site.make(location="files"),
        storage == site.make(location="other"),
    )


@about("save")
def settings_of_the_wrong_kind(site: Site) -> Any:
    return [
        attempt(lambda: site.make(no_such_option=1)),
        attempt(lambda: site.make(location="/").save("a", ContentFile(b""))),
        attempt(lambda: site.make(cloudfront_key=PEM).save("a", ContentFile(b""))),
        attempt(lambda: site.make(cloudfront_key_id="K").save("a", ContentFile(b""))),
        attempt(lambda: site.make(session_profile="p", access_key="a", secret_key="b").bucket),
    ]


class Difference(NamedTuple):
    """A difference on purpose: whether this is it, and how its row begins in the page."""

    is_it: Callable[[Any, Any], bool]
    row: str


def are_all(values: Any, kind: type) -> bool:
    return all(isinstance(each, kind) for each in values)


DIFFERENT: Dict[str, Difference] = {
    "lines_that_end_with_a_carriage_return": Difference(
        lambda theirs, ours: theirs == [b"a\r", b"b\n"] and ours == [b"a\rb\n"],
        '| `readlines()` of `b"a\\rb\\n"` |',
    ),
    "using_a_file_against_its_mode": Difference(
        lambda theirs, ours: are_all(theirs, AttributeError) and are_all(ours, OSError),
        "| `read()` of a file open for writing, `write()` of one open for reading |",
    ),
    "what_a_file_for_reading_says_of_writing": Difference(
        lambda theirs, ours: theirs is True and ours is False,
        "| `writable()` of a file open for reading |",
    ),
    "text_beyond_ascii": Difference(
        lambda theirs, ours: ours == "grüße".encode(),  # theirs depends on the release of boto3
        "| `save` of a text with characters beyond ASCII |",
    ),
    "text_that_is_gzipped": Difference(
        lambda theirs, ours: theirs == b"grass" and ours == "grass",
        '| `open(name, "r")` of a file that is gzipped |',
    ),
    "a_file_into_which_nothing_was_written": Difference(
        lambda theirs, ours: (
            theirs[1].pop("Metadata") == {}
            and [*ours[1].pop("Metadata")] == ["write-id"]
            and theirs == ours
        ),
        "| metadata of a file whose name was claimed |",
    ),
    "cutting_a_file_off": Difference(
        lambda theirs, ours: (
            theirs[0] in (0, None) and isinstance(ours[0], OSError) and ours[1] == theirs[1] == b"x"
        ),
        "| `truncate()` of a file open for reading |",
    ),
    "the_number_of_a_file": Difference(
        lambda theirs, ours: isinstance(theirs, int) and isinstance(ours, io.UnsupportedOperation),
        "| `fileno()` |",
    ),
}


def same(theirs: Any, ours: Any) -> bool:
    """Whether ours is what django-storages gives; an error has to be caught by the same except."""
    if isinstance(theirs, Exception):
        return isinstance(ours, type(theirs))
    if isinstance(theirs, (list, tuple)):
        return (
            isinstance(ours, (list, tuple))
            and len(theirs) == len(ours)
            and all(same(a, b) for a, b in zip(theirs, ours))
        )
    if isinstance(theirs, dict):
        return set(theirs) == set(ours) and all(same(theirs[key], ours[key]) for key in theirs)
    return bool(theirs == ours)


def site_of(cls: Any, server: Any) -> Site:
    bucket = server.create_bucket()

    def make(**options: Any) -> Any:
        return cls(**{"bucket_name": bucket, **options})

    return Site(make, server, bucket)


#: What django-storages does otherwise since 1.14.4.
_CHANGED = (
    "asking_about_a_file",
    "cleaning_of_names",
    "copies_and_migrations",
    "gzip",
    "keys_of_the_customer",
)


@pytest.mark.sampled(2)
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(name, marks=[needs_newer_django_storages] if name in _CHANGED else [])
        for name in SCENARIOS
    ],
)
def test_it_does_what_it_does_in_django_storages(scenario, s3_server, settings, monkeypatch):
    # As django-storages needs it where the server is not AWS.
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    lead_to(settings, s3_server)
    settings.SMART_STORAGE_PROVIDER = s3_server.name
    _, act = SCENARIOS[scenario]
    theirs, ours = (act(site_of(cls, s3_server)) for cls in (Plain, Smart))
    is_it = DIFFERENT[scenario].is_it if scenario in DIFFERENT else same
    assert is_it(theirs, ours), f"\n{theirs}\n{ours}"


# Static files


class Collected(StaticStorage):
    module_name = "static"


class CollectedManifest(ManifestStaticStorage):
    module_name = "static"


@needs_newer_django_storages
@pytest.mark.one_server
@pytest.mark.parametrize(
    "pair", [(S3StaticStorage, Collected), (S3ManifestStaticStorage, CollectedManifest)]
)
def test_static_files_are_collected_to_the_same_names(
    pair, s3_server, settings, tmp_path, monkeypatch
):
    lead_to(settings, s3_server)
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    settings.SMART_STORAGE_BUCKETS = {"static": {"location": ""}}
    settings.SMART_STORAGE_PROVIDER = s3_server.name
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    settings.STATICFILES_DIRS = [str(tmp_path)]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    (tmp_path / "app").mkdir()
    (tmp_path / "app/a.css").write_text("body { background: url(b.svg) }")
    (tmp_path / "app/b.svg").write_text("<svg/>")
    get_finder.cache_clear()
    seen = []
    for cls in pair:
        site = site_of(cls, s3_server)
        command = collectstatic.Command()
        command.storage = storage = site.make()
        call_command(command, interactive=False, stdout=io.StringIO())
        seen.append(
            (
                site.found(),
                {key: site.get(key) for key in site.found() if not key.endswith(".json")},
                parts(storage.url("app/a.css")),
                storage.querystring_auth,
            )
        )
    get_finder.cache_clear()
    assert seen[0] == seen[1]
    assert seen[0][0]


#: Members that are documented nowhere: what they are instead.
NOT_DOCUMENTED = {"deconstruct": "of a file: a decorator gives it, and no field has a file"}


def public_members(cls: type) -> Any:
    return {name for name in dir(cls) if not name.startswith("_")}


def test_every_member_of_a_storage_and_of_a_file_is_compared():
    compared = {member for members, _ in SCENARIOS.values() for member in members}
    assert public_members(S3Storage) - compared == set()
    assert public_members(S3File) - compared - set(NOT_DOCUMENTED) == set()
    newer = {"is_name_available"}  # Django's since 5.1
    assert compared - newer - public_members(S3Storage) - public_members(S3File) == set()


def test_what_django_storages_takes_is_taken():
    different = {"deconstruct", "listdir"}  # its path is a name there; the page says so
    for name in sorted(public_members(S3Storage) - different):
        theirs, ours = getattr(S3Storage, name), getattr(SmartS3Storage, name)
        if callable(theirs):
            taken = [*inspect.signature(ours).parameters]
            assert [*inspect.signature(theirs).parameters] == taken[: len(taken)], name


def test_every_setting_that_django_storages_reads_is_known():
    tree = ast.parse(inspect.getsource(upstream))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    first = [
        call.args[0]
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in ("setting", "lookup_env")
    ]
    names = {each for node in first for each in _texts(ast.literal_eval(node))}
    assert "AWS_STORAGE_BUCKET_NAME" in names
    of_django = {"FILE_UPLOAD_TEMP_DIR", "USE_TZ"}
    assert names - KNOWN_SETTINGS - of_django == set()


def _texts(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def test_what_differs_stands_in_the_page():
    page = documentation.read("docs/differences.md")
    assert set(DIFFERENT) <= set(SCENARIOS)
    assert [each.row for each in DIFFERENT.values() if page.count(each.row) != 1] == []
