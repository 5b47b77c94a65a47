"""Every private name of botocore and urllib3 that the package uses, and nothing else.

Any release may remove them. ``tests/backends/s3/test_private_names.py`` fails then, and CI runs it
every week against the newest releases. If a name is missing that is not essential, its function
returns ``None`` or ``False``, and botocore's client sends the request.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional

from botocore.exceptions import ClientError

__all__ = [
    "InterceptsCalls",
    "InterceptsReturns",
    "borrow_connection",
    "credentials_of",
    "emitter_of",
    "expiry_of",
    "given_options",
    "handlers_of",
    "handlers_version",
    "lends_connections",
    "may_connect_directly",
    "pool_classes_of",
    "prepare_connection",
    "redirects_of",
    "return_connection",
    "session_of",
    "verify_of",
]


# Of a client


def credentials_of(client: Any) -> Any:
    """Return the credentials that a client signs with, ``None`` if it has none."""
    return getattr(getattr(client, "_request_signer", None), "_credentials", None)


def session_of(client: Any) -> Any:
    """Return what a client sends its requests with."""
    return getattr(getattr(client, "_endpoint", None), "http_session", None)


class InterceptsCalls:
    """For a class of clients to inherit from, in front of botocore's own class.

    It also ends botocore's search for a region that no answer names.
    """

    def call_api(self, send: Any, operation_name: str, params: Mapping[str, Any]) -> Any:
        """Make a call with ``send(operation_name, params)``; a subclass adds to this."""
        return send(operation_name, params)

    def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
        send: Any = super()._make_api_call  # type: ignore[misc]
        if operation_name == "HeadBucket":
            send = partial(_send_outermost, send)
        return self.call_api(send, operation_name, api_params)


#: Whether this thread is in a call of HeadBucket.
_in_head_bucket = threading.local()


def _send_outermost(send: Any, operation_name: str, params: Mapping[str, Any]) -> Any:
    # After a redirect that names no region, botocore itself asks for the region with HeadBucket. If
    # that is redirected in the same way, it asks again, until Python's stack is full.
    if getattr(_in_head_bucket, "now", False):
        answer: Any = {
            "Error": {"Code": "PermanentRedirect", "Message": "The answer names no region."},
            "ResponseMetadata": {"HTTPStatusCode": 301, "HTTPHeaders": {}},
        }
        raise ClientError(answer, operation_name)
    _in_head_bucket.now = True
    try:
        return send(operation_name, params)
    finally:
        _in_head_bucket.now = False


# Of its event handlers


def emitter_of(client: Any) -> Any:
    """Return what keeps the event handlers of a client; it holds no reference to the client."""
    return getattr(client.meta.events, "_emitter", None)


def handlers_version(emitter: Any) -> Any:
    """Return an object that botocore replaces when a handler comes or goes."""
    return getattr(emitter, "_lookup_cache", None)


def handlers_of(emitter: Any, events: Iterable[str]) -> Optional[List[Any]]:
    """Return the handlers of some events; ``None`` if they, or changes of them, cannot be seen."""
    trie = getattr(emitter, "_handlers", None)
    if trie is None or handlers_version(emitter) is None:
        return None
    return [handler for event in events for handler in trie.prefix_search(event)]


def redirects_of(handlers: Iterable[Any]) -> Optional[Mapping[str, Any]]:
    """Return botocore's own notes, by bucket, of the region to which S3 redirected a client."""
    for handler in handlers:
        if getattr(handler, "__name__", "") == "redirect_from_cache":
            found: Optional[Mapping[str, Any]] = getattr(handler.__self__, "_cache", None)
            return found
    return None


# Of what it sends requests with


def may_connect_directly(session: Any, url: str) -> bool:
    """Tell whether no proxy stands before a URL; ``False`` as well if that cannot be seen."""
    proxies = getattr(session, "_proxy_config", None)
    if proxies is None or not hasattr(session, "_verify"):
        return False
    return not proxies.proxy_url_for(url)


def verify_of(session: Any) -> Any:
    """Return the option ``verify``: whether to verify certificates, or the path of a bundle."""
    return session._verify


def pool_classes_of(session: Any) -> Optional[Dict[str, Any]]:
    """Return the very dict of a session's classes of connection pools, by scheme of the URL."""
    return getattr(session, "_pool_classes_by_scheme", None)


# Of a Config, and of credentials


def given_options(config: Any) -> Mapping[str, Any]:
    """Return what was set in a Config, without the defaults; ``Config.merge`` goes by it too."""
    found: Mapping[str, Any] = config._user_provided_options
    return found


def expiry_of(credentials: Any) -> Any:
    """Return the ``datetime`` at which temporary credentials end, ``None`` for lasting ones."""
    return getattr(credentials, "_expiry_time", None)


# Of urllib3's pools


def lends_connections(pool: Any) -> bool:
    """Tell whether a pool, or a class of them, has the methods that are used here."""
    return all(hasattr(pool, name) for name in ("_get_conn", "_put_conn", "_validate_conn"))


def borrow_connection(pool: Any) -> Any:
    """Take a connection out of a pool, perhaps one that is not connected yet."""
    return _open_connection(pool._get_conn, pool._put_conn)


def _open_connection(get: Callable[[], Any], put: Callable[[Any], None]) -> Any:
    # The garbage collector finalizes everything in a cycle: a file that nobody closed, which puts
    # its connection back, and after that the socket of it. urllib3 cannot ask a closed socket
    # whether it is still connected.
    try:
        return get()
    except ValueError:
        put(None)  # in its place
        return get()


def return_connection(pool: Any, connection: Any) -> None:
    """Put a connection back, or ``None`` in the place of one that was closed."""
    pool._put_conn(connection)


def prepare_connection(pool: Any, connection: Any) -> None:
    """Have a new connection verify certificates; some releases of urllib3 connect it as well."""
    pool._validate_conn(connection)


class InterceptsReturns:
    """For a class of pools to inherit from, in front of urllib3's own class."""

    def _get_conn(self, timeout: Any = None) -> Any:
        get, put = super()._get_conn, super()._put_conn  # type: ignore[misc]
        return _open_connection(lambda: get(timeout), put)

    def connection_returns(self, put: Any, connection: Any) -> None:
        """Put a connection back with ``put(connection)``; a subclass adds to this."""
        put(connection)

    def _put_conn(self, conn: Any) -> None:
        put = super()._put_conn  # type: ignore[misc]
        self.connection_returns(put, conn)
