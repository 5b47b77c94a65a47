"""Each S3 option of django-storages does here what it does there, however it is given.

What differs on purpose is in ``DIFFERENT``, and with the reason in ``docs/differences.md``.
"""

from __future__ import annotations

import ast
import gzip
import inspect
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.session import Session
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.files.base import ContentFile
from django.test import override_settings
from storages.backends.s3 import S3Storage, _use_cryptography_signer

from smart_storages.common.secrets import reveal
from smart_storages.config.options import OPTIONS
from smart_storages.storages import SmartS3Storage
from smart_storages.utils import storages as django_storages
from tests import documentation

pytestmark = pytest.mark.documentation

BODY = b"body { color: red }\n" * 50

PEM = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)
CDN = {"custom_domain": "cdn.example.com"}
ELSEWHERE = {"endpoint_url": "https://s3.example.com"}  # an address has no virtual hosts
OTHER_KEYS = {"access_key": "other-id", "secret_key": "other-secret"}
TRANSFER = TransferConfig(multipart_threshold=9_000_000, use_threads=False)

#: A row: the option it is about, and all that is given. ``None`` in BASE takes a setting away.
ROWS = {
    "access_key": OTHER_KEYS,
    "secret_key": OTHER_KEYS,
    "security_token": {**OTHER_KEYS, "security_token": "token"},
    "session_profile": {"session_profile": "press"},
    "bucket_name": {"bucket_name": "other-bucket"},
    "object_parameters": {
        "object_parameters": {"CacheControl": "max-age=60", "Metadata": {"desk": "press"}}
    },
    "default_acl": {"default_acl": "bucket-owner-full-control"},
    "default_acl: private": {"default_acl": "private"},
    "default_acl: public": {"default_acl": "public-read"},
    "querystring_auth": {"querystring_auth": False},
    "querystring_expire": {"querystring_expire": 60},
    "max_memory_size": {"max_memory_size": 1000},
    "url_protocol": {"url_protocol": "http:", **CDN},
    "file_overwrite": {"file_overwrite": False},
    "location": {"location": "files/of press"},
    "gzip": {"gzip": True},
    "gzip_content_types": {"gzip": True, "gzip_content_types": ("text/plain",)},
    "region_name": {"region_name": "eu-central-1"},
    "use_ssl": {"use_ssl": False},
    "verify": {"verify": False},
    "endpoint_url": {"endpoint_url": "https://s3.example.com:9000"},
    "addressing_style": {"addressing_style": "virtual", **ELSEWHERE},
    "addressing_style: path": {"addressing_style": "path", **ELSEWHERE},
    "proxies": {"proxies": {"http": "http://127.0.0.1:PORT"}},
    "signature_version": {"signature_version": "s3v4"},
    "signature_version: s3": {"signature_version": "s3"},
    "custom_domain": CDN,
    "cloudfront_key_id": {**CDN, "cloudfront_key_id": "K1", "cloudfront_key": PEM.decode()},
    "cloudfront_key": {**CDN, "cloudfront_key_id": "K2", "cloudfront_key": PEM},
    "cloudfront_signer": {**CDN, "cloudfront_signer": _use_cryptography_signer()("K3", PEM)},
    "client_config": {"client_config": Config(read_timeout=7, signature_version="s3v4")},
    "client_config: beside": {
        "client_config": Config(read_timeout=7, signature_version="s3v4"),
        "addressing_style": "virtual",
        **ELSEWHERE,
    },
    "transfer_config": {"transfer_config": TRANSFER},
    "use_threads": {"use_threads": False},
    "file_name_charset": {"file_name_charset": "latin-1"},
}

#: Settings that a row takes away from BASE.
WITHOUT = {
    "session_profile": ("access_key", "secret_key"),
    "use_ssl": ("endpoint_url",),
    "signature_version: s3": ("signature_version",),
}
#: Rows whose storages send nothing: their hosts are elsewhere.
NO_REQUEST = {
    "addressing_style",
    "addressing_style: path",
    "client_config: beside",
    "endpoint_url",
    "use_ssl",
}

#: What differs on purpose, by row and aspect: how its row begins in ``docs/differences.md``.
DIFFERENT = {
    ("default_acl: private", "put"): '| `default_acl="private"` |',
    ("default_acl: public", "url"): '| `default_acl="public-read"` |',
    ("use_ssl", "url"): "| the host in signed URLs of AWS |",
    ("use_ssl", "client"): "| the host in signed URLs of AWS |",
    ("client_config: beside", "url"): "| `client_config` beside `addressing_style`,",
    ("client_config: beside", "client"): "| `client_config` beside `addressing_style`,",
    ("file_overwrite", "name"): "| `file_overwrite=False` |",
    ("file_overwrite", "put"): "| `file_overwrite=False` |",
}

#: Options that do nothing here: how the row begins that says so.
WITHOUT_EFFECT = {"max_memory_size": "| `max_memory_size` |"}

WAYS = ("setting", "OPTIONS", "entry", "attribute")


class _Recorder(BaseHTTPRequestHandler):
    """Takes every PUT, has every object, and writes down who asked for what."""

    protocol_version = "HTTP/1.1"
    requests = []

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.requests.append((self.command, self.path, dict(self.headers.items()), body))
        missing = self.command == "HEAD" and not self.headers.get("Range") and _Recorder.missing
        self.send_response(404 if missing else 200)
        content = b"" if self.command == "PUT" or missing else BODY
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"0123456789abcdef0123456789abcdef"')
        self.send_header("Last-Modified", "Wed, 25 Nov 2026 12:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    missing = False
    do_GET = do_HEAD = do_PUT = _answer  # noqa: N815

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    """A recording S3 server of this process."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Recorder)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


_LOADER = Session().get_component("data_loader")


class Plain(S3Storage):
    """django-storages' own; its sessions share the parsed service model, which takes a second."""

    def _create_session(self):
        session = super()._create_session()
        session._session.register_component("data_loader", _LOADER)
        return session

    @property
    def client(self):
        return self.connection.meta.client


class Smart(SmartS3Storage):
    module_name = "m"


def base_settings(row, port):
    base = {
        "bucket_name": "acme",
        "access_key": "key-id",
        "secret_key": "key-secret",
        "region_name": "eu-west-1",
        "endpoint_url": f"http://127.0.0.1:{port}",
        "signature_version": "s3v4",
    }
    return {OPTIONS[key].setting: base[key] for key in base if key not in WITHOUT.get(row, ())}


def given(row, port):
    options = dict(ROWS[row])
    if row == "proxies":
        options["proxies"] = {"http": f"http://127.0.0.1:{port}"}
    return options


def make(cls, row, way, port):
    """The storage of a row, given in one way; the settings have to be in force while it is used."""
    options = given(row, port)
    settings = base_settings(row, port)
    attributes = {}
    if way == "setting":
        settings.update({OPTIONS[key].setting: value for key, value in options.items()})
        options = {}
    elif way == "entry" and cls is Smart:
        settings["SMART_STORAGE_BUCKETS"] = {"m": options}
        options = {}
    elif way == "attribute":
        attributes, options = options, {}
    override = override_settings(**settings)
    override.enable()
    if way == "attribute":
        return override, type("Made", (cls,), attributes)()
    backend = {"BACKEND": f"{__name__}.{cls.__name__}", "OPTIONS": options}
    return override, django_storages.create_storage(backend)  # as an alias of STORAGES


def comparable_url(url):
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    for name in ("X-Amz-Date", "X-Amz-Signature", "Signature"):
        query.pop(name, None)
    if "Expires" in query:
        query["Expires"] = round((int(query["Expires"]) - time.time()) / 10)
    credential = query.pop("X-Amz-Credential", "").split("/")
    query["who"] = (credential[0], *credential[2:])
    return parts.scheme, parts.netloc, parts.path, query


_OF_THE_WAY = (
    "accept-encoding", "amz-sdk-", "connection", "content-length", "content-md5", "date", "expect",
    "transfer-encoding", "user-agent", "x-amz-checksum-", "x-amz-content-sha256", "x-amz-date",
    "x-amz-decoded-content-length", "x-amz-sdk-checksum-algorithm", "x-amz-trailer", "if-match",
)  # fmt: skip


def comparable_request(request):
    method, path, headers, body = request
    headers = {name.lower(): value for name, value in headers.items()}
    # A signature may stand in a header or in the query: who signs for what is the same.
    path, _, query = path.partition("?")
    signed = dict(parse_qsl(query))
    authorization = headers.pop("authorization", "")
    scope = signed.get("X-Amz-Credential", "")
    if "Credential=" in authorization:
        scope = authorization.split("Credential=")[1].split(",")[0]
    if authorization.startswith("AWS "):
        scope = f"{authorization[4:].split(':')[0]}/"
    who = scope.split("/") or [signed.get("AWSAccessKeyId", "")]
    headers["who"] = (who[0] or signed.get("AWSAccessKeyId", ""), *who[2:])
    for name in ("X-Amz-Security-Token", "x-amz-security-token"):
        if name in signed:
            headers["x-amz-security-token"] = signed[name]
    if "aws-chunked" in headers.get("content-encoding", ""):
        body = body.split(b"\r\n")[1]
    elif headers.get("content-encoding") == "gzip" and body:
        body = gzip.decompress(body)
    kept = {name: each for name, each in headers.items() if not name.startswith(_OF_THE_WAY)}
    return method, path, kept, body


def observe(storage, row, option):
    """What a storage is and does, by aspect."""
    seen = {
        "attribute": comparable_option(storage, option),
        "url": comparable_url(storage.url("dir/a b.css")),
    }
    client = storage.client
    config = client.meta.config
    keys = client._request_signer._credentials.get_frozen_credentials()
    seen["client"] = (
        client.meta.region_name,
        client.meta.endpoint_url,
        (config.s3 or {}).get("addressing_style"),
        config.signature_version,
        config.read_timeout,
        config.connect_timeout,
        dict(config.proxies or {}),
        client._endpoint.http_session._verify,
        (keys.access_key, keys.secret_key, keys.token),
    )
    if row in NO_REQUEST:
        return seen
    _Recorder.missing = True
    seen["name"], seen["put"] = recorded(
        lambda: storage.save("dir/a.css", ContentFile(BODY)), only="PUT"
    )
    _Recorder.missing = False
    content, seen["get"] = recorded(lambda: storage.open("dir/a.css").read(), only="GET")
    assert content == BODY
    return seen


def recorded(act, only):
    _Recorder.requests.clear()
    result = act()
    return result, [comparable_request(each) for each in _Recorder.requests if each[0] == only]


def comparable_option(storage, option):
    value = getattr(storage, option)
    if option == "client_config":
        return value.read_timeout
    if option == "transfer_config":
        return value.multipart_threshold, value.use_threads
    if option == "cloudfront_signer":
        return value.key_id
    value = reveal(value)
    if isinstance(value, dict):
        return {key: reveal(each) for key, each in value.items()}
    return value.encode() if option == "cloudfront_key" and isinstance(value, str) else value


def see(cls, row, way, port):
    override, storage = make(cls, row, way, port)
    try:
        return observe(storage, row, row.split(":")[0])
    finally:
        override.disable()


@pytest.mark.sampled(2)
@pytest.mark.filterwarnings("ignore:The AWS_S3_USE_THREADS setting:DeprecationWarning")
@pytest.mark.parametrize("row", ROWS)
def test_it_does_what_it_does_in_django_storages(row, server, monkeypatch, tmp_path):
    profile = tmp_path / "config"
    profile.write_text("[profile press]\naws_access_key_id = p\naws_secret_access_key = q\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profile))
    port = server.server_address[1]
    # There is no setting for this one.
    ways = [way for way in WAYS if way != "setting" or row != "cloudfront_signer"]
    plain = see(Plain, row, ways[0], port)
    wrong, same = [], []
    for way in ways:
        smart = see(Smart, row, way, port)
        for aspect, expected in plain.items():
            listed = (row, aspect) in DIFFERENT
            if (smart[aspect] == expected) is listed:
                (same if listed else wrong).append((way, aspect, expected, smart[aspect]))
    assert wrong == [], "".join(f"\n{way} {aspect}\n  {a}\n  {b}" for way, aspect, a, b in wrong)
    assert same == [], "listed in DIFFERENT, and the same"


#: The second names that django-storages documents for a setting, and the variables of the
#: environment, by option.
OTHER_NAMES = [
    ("access_key", "setting", "AWS_ACCESS_KEY_ID"),
    ("access_key", "variable", "AWS_S3_ACCESS_KEY_ID"),
    ("access_key", "variable", "AWS_ACCESS_KEY_ID"),
    ("secret_key", "setting", "AWS_SECRET_ACCESS_KEY"),
    ("secret_key", "variable", "AWS_S3_SECRET_ACCESS_KEY"),
    ("secret_key", "variable", "AWS_SECRET_ACCESS_KEY"),
    ("security_token", "setting", "AWS_SECURITY_TOKEN"),
    ("security_token", "variable", "AWS_SESSION_TOKEN"),
    ("security_token", "variable", "AWS_SECURITY_TOKEN"),
    ("session_profile", "variable", "AWS_S3_SESSION_PROFILE"),
]


@pytest.mark.parametrize(("option", "kind", "name"), OTHER_NAMES)
def test_the_other_names_of_a_setting_are_read_as_well(option, kind, name, settings, monkeypatch):
    pair = {"access_key": "secret_key", "secret_key": "access_key"}.get(option)
    if option == "security_token":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    if pair:  # half of a pair of keys is an error
        setattr(settings, OPTIONS[pair].setting, "other half")
    if kind == "setting":
        setattr(settings, name, "given")
    else:
        monkeypatch.setenv(name, "given")
    settings.AWS_STORAGE_BUCKET_NAME = "acme"
    theirs, ours = Plain(), Smart()
    assert ours.configuration_problem is None
    assert reveal(getattr(ours, option)) == getattr(theirs, option) == "given"


def test_the_setting_outranks_its_other_name(settings, monkeypatch):
    settings.AWS_STORAGE_BUCKET_NAME = "acme"
    settings.AWS_ACCESS_KEY_ID = settings.AWS_SECRET_ACCESS_KEY = "second"
    monkeypatch.setenv("AWS_S3_ACCESS_KEY_ID", "variable")
    for expected in ("second", "first"):
        storages = Plain(), Smart()
        assert [reveal(each.access_key) for each in storages] == [expected] * 2
        settings.AWS_S3_ACCESS_KEY_ID = settings.AWS_S3_SECRET_ACCESS_KEY = "first"


def test_every_option_of_this_django_storages_has_a_row():
    rows = {row.split(":")[0] for row in ROWS}
    documented = _documented_in_the_constructor()
    assert rows == {*S3Storage().get_default_settings(), *documented}
    assert {row for row, _ in DIFFERENT} | set(WITHOUT_EFFECT) <= set(ROWS)


def _documented_in_the_constructor():
    """Options that are no defaults: those that the constructor takes out of its arguments."""
    calls = [
        node
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(S3Storage.__init__))))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("pop", "get")
    ]
    return {call.args[0].value for call in calls}


def test_what_differs_stands_in_the_page():
    page = documentation.read("docs/differences.md")
    rows = {*DIFFERENT.values(), *WITHOUT_EFFECT.values()}
    assert [row for row in rows if page.count(row) != 1] == []
