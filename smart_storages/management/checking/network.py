"""Steps before the first signed request: name, connection, TLS, server, clock."""

from __future__ import annotations

import os
import socket
import ssl
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Optional, Tuple
from urllib.parse import urlsplit

from botocore.httpsession import get_cert_path

from smart_storages.management.checking.advice import option
from smart_storages.management.checking.findings import FaultError, NotApplicableError
from smart_storages.management.checking.probe import TIMEOUT, Probe

__all__ = ["check_clock", "check_connection", "check_name", "check_server", "check_tls"]

#: AWS refuses a request whose clock is further off than this; Ceph and MinIO do the same.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_LARGEST_SKEW = 15 * 60
_NOTEWORTHY_SKEW = 60
_PORTS = {"http": 80, "https": 443}


def _address(url: str) -> Tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)


def _peer(probe: Probe) -> Tuple[str, int]:
    """What a connection is opened to: the server, or the proxy before it."""
    return _address(probe.proxy or probe.base_url)


def _is_https(probe: Probe) -> bool:
    return urlsplit(probe.base_url).scheme == "https"


def check_name(probe: Probe) -> str:
    """The host of the server, or of the proxy, has an address."""
    path = urlsplit(probe.storage.endpoint_url or "").path.strip("/")
    if path:
        raise FaultError(
            f"The endpoint_url has the path {path!r}.",
            "The bucket and the key come after the endpoint, so that every request goes to "
            "another place.",
            f"Write the server alone: {option(probe, 'endpoint_url', _without_path(probe))}",
        )
    host, port = _peer(probe)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        what = "the proxy" if probe.proxy else "the server"
        raise FaultError(
            f"The name of {what}, {host!r}, has no address.",
            f"The DNS said: {getattr(error, 'strerror', None) or error}.",
            _fix_of_name(probe, host),
        ) from None
    return f"{host} is {found[0][4][0]}"


def _without_path(probe: Probe) -> str:
    parts = urlsplit(probe.storage.endpoint_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _fix_of_name(probe: Probe, host: str) -> str:
    if probe.proxy:
        return "Correct the option proxies, or HTTPS_PROXY in the environment."
    endpoint = urlsplit(probe.storage.endpoint_url or "").hostname or ""
    if endpoint and host != endpoint and host.endswith(endpoint):
        # Virtual addressing needs a wildcard in the DNS.
        return option(probe, "addressing_style", "path")
    if endpoint:
        return "Correct endpoint_url, or the DNS of this machine."
    return "Correct region_name and bucket_name, or the DNS of this machine."


def check_connection(probe: Probe) -> str:
    """The port of the server, or of the proxy, accepts connections."""
    host, port = _peer(probe)
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except OSError as error:
        waited = isinstance(error, socket.timeout)
        why = f"no answer within {TIMEOUT:g} s" if waited else error.strerror or str(error)
        what = "proxy" if probe.proxy else "server"
        name = "proxies" if probe.proxy else "endpoint_url"
        raise FaultError(
            f"The {what} at {host}:{port} accepts no connection.",
            f"{why[:1].upper()}{why[1:]}.",
            f"Start the {what}, correct the port in {name}, or open the firewall for it.",
        ) from None
    return f"{host}:{port} accepts connections"


def check_tls(probe: Probe) -> str:
    """The certificate is valid for the host, and trusted."""
    if probe.proxy:
        raise NotApplicableError("the proxy makes the connection")
    host, port = _address(probe.base_url)
    if not _is_https(probe):
        _warn_of_plain_http(host)
        return "plain HTTP on this machine"
    try:
        version = _shake_hands(probe, host, port)
    except ssl.SSLCertVerificationError as error:
        raise FaultError(
            f"The certificate of {host} is not accepted.",
            f"{error.verify_message[:1].upper()}{error.verify_message[1:]}.",
            _fix_of_certificate(probe, error.verify_message),
        ) from None
    except OSError as error:
        plain = isinstance(error, ssl.SSLError) and "WRONG_VERSION" in str(error).upper()
        why = "It speaks plain HTTP there." if plain else f"{error}."
        fix = f"http://{host}:{port}" if plain else ""
        raise FaultError(
            f"The server at {host}:{port} does not speak TLS.",
            why,
            option(probe, "endpoint_url", fix) if fix else "Check what answers on that port.",
        ) from None
    if probe.storage.verify is False:
        raise FaultError(
            "The certificate is not verified.",
            "'verify' is False: anybody between here and the server can read and change files.",
            "Give the path of the CA's certificate: " + option(probe, "verify", "/path/to/ca.pem"),
            serious=False,
        )
    return str(version)


def _shake_hands(probe: Probe, host: str, port: int) -> Optional[str]:
    verify: Any = probe.storage.verify
    if verify is None:
        verify = os.environ.get("AWS_CA_BUNDLE") or True
    context = ssl.create_default_context(cafile=get_cert_path(verify or True))
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((host, port), TIMEOUT) as plain:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            return secure.version()


def _fix_of_certificate(probe: Probe, said: str) -> str:
    if "expired" in said:
        return "Renew the certificate of the server, and check the clock of this machine."
    if "match" in said or "valid for" in said:
        if "." in probe.bucket:
            return option(probe, "addressing_style", "path")
        return "Write the host for which the certificate was made into endpoint_url."
    return "Give the path of the CA's certificate: " + option(probe, "verify", "/path/to/ca.pem")


def _warn_of_plain_http(host: str) -> None:
    if not _is_loopback(host):
        raise FaultError(
            "Files travel unencrypted.",
            "The endpoint_url begins with http:, and the server is another machine.",
            "Use an https: address, unless the network between is your own.",
            serious=False,
        )


def _answers_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), TIMEOUT) as plain:
            with context.wrap_socket(plain, server_hostname=host):
                return True
    except OSError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_server(probe: Probe) -> str:
    """What answers there is an S3 server."""
    try:
        answer = probe.stranger
    except FaultError:
        _refuse_plain_http(probe)
        raise
    is_s3 = any(name.startswith(("x-amz-", "x-guploader-")) for name in answer.headers)
    is_xml = b"<Error" in answer.body or b"ListBucketResult" in answer.body
    if not (is_s3 or is_xml):
        _refuse_plain_http(probe)
        kind = answer.headers.get("content-type", "nothing that says what it is")
        raise FaultError(
            "What answers at the endpoint is not an S3 server.",
            f"It answered {answer.status} with {kind}.",
            "Write the address of the S3 API into endpoint_url; a console or a web page of the "
            "server often has another port.",
        )
    return answer.headers.get("server", "answers as S3 does")


def _refuse_plain_http(probe: Probe) -> None:
    host, port = _address(probe.base_url)
    if _is_https(probe) or probe.proxy or not _answers_tls(host, port):
        return
    raise FaultError(
        f"The server at {host}:{port} speaks TLS, and endpoint_url says http.",
        "A plain request is refused there.",
        option(probe, "endpoint_url", f"https://{host}:{port}"),
    ) from None


def check_clock(probe: Probe) -> str:
    """The clock of this machine agrees with that of the server."""
    said = probe.stranger.headers.get("date")
    try:
        theirs = parsedate_to_datetime(said or "")
    except (TypeError, ValueError):
        raise NotApplicableError("the server does not tell its time") from None
    skew = (datetime.now(timezone.utc) - theirs.astimezone(timezone.utc)).total_seconds()
    text = f"{abs(skew) / 60:.0f} minutes" if abs(skew) > _NOTEWORTHY_SKEW else f"{abs(skew):.0f} s"
    if abs(skew) > _NOTEWORTHY_SKEW:
        raise FaultError(
            f"The clock of this machine is {text} {'ahead of' if skew > 0 else 'behind'} the "
            "server's.",
            "S3 refuses signatures that are more than 15 minutes off, and signed URLs expire early "
            "or late.",
            "Set the clock, and keep it by NTP: timedatectl set-ntp true.",
            serious=abs(skew) >= _LARGEST_SKEW,
        )
    return f"within {text}"
