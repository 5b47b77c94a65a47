"""Requests to Google Cloud Storage: one connection for each distinct set of credentials.

The credentials, and the session that sends requests with them, are those of ``google-auth``, as in
``google-cloud-storage``. The requests are made here: that library needs two to open a file and to
know its version, and it gives an upload up of which Google has kept a part of what was sent.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from threading import Lock
from typing import Any, Callable, Dict, FrozenSet, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlencode

import google.auth
import requests
import urllib3
from django.utils.module_loading import import_string
from google.auth.credentials import AnonymousCredentials, with_scopes_if_required
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import AuthorizedSession

from smart_storages.backends.django_errors import describe_error
from smart_storages.backends.gcs_errors import denied, raise_for, strange_answer
from smart_storages.backends.s3.errors.logs import redact_logs
from smart_storages.backends.s3.requests.retries import pause
from smart_storages.common import recording
from smart_storages.config.values import is_of_google
from smart_storages.exceptions import ConfigurationError, S3Error

__all__ = ["TRIES", "Answer", "GoogleConnection", "connection_of", "path_of"]

_ENDPOINT = "https://storage.googleapis.com"
#: What Google's own libraries read to find an emulator.
_EMULATOR = "STORAGE_EMULATOR_HOST"
_SCOPES = ("https://www.googleapis.com/auth/devstorage.full_control",)
#: To let Google sign in place of a key of one's own.
_SCOPES_TO_SIGN = ("https://www.googleapis.com/auth/cloud-platform",)

#: Statuses after which a request is sent again.
#: https://cloud.google.com/storage/docs/retry-strategy
_TEMPORARY: FrozenSet[int] = frozenset({0, 408, 429, 500, 502, 503, 504})
#: With the pauses in between, at most seven seconds and the time of the requests.
TRIES = 4
_TIMEOUT = (10, 60)
#: Connections that are kept, for as many threads.
_KEPT = 64

#: What goes wrong between here and the service; it may help to send a request again.
_LOST = (requests.RequestException, urllib3.exceptions.HTTPError, TransportError, ConnectionError)


class Answer(NamedTuple):
    """The answer to one request, or that there was none.

    Args:
        status: Its HTTP status, 0 if there was no answer.
        headers: Its headers; their names may be asked for in any case.
        content: Its body, as it was sent; without an answer, the name of the error.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_temporary(self) -> bool:
        """Whether the request may succeed if it is sent again."""
        return self.status in _TEMPORARY

    def json(self) -> Dict[str, Any]:
        """Return the object that the body describes.

        Raises:
            UnreachableError: it describes none.
        """
        with suppress(ValueError):
            found = json.loads(self.content)
            if isinstance(found, dict):
                return found
        raise strange_answer()


class _Key(NamedTuple):
    endpoint: str
    credentials: Any
    signs_by_iam: bool
    email: Optional[str]
    is_emulator: bool


_connections: Dict[_Key, GoogleConnection] = {}
_making = Lock()


def _begin_anew() -> None:
    # A forked child must not use the sockets of its parent, nor wait for a thread that it has not.
    global _making  # noqa: PLW0603
    _making = Lock()
    for connection in _connections.values():  # files that are open have it
        connection.begin_anew()
    _connections.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def connection_of(options: Mapping[str, Any], endpoint: Optional[str] = None) -> GoogleConnection:
    """Return the connection of everybody who has the same credentials.

    Args:
        options: The options of the backend, by the names of django-storages.
        endpoint: Where the service is, if not where Google has it.
    """
    emulator = None if endpoint else os.environ.get(_EMULATOR)
    if emulator and "://" not in emulator:
        emulator = f"http://{emulator}"
    key = _Key(
        (endpoint or emulator or _ENDPOINT).rstrip("/"),
        options.get("credentials"),
        bool(options.get("iam_sign_blob")),
        options.get("sa_email"),
        bool(emulator),
    )
    connection = _connections.get(key)
    if connection is None:
        with _making:
            connection = _connections.setdefault(key, GoogleConnection(key))
    return connection


def path_of(bucket: str, key: Optional[str] = None) -> str:
    """Return the path of a bucket's objects in the JSON API, or of one of them."""
    path = f"/storage/v1/b/{quote(bucket, safe='')}/o"
    return path if key is None else f"{path}/{quote(key, safe='')}"


class GoogleConnection:
    """What sends requests with one set of credentials. Its methods may be called from any thread.

    Nothing is read and nothing sent before the first request.
    """

    def __init__(self, key: _Key) -> None:
        self._key = key
        self.endpoint = key.endpoint
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the sockets and the credentials."""
        self._lock = Lock()
        self._made: Optional[Tuple[Any, AuthorizedSession]] = None

    @property
    def signs_by_iam(self) -> bool:
        """Whether Google is asked to sign."""
        return self._key.signs_by_iam

    @property
    def email(self) -> Optional[str]:
        """The account that signs, if it is not that of the credentials."""
        return self._key.email

    @property
    def credentials(self) -> Any:
        """The credentials of ``google-auth``."""
        return self._ready()[0]

    def _ready(self) -> Tuple[Any, AuthorizedSession]:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    credentials = self._find_credentials()
                    self._made = credentials, _make_session(credentials)
                    redact_logs()  # urllib3 logs URLs, also those of uploads
        return self._made

    def _find_credentials(self) -> Any:
        given = self._key.credentials
        scopes = _SCOPES_TO_SIGN if self.signs_by_iam else _SCOPES
        if given is None and self._key.is_emulator:
            return AnonymousCredentials()
        if given is None:
            made, reason = _try(lambda: google.auth.default(scopes=scopes)[0])
            if not reason:
                return made
            path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
            raise ConfigurationError(
                f"GOOGLE_APPLICATION_CREDENTIALS is {path!r}, and that is not the file of "
                f"credentials of Google: {reason}."
                if path
                else "It has no credentials of Google, and the environment has none. Set "
                "credentials or GS_CREDENTIALS, or GOOGLE_APPLICATION_CREDENTIALS."
            )
        made, reason = _try(lambda: import_string(given)) if isinstance(given, str) else (given, "")
        if not reason and (not is_of_google(made) or isinstance(made, type)):
            made, reason = _try(made)
        if reason:
            raise ConfigurationError(f"Its credentials cannot be made: {reason}.")
        if not is_of_google(made):
            raise ConfigurationError(
                "Its credentials must be an object of google.auth.credentials.Credentials, or a "
                f"function that returns one, not {type(made).__name__}."
            )
        return with_scopes_if_required(made, scopes)

    def attempt(
        self,
        method: str,
        url: str,
        *,
        headers: Optional[Mapping[str, str]] = None,
        body: bytes = b"",
    ) -> Answer:
        """Send a request once, and return its answer.

        Args:
            method: Its HTTP method.
            url: The whole URL, or what follows the endpoint.
            headers: Its headers, without those of the credentials.
            body: Its body.

        Raises:
            AccessDeniedError: the credentials are refused before it is sent.
        """
        _, session = self._ready()
        recording.count_request()
        try:
            response = session.request(
                method,
                url if "://" in url else self.endpoint + url,
                data=body,
                headers={"Accept-Encoding": "identity", **(headers or {})},
                timeout=_TIMEOUT,
                stream=True,
                allow_redirects=False,
            )
            with response:
                # As it was sent: the library would decompress it.
                content = response.raw.read(decode_content=False)
            is_whole = len(content) == _announced(response.headers, len(content))
        except _LOST as error:
            return Answer(0, {}, type(error).__name__.encode())
        except GoogleAuthError as error:
            problem = denied(type(error).__name__)
        except (OSError, ValueError) as error:  # of credentials of a project's own, for instance
            problem = S3Error(f"The request was not sent: {describe_error(error)}.")
        else:
            if not is_whole:
                return Answer(0, {}, b"IncompleteRead")
            return Answer(response.status_code, response.headers, content)
        # Past the library's frames, whose variables hold a token: Django's debug page shows them.
        raise problem

    def send(
        self,
        method: str,
        path: str,
        query: Optional[Mapping[str, Any]] = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        body: bytes = b"",
        accepts: Tuple[int, ...] = (200,),
    ) -> Answer:
        """Send a request, again if it may help, and return its answer.

        Args:
            method: Its HTTP method.
            path: Its path.
            query: Its parameters; those that are ``None`` are left out.
            headers: Its headers, without those of the credentials.
            body: Its body.
            accepts: Statuses of answers that are no errors.

        Raises:
            FileNotFoundError: there is no such object.
            FileExistsError: the object is not the one that the request is for.
            S3Error: anything else that the service refuses, or it does not answer.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{path}?{urlencode(given, quote_via=quote)}" if given else path
        answer = self.attempt(method, url, headers=headers, body=body)
        failures = 0
        while answer.is_temporary and failures < TRIES - 1:
            failures += 1
            pause(failures)
            answer = self.attempt(method, url, headers=headers, body=body)
        if answer.status not in accepts:
            raise_for(answer.status, answer.content, is_doubtful=failures > 0)
        return answer


def _try(make: Callable[[], Any]) -> Tuple[Any, str]:
    """Return what a function makes, or why it fails.

    Not what it raises: a missing file of credentials is no missing file of a storage, and the text
    of an error may show a key.
    """
    try:
        return make(), ""
    except ImportError as error:  # names modules alone
        return None, str(error)
    except OSError as error:
        return None, f"{error.strerror or type(error).__name__}: {error.filename!r}"
    except Exception as error:
        return None, describe_error(error)


def _announced(headers: Mapping[str, str], otherwise: int) -> int:
    span = headers.get("content-range", "").rpartition(" ")[2].partition("/")[0]
    first, _, last = span.partition("-")
    if first.isdecimal() and last.isdecimal():
        return int(last) - int(first) + 1
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else otherwise


def _make_session(credentials: Any) -> AuthorizedSession:
    session = AuthorizedSession(credentials)
    adapter = requests.adapters.HTTPAdapter(pool_connections=4, pool_maxsize=_KEPT)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Else requests takes a password of ~/.netrc for the host, and sends it in place of the token.
    session.auth = lambda request: request
    return session
