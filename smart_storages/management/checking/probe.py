"""What the steps of one check share: the place, a patient client, temporary keys, what was seen."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import unquote, urlsplit

import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from smart_storages.backends.s3.clients.pool import freeze_client_config
from smart_storages.common.secrets import reveal
from smart_storages.management.checking.findings import FaultError, NotApplicableError
from smart_storages.management.places import Place
from smart_storages.storages import client_pool

__all__ = [
    "BODY",
    "DENIED",
    "ERRORS",
    "TIMEOUT",
    "UNKNOWN",
    "Answer",
    "Probe",
    "code_of",
    "put",
    "require_writing",
]

#: Seconds to wait for a connection, and for each answer.
TIMEOUT = 10.0
BODY = b"A temporary object of manage.py buckets check; it may be deleted.\n"
_NAME = "smart-storages-check"

#: What a signed request may raise.
ERRORS = (BotoCoreError, ClientError)
#: Codes of what is not allowed, and of what the server does not know.
DENIED = ("AccessDenied", "AllAccessDisabled", "Forbidden", "403")
UNKNOWN = ("NotImplemented", "MethodNotAllowed", "501", "405")


class Answer(NamedTuple):
    """An answer to a request that nobody signed, or whose URL is signed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of S3's error, ``""`` if there is none."""
        _, _, rest = self.body.partition(b"<Code>")
        return rest.partition(b"</Code>")[0].decode("latin-1") if rest else ""


def _login_of(proxy: str) -> Dict[str, str]:
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    headers: Dict[str, str] = urllib3.util.make_headers(proxy_basic_auth=login)
    return headers


def code_of(error: BaseException) -> Tuple[int, str]:
    """Return the HTTP status and S3's code of an error; ``(0, "")`` if there was no answer."""
    answer: Dict[str, Any] = getattr(error, "response", None) or {}
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    return status, str(answer.get("Error", {}).get("Code") or "")


def require_writing(probe: Any) -> None:
    """Leave a step that writes, if the module is only read.

    Raises:
        NotApplicableError: it is.
    """
    if probe.place.read_only:
        raise NotApplicableError("the module is only read", blocks=True)


class TemporaryFiles:
    """The names of the temporary files of one check.

    Args:
        place: The module; its configuration is sound.
        origins: Origins of web pages that upload straight to the bucket.
    """

    def __init__(self, place: Place, origins: Tuple[str, ...] = ()) -> None:
        self.place, self.origins = place, origins
        self.storage: Any = place.storage
        #: The keys that could not be removed.
        self.left: List[str] = []
        self._name = f"{_NAME}-{uuid.uuid4().hex[:12]}"
        self._keys: List[str] = []

    def name(self, suffix: str = "") -> str:
        """Return the name of a temporary file; it is removed at the end."""
        name = f"{self._name}{suffix}.txt"
        key = self.storage.get_key(name)
        if key not in self._keys:
            self._keys.append(key)
        return name

    def key(self, suffix: str = "") -> str:
        """Return the key of a temporary file; it is removed at the end."""
        key: str = self.storage.get_key(self.name(suffix))
        return key

    @property
    def keys(self) -> List[str]:
        """The keys that may have been written."""
        return list(self._keys)


class Probe(TemporaryFiles):
    """One check of one place.

    Args:
        place: The module; its configuration is sound and it has a bucket.
        origins: Origins of web pages that upload straight to the bucket.
    """

    def __init__(self, place: Place, origins: Tuple[str, ...] = ()) -> None:
        super().__init__(place, origins)
        self.bucket: str = self.storage.bucket_name
        #: Features that were seen, by their name in the table of providers.
        self.seen: Dict[str, bool] = {}
        #: What a step leaves for a later one.
        self.put_answer: Dict[str, Any] = {}
        self.uploads: List[Tuple[str, str]] = []

    @property
    def may_have_written(self) -> bool:
        """Whether there may be something to remove."""
        return bool(self._keys) and "client" in vars(self)

    @property
    def wrote(self) -> bool:
        """Whether the temporary object exists."""
        return bool(self.put_answer)

    @property
    def sample(self) -> str:
        """The key of an object that can be read: the temporary one, or one that was there."""
        if self.wrote:
            return self.key()
        found = [each["Key"] for each in (self.listing or {}).get("Contents", ()) if each["Size"]]
        if not found:
            raise NotApplicableError("there is no object to read", blocks=True)
        return str(found[0])

    # Signed

    @cached_property
    def client(self) -> Any:
        """A client like the storage's, which gives up sooner."""
        connection = self.storage.get_connection()
        patient = freeze_client_config(
            Config(connect_timeout=TIMEOUT, read_timeout=3 * TIMEOUT, retries={"max_attempts": 1})
        )
        options = {**dict(connection.client_config), **dict(patient)}
        return client_pool.client(
            replace(connection, client_config=tuple(sorted(options.items(), key=lambda o: o[0])))
        )

    def parameters(self, name: str) -> Dict[str, Any]:
        """Return the parameters with which the storage writes a file."""
        parameters: Dict[str, Any] = self.storage._get_write_parameters(name)
        return {**parameters, "ContentType": "text/plain"}

    @cached_property
    def _listed(self) -> Tuple[Optional[Dict[str, Any]], Optional[BaseException]]:
        try:
            answer = self.client.list_objects_v2(
                Bucket=self.bucket, Prefix=self.place.location, MaxKeys=10
            )
        except ERRORS as error:
            return None, error
        return answer, None

    @property
    def listing(self) -> Optional[Dict[str, Any]]:
        """The first page of the location, ``None`` if it was refused."""
        return self._listed[0]

    @property
    def listing_error(self) -> Optional[BaseException]:
        """Why the first page was refused."""
        return self._listed[1]

    # Unsigned

    @cached_property
    def base_url(self) -> str:
        """The URL of the bucket, as the storage addresses it, with a slash at its end."""
        connection = replace(self.storage.get_connection(), signed=False)
        signer = self.storage.get_pooled_signer(connection)
        return str(signer.url("get_object", "k", None, expires=60))[: -len("k")]

    @cached_property
    def proxy(self) -> Optional[str]:
        """The proxy through which the storage reaches its server, if any."""
        given = {key: reveal(each) for key, each in (self.storage.proxies or {}).items()}
        found = given or get_environ_proxies(self.base_url)
        url = found.get(urlsplit(self.base_url).scheme)
        return str(url) if url else None

    @cached_property
    def _pool(self) -> Any:
        verify = self.storage.verify
        if verify is None:
            verify = os.environ.get("AWS_CA_BUNDLE") or True
        options: Dict[str, Any] = {
            "retries": False,
            "timeout": TIMEOUT,
            "cert_reqs": "CERT_NONE" if verify is False else "CERT_REQUIRED",
            "ca_certs": None if verify is False else get_cert_path(verify),
        }
        if self.proxy is None:
            return urllib3.PoolManager(**options)
        return urllib3.ProxyManager(self.proxy, proxy_headers=_login_of(self.proxy), **options)

    def ask(
        self,
        method: str,
        url: str,
        headers: Optional[Mapping[str, str]] = None,
        body: Optional[bytes] = None,
    ) -> Answer:
        """Send a request as somebody without credentials would, and return the answer.

        Raises:
            urllib3.exceptions.HTTPError: there was none.
        """
        answer = self._pool.request(
            method, url, headers=dict(headers or {}), body=body, redirect=False
        )
        lowered = {key.lower(): value for key, value in answer.headers.items()}
        return Answer(answer.status, lowered, bytes(answer.data))

    @cached_property
    def stranger(self) -> Answer:
        """The answer to somebody without credentials who wants to list the bucket."""
        try:
            return self.ask("GET", f"{self.base_url}?list-type=2&max-keys=1")
        except urllib3.exceptions.HTTPError as error:
            raise FaultError(
                "The server accepts connections, but does not answer a request.",
                f"{type(error).__name__} while waiting for {TIMEOUT:g} s.",
                "Check what stands before the server: a firewall, a load balancer, a proxy.",
            ) from error

    # The end

    def clean_up(self) -> None:
        """Remove every temporary object, with its versions, and every unfinished upload."""
        for key, upload in self.uploads:
            # Most are completed, and there are no more.
            with suppress(*ERRORS):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
        for key in self._keys:
            with suppress(*ERRORS):
                self.client.delete_object(Bucket=self.bucket, Key=key)
            with suppress(*ERRORS):
                self._delete_versions(key)
        self.left = [key for key in self._keys if self._exists(key)]

    def _delete_versions(self, key: str) -> None:
        if "VersionId" not in self.put_answer:
            return
        answer = self.client.list_object_versions(Bucket=self.bucket, Prefix=key)
        for each in (*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())):
            self.client.delete_object(Bucket=self.bucket, Key=key, VersionId=each["VersionId"])

    def _exists(self, key: str) -> bool:
        try:
            self.client.head_object(Bucket=self.bucket, Key=key)
        except ERRORS:
            return False
        return True


def put(probe: Probe, parameters: Dict[str, Any], suffix: str = "", **more: Any) -> Dict[str, Any]:
    """Save a temporary object, and return the answer.

    Args:
        probe: The check.
        parameters: Those of the module.
        suffix: What its name ends with.
        more: Parameters of this request alone.
    """
    answer: Dict[str, Any] = probe.client.put_object(
        Bucket=probe.bucket, Key=probe.key(suffix), Body=BODY, **{**parameters, **more}
    )
    return answer
