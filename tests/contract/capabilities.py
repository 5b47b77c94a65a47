"""What each backend can do, measured: the rows of the table in docs/backends.md, and its columns.

A row is a function that tries something on a `Place` and says in a word what came of it. A column
is a backend, and on which server of the tests it runs. ``python -m tests.contract.table`` writes
what they say into the page; `test_table.py` fails where the page says something else.
"""

from __future__ import annotations

import io
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Barrier
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple
from urllib.parse import urlsplit

import urllib3
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from smart_storages.backends.memory import isolated
from smart_storages.exceptions import ConfigurationError, S3Error, SmartStorageError
from smart_storages.signals import storage_operation
from smart_storages.storages import SmartS3Storage
from tests.parts import send_part

__all__ = ["CAPABILITIES", "COLUMNS", "Column", "Place", "measure", "place_of"]

YES, NO, UNCHECKED, ERROR = "yes", "no", "not checked", "error"
#: Of a backend whose URLs lead to a server that is not ours and knows no signatures.
NOT_OURS = "another server decides"
_LARGE = 9 * 1024**2  # more than one request or block
_FINE = (200, 201, 204)
#: How the names of the parameters end that hold a signature.
_SIGNATURES = ("signature", "sig")


class Column(NamedTuple):
    """A backend of the table.

    Args:
        title: Its heading.
        kind: The server of the tests, as `keeper.KINDS` names it; empty for none.
        options: Given the server and a directory, returns options of the module.
        settings: As ``options``, returns settings.
        lacking: Rows of which the server of the tests knows nothing, though the service does it.
    """

    title: str
    kind: str
    options: Callable[[Any, Path], Dict[str, Any]]
    settings: Callable[[Any, Path], Dict[str, Any]] = lambda server, directory: {}
    lacking: Tuple[str, ...] = ()


def _of_s3(server: Any, directory: Path) -> Dict[str, Any]:
    found = getattr(server, "server", server)
    return {"provider": found.name, **_without_prefix(found.django_settings())}


def _without_prefix(settings: Dict[str, Any]) -> Dict[str, Any]:
    names = {"AWS_S3_ACCESS_KEY_ID": "access_key", "AWS_S3_SECRET_ACCESS_KEY": "secret_key"}
    return {
        names.get(name, name[len("AWS_S3_") :].lower()): value for name, value in settings.items()
    }


#: The columns. A new one is a line.
COLUMNS = (
    Column("S3 (Ceph)", "ceph", _of_s3),
    Column("S3 (moto)", "moto", _of_s3),
    Column(
        "`azure` (Azurite)",
        "azurite",
        lambda server, _: {"backend": "azure", "connection_string": server.connection_string},
    ),
    Column(
        "`gcs` (fake-gcs-server)",
        "gcs",
        lambda server, _: dict(server.options),
        lacking=("a URL that gives the download a name of its own",),
    ),
    Column("`sftp` (OpenSSH)", "sshd", lambda server, _: dict(server.options())),
    Column(
        "`django.core.files.storage.FileSystemStorage`",
        "",
        lambda _, path: {
            "backend": "django.core.files.storage.FileSystemStorage",
            "options": {"location": str(path / "class"), "base_url": "/elsewhere/"},
        },
    ),
    Column("`filesystem`", "", lambda _, path: {"backend": "filesystem", "root": str(path)}),
    Column(
        "`SMART_STORAGE_LOCAL`",
        "",
        lambda *_: {},
        lambda _, path: {"SMART_STORAGE_LOCAL": str(path)},
    ),
    Column("`memory`", "", lambda *_: {"backend": "memory"}),
)


class Answer(NamedTuple):
    status: int
    headers: Dict[str, str]
    body: bytes


class Place:
    """Where a row is tried: storages of one backend, and a browser without credentials."""

    def __init__(self, options: Dict[str, Any]) -> None:
        self._options = options
        self.bucket = self.make_bucket()
        self._browser = Client()

    def make_bucket(self, *, is_public: bool = False) -> str:
        name = f"able-{uuid.uuid4().hex[:12]}"
        storage: Any = SmartS3Storage("able", bucket_name=name, **self._options)
        if storage.is_in_s3:
            storage.client.create_bucket(Bucket=name)
        else:
            for need in storage._store().needs(is_public=is_public, by_acl=is_public):
                need.meet()
        return name

    def storage(self, **options: Any) -> Any:
        """A storage that has no file yet and does not overwrite."""
        given = {
            "bucket_name": self.bucket,
            "location": uuid.uuid4().hex,
            "file_overwrite": False,
            **self._options,
            **options,
        }
        return SmartS3Storage("able", **given)

    @property
    def signs_urls(self) -> bool:
        """Whether its URLs are signed, by this package or for the service."""
        storage = self.storage()
        return bool(storage.is_in_s3 or storage._store().signs_urls)

    def fetch(self, method: str, url: str, body: bytes = b"", **headers: str) -> Answer:
        if urlsplit(url).netloc:
            with urllib3.PoolManager(retries=False) as pool:
                answer = pool.request(method, url, body=body or None, headers=headers)
                lowered = {key.lower(): value for key, value in answer.headers.items()}
                return Answer(answer.status, lowered, answer.data)
        more = {f"HTTP_{key.upper().replace('-', '_')}": value for key, value in headers.items()}
        response = self._browser.generic(
            method, url, body, content_type=headers.get("Content-Type", "text/plain"), **more
        )
        return self._read(response)

    def post(self, form: Dict[str, Any], content: bytes) -> int:
        if urlsplit(form["url"]).netloc:
            fields = {**form["fields"], "file": ("a.txt", content)}
            with urllib3.PoolManager(retries=False) as pool:
                return int(pool.request("POST", form["url"], fields=fields).status)
        fields = {**form["fields"], "file": SimpleUploadedFile("a.txt", content)}
        return self._read(self._browser.post(form["url"], fields)).status

    def _read(self, response: Any) -> Answer:
        headers = {key.lower(): value for key, value in response.items()}
        return Answer(response.status_code, headers, b"".join(response))


Row = Callable[[Place], str]
#: The rows, in their order.
CAPABILITIES: Dict[str, Row] = {}


def capability(label: str) -> Callable[[Row], Row]:
    def add(row: Row) -> Row:
        CAPABILITIES[label] = row
        return row

    return add


@contextmanager
def place_of(column: Column, server: Any, directory: Path) -> Iterator[Place]:
    """The place of a column, with its settings in force."""
    with ExitStack() as stack:
        settings = {"ROOT_URLCONF": "tests.contract.urls", **column.settings(server, directory)}
        stack.enter_context(override_settings(SMART_STORAGE_BUCKETS={}, STORAGES={}, **settings))
        stack.enter_context(isolated())
        yield Place(column.options(server, directory))


def measure(column: Column, server: Any, directory: Path) -> Dict[str, str]:
    """Try every row on a column, and return what each says."""
    with place_of(column, server, directory) as place:
        found = {label: _try(row, place) for label, row in CAPABILITIES.items()}
    found.update({label: UNCHECKED for label in column.lacking if found[label] == NO})
    return found


def _try(row: Row, place: Place) -> str:
    try:
        return row(place)
    except (ConfigurationError, S3Error, ValueError):
        return ERROR


def _read(storage: Any, name: str) -> bytes:
    with storage.open(name) as file:
        content: bytes = file.read()
    return content


def _says(outcome: bool) -> str:
    return YES if outcome else NO


# Writing


def _race(storage: Any, contents: List[bytes]) -> str:
    together = Barrier(len(contents))

    def save(content: bytes) -> str:
        together.wait()
        return str(storage.save("same.bin", ContentFile(content)))

    with ThreadPoolExecutor(len(contents)) as pool:
        names = list(pool.map(save, contents))
    return _says([_read(storage, name) for name in names] == contents)


@capability("twelve writers of one name at a time: each keeps its file")
def _small_race(place: Place) -> str:
    return _race(place.storage(), [b"%d" % number for number in range(12)])


@capability("the same with files of 9 MiB, three at a time")
def _large_race(place: Place) -> str:
    return _race(place.storage(), [bytes([number]) * _LARGE for number in range(3)])


class _Failing(io.RawIOBase):
    """Content that ends with an error."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left <= 0:
            raise OSError("the disk of the sender")
        count = min(len(buffer), self._left)
        buffer[:count] = bytes(count)
        self._left -= count
        return count


@capability("a save that fails half way leaves nothing, of 100 KB and of 9 MiB")
def _whole(place: Place) -> str:
    storage = place.storage()
    for size in (100_000, _LARGE):
        with suppress(OSError):
            storage.save("half.bin", File(io.BufferedReader(_Failing(size)), "half.bin"))
            return NO
    return _says(list(storage.iter_files()) == [])


@capability("a file and a folder of one name (`a` and `a/b`)")
def _file_and_folder(place: Place) -> str:
    storage = place.storage()
    names = [storage.save("a", ContentFile(b"file"))]
    try:
        names.append(storage.save("a/b", ContentFile(b"inside")))
    except SmartStorageError:
        return "error"
    return _says([_read(storage, name) for name in names] == [b"file", b"inside"])


@capability("names with 300 bytes between two slashes")
def _long_name(place: Place) -> str:
    storage = place.storage()
    try:
        name = storage.save(f"{'x' * 300}.txt", ContentFile(b"x"))
    except SmartStorageError:
        return "error"
    return _says(_read(storage, name) == b"x")


@capability("the type, `Cache-Control` and metadata are kept, also by a copy")
def _attributes(place: Place) -> str:
    parameters = {"CacheControl": "max-age=60", "Metadata": {"origin": "scan"}}
    storage = place.storage(object_parameters=parameters)
    plain = place.storage(location=storage.location)
    storage.save("a.css", ContentFile(b"a {}"))
    plain.copy("a.css", "b.css")
    return _says(all(_is_described(place, plain, name) for name in ("a.css", "b.css")))


def _is_described(place: Place, storage: Any, name: str) -> bool:
    stat = storage.stat(name)
    answer = place.fetch("GET", storage.url(name))
    is_cached = "max-age=60" in answer.headers.get("cache-control", "")
    return stat.content_type == "text/css" and stat.metadata.get("origin") == "scan" and is_cached


@capability("metadata with `-` in its name")
def _dashed_metadata(place: Place) -> str:
    storage = place.storage(object_parameters={"Metadata": {"scan-of": "page"}})
    try:
        storage.save("a.txt", ContentFile(b"x"))
    except SmartStorageError:
        return "error"
    return _says(storage.stat("a.txt").metadata.get("scan-of") == "page")


@capability("a copy does not pass through this process")
def _copy(place: Place) -> str:
    storage = place.storage()
    storage.save("a.txt", ContentFile(b"x"))
    on_server = storage.replicate(storage.get_key("a.txt"), storage, storage.get_key("b.txt"))
    assert _read(storage, "b.txt") == b"x"
    return _says(on_server)


@capability("many files are deleted with one request")
def _bulk_delete(place: Place) -> str:
    storage = place.storage()
    names = [storage.save(f"{number}.txt", ContentFile(b"x")) for number in range(20)]
    requests: List[int] = []

    def hear(sender: Any, **facts: Any) -> None:
        requests.append(facts["requests"])

    storage_operation.connect(hear)
    try:
        assert storage.delete_many(names) == {}
    finally:
        storage_operation.disconnect(hear)
    assert list(storage.iter_files()) == []
    return _says(sum(requests) == 1)


# Reading


@capability("whoever reads a file that is replaced gets one version of it")
def _one_version(place: Place) -> str:
    storage = place.storage(file_overwrite=True)
    storage.save("a.bin", ContentFile(b"a" * _LARGE))
    with storage.open("a.bin") as file:
        content = file.read(1000)
        storage.save("a.bin", ContentFile(b"b" * _LARGE))
        try:
            content += file.read()
        except (OSError, SmartStorageError):
            return YES  # told, instead of given a mixture
    return _says(content == b"a" * _LARGE)


@capability("a part of a file is read alone, by `seek()` and by `Range`")
def _ranges(place: Place) -> str:
    storage = place.storage()
    storage.save("a.bin", ContentFile(bytes(_LARGE) + b"the end"))
    with storage.open("a.bin") as file:
        file.seek(-7, io.SEEK_END)
        end = file.read()
    if not place.signs_urls:
        return "by `seek()`" if end == b"the end" else NO
    answer = place.fetch("GET", storage.url("a.bin"), Range=f"bytes={_LARGE}-")
    return _says(end == b"the end" and (answer.status, answer.body) == (206, b"the end"))


@capability("a listing is in the order of the names' UTF-8 bytes")
def _order(place: Place) -> str:
    storage = place.storage()
    names = ["a-b", "a.b", "a/b", "a0", "aa", "b", "é", "日", "😀"]
    for name in reversed(names):
        storage.save(name, ContentFile(b"x"))
    return _says([name for name, _ in storage.iter_files()] == names)


# URLs


def _is_open(place: Place, url: str) -> bool:
    return place.fetch("GET", url).status in _FINE


def _altered(url: str) -> str:
    parts = urlsplit(url)
    given = [each.partition("=") for each in parts.query.split("&")]
    changed = [
        f"{name}={_other(value) if name.lower().endswith(_SIGNATURES) else value}"
        for name, _, value in given
    ]
    assert "&".join(changed) != parts.query
    return parts._replace(query="&".join(changed)).geturl()


def _other(text: str) -> str:
    return f"{'b' if text[0] == 'a' else 'a'}{text[1:]}"


@capability("signed URLs: not when altered, and not when they have expired")
def _signed_urls(place: Place) -> str:
    storage = place.storage()
    storage.save("a.txt", ContentFile(b"x"))
    url, short = storage.url("a.txt"), storage.url("a.txt", expire=1)
    if not _is_open(place, url):
        return NO
    time.sleep(2.1)
    return UNCHECKED if _is_open(place, _altered(url)) or _is_open(place, short) else YES


@capability("a URL that gives the download a name of its own")
def _download(place: Place) -> str:
    storage = place.storage()
    storage.save("a.txt", ContentFile(b"x"))
    disposition = 'attachment; filename="b.txt"'
    url = storage.url("a.txt", parameters={"ResponseContentDisposition": disposition})
    return _says(place.fetch("GET", url).headers.get("content-disposition") == disposition)


@capability("private files are refused without a signature")
def _private(place: Place) -> str:
    if not place.signs_urls:
        return NOT_OURS
    storage = place.storage()
    storage.save("a.txt", ContentFile(b"x"))
    unsigned = storage.url("a.txt").partition("?")[0]
    return UNCHECKED if _is_open(place, unsigned) else YES


@capability("public files")
def _public(place: Place) -> str:
    if not place.signs_urls:
        return NOT_OURS
    bucket = place.make_bucket(is_public=True)
    storage = place.storage(bucket_name=bucket, default_acl="public-read", querystring_auth=False)
    storage.save("a.txt", ContentFile(b"x"))
    if not _is_open(place, storage.url("a.txt")):
        return NO
    return YES if _private(place) == YES else UNCHECKED  # a server may be open to all


@capability("public and private files in one bucket")
def _public_and_private(place: Place) -> str:
    private_alone = _private(place)
    if private_alone != YES:
        return private_alone
    bucket = place.make_bucket(is_public=True)
    public = place.storage(bucket_name=bucket, default_acl="public-read", querystring_auth=False)
    private = place.storage(bucket_name=bucket)
    for storage in (public, private):
        storage.save("a.txt", ContentFile(b"x"))
    is_secret = not _is_open(place, private.url("a.txt").partition("?")[0])
    return _says(_is_open(place, public.url("a.txt")) and is_secret)


@capability("uploads of a browser by PUT, of the size that was signed only")
def _put(place: Place) -> str:
    storage = place.storage()
    try:
        form = storage.presigned_put("a.txt", size=5, content_type="text/plain")
    except ConfigurationError:
        return NO
    headers = {"Content-Type": "text/plain"}
    refused = place.fetch("PUT", form["url"], b"longer", **headers).status not in _FINE
    taken = place.fetch("PUT", form["url"], b"hello", **headers).status in _FINE
    if not taken or _read(storage, "a.txt") != b"hello":
        return NO
    return YES if refused else UNCHECKED


@capability("uploads of a browser by a form, up to the size that was signed")
def _post(place: Place) -> str:
    storage = place.storage()
    try:
        form = storage.presigned_post("a.txt", max_size=5, content_type="text/plain")
    except ConfigurationError:
        return NO
    refused = place.post(form, b"longer") not in _FINE
    taken = place.post(form, b"hello") in _FINE
    if not taken or _read(storage, "a.txt") != b"hello":
        return NO
    return YES if refused else UNCHECKED


@capability("uploads in parts, each of the size that was signed only")
def _parts(place: Place) -> str:
    storage = place.storage()
    try:
        upload_id = storage.create_multipart_upload("a.bin", content_type="text/plain")
    except ConfigurationError:
        return NO
    bodies = [bytes(5 * 1024**2), b"the end"]
    signed = storage.presigned_part("a.bin", upload_id, 2, size=len(bodies[1]))
    refused = send_part(signed, b"longer than the end") not in _FINE
    for number, body in enumerate(bodies, 1):
        signed = storage.presigned_part("a.bin", upload_id, number, size=len(body))
        if send_part(signed, body) not in _FINE:
            return NO
    parts = storage.list_parts("a.bin", upload_id)
    storage.complete_multipart_upload("a.bin", upload_id, parts)
    if _read(storage, "a.bin") != b"".join(bodies):
        return NO
    if not refused and not storage.signs_part_digests:
        return "yes, of any size"
    return YES if refused else UNCHECKED


# What belongs to a bucket


@capability("older versions are kept, where that is switched on")
def _versions(place: Place) -> str:
    bucket = place.make_bucket()
    storage = place.storage(bucket_name=bucket, file_overwrite=True)
    if storage.is_in_s3:
        storage.client.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        )
    storage.save("a.txt", ContentFile(b"first"))
    version = storage.stat("a.txt").version_id
    storage.save("a.txt", ContentFile(b"second"))
    if version is None:
        return NO
    url = storage.url("a.txt", parameters={"VersionId": version})
    return _says(place.fetch("GET", url).body == b"first")


@capability("bucket policies and rules, and boto3's client")
def _policies(place: Place) -> str:
    storage = place.storage()
    try:
        client = storage.client
    except ConfigurationError:
        return NO
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://www.example.com"]}
    client.put_bucket_cors(Bucket=place.bucket, CORSConfiguration={"CORSRules": [rule]})
    found = client.get_bucket_cors(Bucket=place.bucket)["CORSRules"]
    return _says(found[0]["AllowedOrigins"] == rule["AllowedOrigins"])
