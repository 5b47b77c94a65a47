"""Broken set-ups: what is done to a bucket, a server or a setting, and the fault that it makes."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from smart_storages.management.checking.probe import BODY
from tests.servers import CephGateway, S3Proxy, S3Server
from tests.servers.base import free_port

_ALL = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "s3:PutObjectAcl",
]


class User(NamedTuple):
    """A user of Ceph who has no buckets."""

    name: str
    server: S3Server

    @property
    def principal(self) -> Dict[str, List[str]]:
        return {"AWS": [f"arn:aws:iam:::user/{self.name}"]}


class Setup:
    """A bucket of the test's own on Ceph, a user with limited rights, and a proxy before it."""

    def __init__(self, gateway: CephGateway, user: User, folder: Path, stack: ExitStack):
        self.gateway, self.server, self.user = gateway, gateway.server, user
        self.folder, self.stack = folder, stack
        self.client = self.server.client()
        self.bucket = self.server.create_bucket()
        self.arguments: List[str] = []
        self.environment: Dict[str, str] = {}

    def options(self, server: Optional[S3Server] = None, **more: Any) -> Dict[str, Any]:
        server = server or self.server
        return {
            "bucket_name": self.bucket,
            "endpoint_url": server.endpoint_url,
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "region_name": server.region_name,
            "provider": "ceph",
            **more,
        }

    def policy(self, *statements: Dict[str, Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.client.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(document))

    def statement(self, effect: str, principal: Any, *actions: str, **more: Any) -> Dict[str, Any]:
        arn = f"arn:aws:s3:::{self.bucket}"
        return {
            "Effect": effect,
            "Principal": principal,
            "Action": list(actions),
            "Resource": [arn, f"{arn}/*"],
            **more,
        }

    def all_but(self, *actions: str, condition: Any = None, **more: Any) -> Dict[str, Any]:
        """The options of a user who may do anything but these."""
        principal = self.user.principal
        limit = {"Condition": condition} if condition else {}
        self.policy(
            self.statement("Allow", principal, *_ALL),
            # Who saved a file is its owner, and may read it although nothing allows it.
            self.statement("Deny", principal, *actions, **limit),
        )
        return self.options(self.user.server, **more)

    def proxy(self, **fault: Any) -> Dict[str, Any]:
        """The options of a module behind a proxy that does something wrong each time."""
        proxy = self.stack.enter_context(S3Proxy(self.server.endpoint_url))
        proxy.inject(**{"times": None, **fault})
        return self.options(endpoint_url=proxy.endpoint_url)

    def serve(self, answer: bytes, tls: Optional[Path] = None) -> str:
        """``host:port`` of a server that gives one answer to everybody."""
        return str(self.stack.enter_context(_serving(answer, tls)))


@contextmanager
def _serving(answer: bytes, certificate: Optional[Path]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answer)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    # A client that gives up in the handshake is not worth a traceback.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(certificate))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path, host: str, days: int = 30) -> Path:
    """A file with a key, and a certificate that it has signed itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    end = datetime.now(timezone.utc) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=60))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}{days}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def answer(status: str, body: str = "", **headers: str) -> bytes:
    """A whole answer of HTTP, after which the connection ends."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


def error(status: str, code: str, more: str = "", **headers: str) -> bytes:
    """An answer of S3 that refuses a request."""
    body = f"<Error><Code>{code}</Code>{more}</Error>"
    return answer(status, body, Content_Type="application/xml", **headers)


class Broken(NamedTuple):
    """A broken set-up, the step that names its fault, and what it says there."""

    name: str
    make: Callable[[Setup], Dict[str, Any]]
    step: str
    says: str
    fix: str
    first: bool = True


def _no_keys(setup: Setup) -> Dict[str, Any]:
    options = setup.options()
    return {**options, "access_key": None, "secret_key": None}


def _certificate_of(host: str, days: int = 30) -> Callable[[Setup], Dict[str, Any]]:
    def make(setup: Setup) -> Dict[str, Any]:
        path = certificate(setup.folder, host, days)
        address = setup.serve(b"", path).replace("127.0.0.1", "localhost")
        trusted = {} if host == "localhost" and days > 0 else {"verify": str(path)}
        return setup.options(endpoint_url=f"https://{address}", **trusted)

    return make


def _http_to_tls(setup: Setup) -> Dict[str, Any]:
    address = setup.serve(b"", certificate(setup.folder, "localhost"))
    return setup.options(endpoint_url=f"http://{address}")


def _other_clock(setup: Setup) -> Dict[str, Any]:
    late = datetime.now(timezone.utc) + timedelta(hours=1)
    said = error("403 Forbidden", "AccessDenied", Date=format_datetime(late))
    return setup.proxy(query="list-type", answer=said, times=1)


def _other_region(setup: Setup) -> Dict[str, Any]:
    refused = error("403 Forbidden", "AccessDenied", x_amz_bucket_region="eu-central-1")
    return setup.proxy(query="list-type", answer=refused, times=1)


def _redirected(setup: Setup) -> Dict[str, Any]:
    more = "<Message>the region 'us-east-1' is wrong; expecting 'eu-central-1'</Message>"
    refused = error("400 Bad Request", "AuthorizationHeaderMalformed", more)
    return setup.proxy(query="list-type", answer=refused, skip=1)


def _expired_token(setup: Setup) -> Dict[str, Any]:
    refused = error("400 Bad Request", "ExpiredToken")
    options = setup.proxy(query="list-type", answer=refused, skip=1)
    return {**options, "security_token": "of/yesterday"}


def _public_by_policy(*actions: str) -> Callable[[Setup], Dict[str, Any]]:
    def make(setup: Setup) -> Dict[str, Any]:
        setup.policy(setup.statement("Allow", "*", *actions))
        return setup.options()

    return make


def _no_public_acls(setup: Setup) -> Dict[str, Any]:
    # As AWS refuses them with BlockPublicAcls.
    condition = {"StringEquals": {"s3:x-amz-acl": "public-read"}}
    return setup.all_but("s3:PutObject", condition=condition, default_acl="public-read")


def _over_quota(setup: Setup) -> Dict[str, Any]:
    refused = error("403 Forbidden", "QuotaExceeded")
    return setup.proxy(method="PUT", answer=refused, unasked=True)


def _no_ranges(setup: Setup) -> Dict[str, Any]:
    whole = answer("200 OK", BODY.decode(), ETag='"0"')
    return setup.proxy(method="GET", path="smart-storages-check", skip=1, answer=whole)


def _custom_domain(setup: Setup) -> Dict[str, Any]:
    address = setup.serve(answer("404 Not Found", "not here"))
    return setup.options(custom_domain=address, url_protocol="http:")


def _versions(setup: Setup) -> Dict[str, Any]:
    # Ceph 16 honours the condition in other buckets.
    enabled = {"Status": "Enabled"}
    setup.client.put_bucket_versioning(Bucket=setup.bucket, VersioningConfiguration=enabled)
    return setup.options()


def _cors(setup: Setup) -> Dict[str, Any]:
    setup.arguments += ["--origin", "https://www.example.com"]
    rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["https://other.example.com"]}
    setup.client.put_bucket_cors(Bucket=setup.bucket, CORSConfiguration={"CORSRules": [rule]})
    return setup.options()


def _profile(setup: Setup) -> Dict[str, Any]:
    options = _no_keys(setup)
    return {**options, "session_profile": "no-such-profile"}


BROKEN: Dict[str, List[Broken]] = {
    "settings and network": [
        Broken("no bucket's name", lambda s: {"endpoint_url": s.server.endpoint_url},
               "configuration", "has no bucket", "bucket_name"),
        Broken("half a set of keys", lambda s: s.options(secret_key=None),
               "configuration", "misconfigured", ""),
        Broken("the bucket in the endpoint",
               lambda s: s.options(endpoint_url=f"{s.server.endpoint_url}/{s.bucket}"),
               "dns", "has the path", "['endpoint_url'] = 'http://127.0.0.1:"),
        Broken("a host that does not exist",
               lambda s: s.options(endpoint_url="http://s3.no-such-host.invalid"),
               "dns", "has no address", "endpoint_url"),
        Broken("virtual addressing without a wildcard in the DNS",
               lambda s: s.options(endpoint_url="http://no-such-host.invalid",
                                   addressing_style="virtual"),
               "dns", "has no address", "['addressing_style'] = 'path'"),
        Broken("a port where nothing listens",
               lambda s: s.options(endpoint_url=f"http://127.0.0.1:{free_port()}"),
               "connection", "accepts no connection", "Start the server"),
        Broken("a proxy that does not run",
               lambda s: s.options(proxies={"http": f"http://joe:hunter2@127.0.0.1:{free_port()}"}),
               "connection", "The proxy at 127.0.0.1", "proxies"),
        Broken("https to a port of plain http",
               lambda s: s.options(endpoint_url=s.server.endpoint_url.replace("http:", "https:")),
               "tls", "does not speak TLS", "['endpoint_url'] = 'http://127.0.0.1:"),
        Broken("http to a port of TLS", _http_to_tls,
               "server", "speaks TLS", "['endpoint_url'] = 'https://127.0.0.1:"),
        Broken("a certificate that nobody trusts", _certificate_of("localhost"),
               "tls", "is not accepted", "['verify'] = '/path/to/ca.pem'"),
        Broken("a certificate of another host", _certificate_of("other.example.com"),
               "tls", "is not accepted", "Write the host for which the certificate was made"),
        Broken("a certificate that has expired", _certificate_of("localhost", days=-1),
               "tls", "is not accepted", "Renew the certificate"),
        Broken("a console instead of the API",
               lambda s: s.options(endpoint_url="http://" + s.serve(
                   answer("200 OK", "<html>", Content_Type="text/html"))),
               "server", "is not an S3 server", "address of the S3 API"),
        Broken("a clock that is an hour late", _other_clock,
               "clock", "60 minutes behind", "timedatectl"),
    ],
    "credentials": [
        Broken("no keys at all", _no_keys, "credentials", "No credentials were found", ""),
        Broken("a profile that does not exist", _profile, "configuration", "no-such-profile", ""),
        Broken("an access key that nobody has", lambda s: s.options(access_key="AKIAOFNOBODY"),
               "credentials", "knows no such access key", "explain media"),
        Broken("a secret key of another", lambda s: s.options(secret_key="hunter2"),
               "credentials", "the secret key is not that of this access key",
               "Correct secret_key"),
        Broken("a session token that has expired", _expired_token,
               "credentials", "token has expired", "role_arn"),
    ],
    "bucket and rights": [
        Broken("a bucket that does not exist",
               lambda s: s.options(bucket_name="no-such-bucket-here"),
               "bucket", "does not exist", "manage.py buckets create media"),
        Broken("a bucket in another region", _other_region,
               "region", "not in the region 'us-east-1'", "['region_name'] = 'eu-central-1'"),
        Broken("a signature for another region", _redirected,
               "region", "not in the region 'us-east-1'", "['region_name'] = 'eu-central-1'"),
        Broken("a bucket of somebody else", lambda s: s.options(s.user.server),
               "list", "cannot be listed", "s3:ListBucket"),
        Broken("no right to list", lambda s: s.all_but("s3:ListBucket"),
               "list", "do not allow s3:ListBucket",
               '{"StringLikeIfExists": {"s3:prefix": "media/*"}}'),
        Broken("no right to write", lambda s: s.all_but("s3:PutObject"),
               "put", "do not allow s3:PutObject",
               '"Action": "s3:PutObject", "Resource": "arn:aws:s3:::'),
        Broken("no right to read", lambda s: s.all_but("s3:GetObject"),
               "get", "do not allow s3:GetObject", '"Action": "s3:GetObject"'),
        Broken("no right to delete", lambda s: s.all_but("s3:DeleteObject"),
               "bulk delete", "do not allow s3:DeleteObject", '"Action": "s3:DeleteObject"'),
        Broken("no right to give up an upload", lambda s: s.all_but("s3:AbortMultipartUpload"),
               "multipart", "do not allow s3:AbortMultipartUpload",
               '"Action": "s3:AbortMultipartUpload"'),
        Broken("no right to set an ACL",
               _no_public_acls, "put", "s3:PutObjectAcl", "['default_acl'] = None"),
        Broken("a quota that is used up", _over_quota, "put", "quota", "buckets usage media"),
        Broken("a storage class that does not exist",
               lambda s: s.options(object_parameters={"StorageClass": "GLACIER_IR"}),
               "put", "with StorageClass='GLACIER_IR'", "Correct StorageClass"),
    ],
    "what is between": [
        Broken("a cache that changes content",
               lambda s: s.proxy(method="GET", path="smart-storages-check", corrupt_at=3),
               "get", "other content", "proxy"),
        Broken("a cache that ignores ranges", _no_ranges,
               "range", "Ranges are ignored", "Range header"),
        Broken("a server that asks to slow down", lambda s: s.proxy(method="PUT", status=503),
               "put", "slow down", "limit"),
        Broken("a gateway that fails", lambda s: s.proxy(method="HEAD", status=500),
               "head", "answered 500", "whoever runs the server"),
    ],
    "provider": [
        Broken("a provider that promises conditions",
               lambda s: s.options(provider="minio"),
               "multipart", "If-None-Match of an upload in parts is not honoured",
               "Name the provider"),
        Broken("a provider that promises checksums",
               lambda s: s.options(provider="aws", addressing_style="path"),
               "checksums", "wrong CRC32", "Name the provider", first=False),
        Broken("a bucket with versions, in which conditions are ignored", _versions,
               "if-none-match", "not honoured", "Name the provider"),
        Broken("a server that knows no bulk delete",
               lambda s: s.proxy(method="POST", query="delete", unasked=True,
                                 answer=error("501 Not Implemented", "NotImplemented")),
               "bulk delete", "501 NotImplemented", "Name the provider"),
    ],
    "what others may do": [
        Broken("private files that anybody may read", _public_by_policy("s3:GetObject"),
               "public", "Anybody may read", "put-public-access-block"),
        Broken("a list that anybody may read", _public_by_policy("s3:ListBucket"),
               "public list", "Anybody may list", "put-bucket-acl"),
        Broken("a bucket that anybody may write to", _public_by_policy("s3:PutObject"),
               "public write", "Anybody may write", "--acl private"),
        Broken("public files that nobody may read", lambda s: s.options(querystring_auth=False),
               "public", "Nobody may read", '"Principal": "*", "Action": "s3:GetObject"'),
        Broken("a domain that leads elsewhere", _custom_domain,
               "url", "answered 404", "s3:GetObject"),
        Broken("an address of browsers that does not answer",
               lambda s: s.options(public_endpoint_url=f"http://127.0.0.1:{free_port()}"),
               "url", "does not answer a browser", "Correct public_endpoint_url"),
        Broken("a page that may not upload", _cors,
               "cors", "cannot upload straight", "buckets policy media --cors"),
    ],
}  # fmt: skip
