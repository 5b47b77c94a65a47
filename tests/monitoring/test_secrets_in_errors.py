"""Whatever fails: no secret is on Django's debug page, in an error or in a log.

Every public method of a storage is called, the list taken from its class, with every failure.
"""

from __future__ import annotations

import inspect
from base64 import b64encode
from contextlib import contextmanager
from hashlib import md5
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from asgiref.sync import async_to_sync
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from django.core.files.base import ContentFile
from django.test import override_settings

from smart_storages.common.aio import TWINS
from smart_storages.common.secrets import Secret
from smart_storages.config import get_bucket_config
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.storages import SmartS3Storage, client_pool
from smart_storages.utils import create_storage_class
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage
from tests import leaks
from tests.servers import S3Proxy
from tests.servers.refusing import RefusingServer

ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=2)
#: Small parts, and what is too long for one.
SMALL = TransferConfig(multipart_threshold=1024)
PARTS = b"x" * 2048
NO_SERVER = "127.0.0.1:9"  # a closed port

# Every public method


#: What a method is called with, by the name of its parameter.
ARGUMENTS: Dict[str, Callable[[], Any]] = {
    "content": lambda: ContentFile(b"x"),
    "content_type": lambda: "text/plain",
    "file_ext": lambda: ".txt",
    "file_root": lambda: "a",
    "filename": lambda: "a.txt",
    "key": lambda: Secret(leaks.SECRET_KEY),  # plain, it would stand in the frame of this file
    "key_id": lambda: "K1",
    "max_size": lambda: 10,
    "name": lambda: "a.txt",
    "names": lambda: ["a.txt", "b.txt"],
    "new_name": lambda: "b.txt",
    "pairs": lambda: [("a.txt", ContentFile(b"x")), ("b.txt", ContentFile(b"y"))],
    "path": lambda: "folder",
    "replace": lambda: True,
    "size": lambda: 10,
}

#: Called with what these return instead, since there is no other way to have it.
SPECIAL: Dict[str, Callable[[Any], Dict[str, Any]]] = {
    "get_pooled_signer": lambda storage: {"connection": storage.get_connection()},
}

#: More that a method does when it is asked to.
MORE: Dict[str, Callable[[Any], Any]] = {
    "copy to a free name": lambda storage: storage.copy("a.txt", "b.txt", to=_keeping(storage)),
    "create with close": lambda storage: storage.open("a.txt", "wb").close(),
    "create in a block": lambda storage: _write(storage, b"x"),
    "create in parts": lambda storage: _write(storage, PARTS),
    "save in parts": lambda storage: storage.save("a.txt", ContentFile(PARTS)),
    "save under a free name": lambda storage: _call(_keeping(storage), "save"),
    "save in parts under a free name": lambda storage: _keeping(storage).save(
        "a.txt", ContentFile(PARTS)
    ),
    "save_many under free names": lambda storage: _call(_keeping(storage), "save_many"),
    "save_many with errors": lambda storage: storage.save_many(
        ARGUMENTS["pairs"](), return_errors=True
    ),
    "stat_many by listing": lambda storage: storage.stat_many([f"{n}.txt" for n in range(9)]),
    "url of a head": lambda storage: storage.url("a.txt", http_method="HEAD"),
    "write_back": lambda storage: _write_back(storage),  # noqa: PLW0108 - defined below
}


def _keeping(storage: SmartS3Storage) -> SmartS3Storage:
    return SmartS3Storage(storage.module_name, file_overwrite=False)


def _write(storage: Any, data: bytes) -> None:
    with storage.open("a.txt", "wb") as file:
        file.write(data)


def _write_back(storage: Any) -> None:
    with storage.local_copy("a.txt", write_back=True) as path:
        path.write_bytes(b"new")


def actions_on(cls: type) -> Dict[str, Callable[[Any], Any]]:
    """Return how to call each public method and property of a class."""
    actions: Dict[str, Callable[[Any], Any]] = {}
    for name in dir(cls):
        static = inspect.getattr_static(cls, name)
        if name.startswith("_") or name in ("config",):
            continue
        if isinstance(static, property):
            actions[name] = lambda storage, name=name: getattr(storage, name)
        elif callable(getattr(cls, name)) and not isinstance(static, type):
            actions[name] = lambda storage, name=name: _call(storage, name)
    return actions


def _call(storage: Any, name: str) -> Any:
    method = getattr(storage, name)
    arguments = SPECIAL[name](storage) if name in SPECIAL else {}
    positional: List[Any] = []
    # An async twin takes what its method takes.
    named = name[1:] if _is_twin(name) else name
    for parameter in inspect.signature(getattr(storage, named)).parameters.values():
        if parameter.name in arguments or parameter.default is not parameter.empty:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = ARGUMENTS[parameter.name]()  # a new parameter wants a line there
        if parameter.kind is parameter.KEYWORD_ONLY:
            arguments[parameter.name] = value
        else:
            positional.append(value)
    if inspect.iscoroutinefunction(method):
        return async_to_sync(method)(*positional, **arguments)
    return method(*positional, **arguments)


def _is_twin(name: str) -> bool:
    return name[0] == "a" and name[1:] in TWINS


def errors_of(action: Callable[[Any], Any], storage: Any) -> List[BaseException]:
    """Return what an action raises, or the errors in what it returns."""
    try:
        result = action(storage)
        if hasattr(result, "__enter__") and not hasattr(result, "read"):
            with result:
                pass
        elif hasattr(result, "read"):
            with result:
                result.read()
        elif inspect.isgenerator(result):
            result = list(result)
    except Exception as error:
        return [error]
    values = result.values() if isinstance(result, dict) else result
    values = values if isinstance(values, (list, tuple, type({}.values()))) else ()
    return [value for value in values if isinstance(value, BaseException)]


def assert_nothing_leaks(storage: Any, actions: Dict[str, Any]) -> int:
    """Perform actions, which may all fail; return how many errors there were."""
    errors: Dict[str, List[BaseException]] = {}
    with leaks.LeakFinder() as logs:
        for name, action in actions.items():
            errors[name] = errors_of(action, storage)
            assert not logs.leaks, f"{name}: in the logs: {logs.leaks[0]}"
    every = [error for each in errors.values() for error in each]
    if leaks.find_in_errors(every):  # and whose is it?
        for name, each in errors.items():
            for error in each:
                found = leaks.find_in_errors([error])
                assert not found, f"{name}: {error!r}: {found[0]}"
    return len(every)


# Every failure


def _answer(status: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("latin-1", "replace")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _error(code: str, more: str = "", message: str = "No.") -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


def _with_canonical_request(head: str) -> bytes:
    # As AWS does for SignatureDoesNotMatch: the signed headers, and the token among them.
    body = _error("SignatureDoesNotMatch", f"<CanonicalRequest>{_escape(head)}</CanonicalRequest>")
    return _answer("403 Forbidden", body)


def _with_token(head: str) -> bytes:
    # As AWS does for ExpiredToken.
    return _answer("400 Bad Request", _error("ExpiredToken", f"<Token-0>{leaks.TOKEN}</Token-0>"))


def _with_request_as_message(head: str) -> bytes:
    return _answer("500 Internal Server Error", _error("InternalError", message=_escape(head)))


def _with_nothing(head: str) -> bytes:
    # Were every name taken, Django would look for a free one without end.
    return _answer("404 Not Found" if head.startswith("HEAD") else "200 OK", "")


def _with_nonsense(head: str) -> bytes:
    if head.startswith("HEAD"):
        return _with_nothing(head)
    return _answer("200 OK", f"<nonsense {_escape(head)}")


def _with_redirect(head: str) -> bytes:
    location = head.split()[1]
    if location == "/acme" and head.startswith("HEAD"):  # botocore asks for the region, for ever
        return _with_nothing(head)
    answer = _answer("307 Temporary Redirect", _error("TemporaryRedirect", _escape(location)))
    return answer.replace(b"\r\n", f"\r\nLocation: http://{NO_SERVER}{location}\r\n".encode(), 1)


REFUSALS: Dict[str, Callable[[str], Optional[bytes]]] = {
    "connection closed": lambda head: None,
    "403": lambda head: _answer("403 Forbidden", _error("AccessDenied")),
    "403 with the canonical request": _with_canonical_request,
    "400 with the token": _with_token,
    "404": lambda head: _answer("404 Not Found", _error("NoSuchBucket")),
    "412": lambda head: _answer("412 Precondition Failed", _error("PreconditionFailed")),
    "500 with the request as its message": _with_request_as_message,
    "503": lambda head: _answer("503 Slow Down", _error("SlowDown")),
    "501": lambda head: _answer("501 Not Implemented", _error("NotImplemented")),
    "200 with nonsense": _with_nonsense,
    "200 without an answer": _with_nothing,
    "no HTTP": lambda head: b"nonsense\r\n\r\n",
    "redirect": _with_redirect,
}


def _supplier(*names: str, **more: Any) -> Callable[[], Dict[str, Any]]:
    # Its repr, which is among the settings on the page, does not show what it closes over.
    entry = leaks.secrets_of_entry()
    return lambda: {**{name: entry[name] for name in names}, **more}


def _failing_supplier() -> Dict[str, Any]:
    answer = leaks.secrets_of_entry()
    raise ValueError(f"the vault refused session_token={answer['security_token']}")


#: Options with which a storage cannot work; ``{server}`` is one that closes each connection.
_NO_KEYS = {"access_key": None, "secret_key": None, "security_token": None}
BROKEN: Dict[str, Dict[str, Any]] = {
    "no server": {"endpoint_url": f"http://{NO_SERVER}"},
    "no such proxy": {"proxies": {"http": f"http://{leaks.PROXY_LOGIN}@{NO_SERVER}"}},
    "a proxy that closes": {"proxies": {"http": f"http://{leaks.PROXY_LOGIN}@{{server}}"}},
    "a proxy for https": {
        "endpoint_url": "https://s3.example.invalid",
        "proxies": {"https": f"http://{leaks.PROXY_LOGIN}@{{server}}"},
    },
    "an https proxy without TLS": {"proxies": {"http": f"https://{leaks.PROXY_LOGIN}@{{server}}"}},
    "a proxy that is no URL": {"proxies": {"http": f"http://{leaks.PROXY_LOGIN}@[half:x"}},
    "a proxy and a bad endpoint": {
        "endpoint_url": "http://local host:1",
        "proxies": {"http": f"http://{leaks.PROXY_LOGIN}@{{server}}"},
    },
    "a bad region": {"region_name": "no such region!"},
    "a bundle that is missing": {"endpoint_url": "https://127.0.0.1:9", "verify": "/no/such.pem"},
    "a certificate that is missing": {"client_config": ONCE.merge(Config(client_cert="/no/a.pem"))},
    "a missing profile": {"session_profile": "nobody", **_NO_KEYS},
    "no credentials": _NO_KEYS,
    "an unknown option": {"nonsense": 1},
    "a wrong type": {"querystring_expire": "soon"},
    "half a set": {"access_key": None},
    "no bucket": {"bucket_name": None},
    "a role": {"role_arn": "arn:aws:iam::123456789012:role/files"},
    "a callable with half a set": {**_NO_KEYS, "credentials": _supplier("secret_key")},
    "a callable that fails": {**_NO_KEYS, "credentials": _failing_supplier},
    "a callable with a bad end": {
        **_NO_KEYS,
        "credentials": _supplier("access_key", "secret_key", "security_token", expiry="tomorrow"),
    },
}

#: "keys" leaves out what direct requests do not support.
ENTRIES: Dict[str, Callable[[], Dict[str, Any]]] = {
    "keys": lambda: {**leaks.secrets_of_entry(), "object_parameters": {}},
    "customer keys": leaks.secrets_of_entry,
}


@pytest.fixture(autouse=True)
def _own_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # of the security token service, too
    client_pool.clear()
    yield
    client_pool.clear()


@pytest.fixture(scope="module")
def server() -> Iterator[RefusingServer]:
    with RefusingServer(lambda head: None) as running:
        yield running


def entry_of(kind: str, server: Any, **options: Any) -> Dict[str, Any]:
    """Return an entry of ``SMART_STORAGE_BUCKETS`` that leads to a server."""
    filled = dict(options)
    if "proxies" in filled:
        filled["proxies"] = {
            scheme: url.replace("{server}", server.address)
            for scheme, url in options["proxies"].items()
        }
    common = {
        "bucket_name": "acme",
        "endpoint_url": "http://127.0.0.2:9" if "proxies" in filled else server.endpoint_url,
        "region_name": "eu-west-1",
        "client_config": ONCE,
        "transfer_config": SMALL,
    }
    merged = {**common, **ENTRIES[kind](), **filled}
    return {name: value for name, value in merged.items() if value is not None}


ALL = {**actions_on(SmartS3Storage), **MORE}
#: A twin does what its method does, in a thread: one failure is enough.
SYNC = {name: action for name, action in ALL.items() if not _is_twin(name)}


@contextmanager
def settings_of(entry: Dict[str, Any]) -> Iterator[None]:
    with override_settings(DEBUG=True, SMART_STORAGE_BUCKETS={"m": entry}):
        yield


@pytest.mark.parametrize("kind", ENTRIES)
def test_whatever_the_server_answers_no_secret_is_shown(server, kind):
    # With customer keys all requests are botocore's, and what it does was seen by then.
    chosen = REFUSALS if kind == "keys" else [name for name in REFUSALS if "request" in name]
    for name in chosen:
        server.refuse = REFUSALS[name]
        with settings_of(entry_of(kind, server)):
            actions = ALL if name == "connection closed" else SYNC
            assert assert_nothing_leaks(SmartS3Storage("m"), actions) >= 10, name


@pytest.mark.slow
def test_whatever_is_configured_no_secret_is_shown(server, monkeypatch):
    server.refuse = lambda head: None
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint_url)
    for name, options in BROKEN.items():
        with settings_of(entry_of("customer keys", server, **options)):
            assert assert_nothing_leaks(SmartS3Storage("m"), SYNC) > 5, name


def test_a_role_that_may_not_be_assumed_shows_no_secret(server, monkeypatch):
    server.refuse = _with_canonical_request
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint_url)
    with settings_of(entry_of("keys", server, **BROKEN["a role"])):
        errors = errors_of(ALL["url"], SmartS3Storage("m"))
        assert "could not be assumed" in str(errors[0])
        assert assert_nothing_leaks(SmartS3Storage("m"), {**MORE, "url": ALL["url"]})


def test_an_answer_that_is_lost_half_way_shows_no_secret(moto_bucket):
    moto_bucket.put("a.txt", b"x" * 64)
    with S3Proxy(moto_bucket.endpoint_url) as proxy:
        entry = {
            **leaks.secrets_of_entry(),
            "object_parameters": {},
            "bucket_name": moto_bucket.name,
            "endpoint_url": proxy.endpoint_url,
            "region_name": moto_bucket.region_name,
            "client_config": ONCE,
            "transfer_config": SMALL,
        }

        def after(action: Any, **fault: Any) -> Callable[[Any], Any]:
            def faulty(storage: Any) -> Any:
                proxy.reset()
                proxy.inject(times=None, **fault)
                return action(storage)

            return faulty

        for skip in (1, 2):
            several = {
                name: after(SYNC[name], skip=skip, lose_answer=True) for name in (*MORE, "move")
            }
            with settings_of(entry):
                assert assert_nothing_leaks(SmartS3Storage("m"), several)
        with settings_of(entry):
            assert assert_nothing_leaks(_m(), {"open": after(SYNC["open"], cut_after=20)}) == 1


#: Storages made of ones that fail.
COMPOSED: Dict[str, Callable[[], Any]] = {
    "dispatcher": lambda: StorageDispatcher(lambda name, **_: "m", storages={"m": _m()}),
    "fallback": lambda: FallbackStorage([_m(), _m()]),
    "mirror": lambda: MirrorStorage(_m(), [_m()]),
    "read-only": lambda: ReadOnlyStorage(_m()),
    "scoped": lambda: ScopedStorage(_m(), "scope"),
}


def _m() -> SmartS3Storage:
    return SmartS3Storage("m")


@pytest.mark.parametrize("composed", COMPOSED)
def test_a_storage_made_of_others_shows_no_secret(server, composed):
    for refuse in (REFUSALS["connection closed"], _with_canonical_request):
        server.refuse = refuse
        with settings_of(entry_of("customer keys", server)):
            storage = COMPOSED[composed]()
            assert assert_nothing_leaks(storage, actions_on(type(storage))) > 5


def test_what_a_factory_or_a_name_refuses_shows_no_secret(server):
    with settings_of(entry_of("customer keys", server)):
        actions = {
            "argument": lambda _: SmartS3Storage("m", nonsense=1, **_keys_of("m")),
            "factory": lambda _: create_storage_class("m", nonsense=1, **_keys_of("m")),
            "module name": lambda _: SmartS3Storage(["m"], **_keys_of("m")),
            "config": lambda _: get_bucket_config(["m"]),
            "name": lambda _: SmartS3Storage("m").save("../a", ContentFile(b"x")),
            "cloudfront": lambda _: _m_with(
                cloudfront_key_id="K1", cloudfront_key=Secret(leaks.SECRET_KEY), custom_domain="a.b"
            ).url("a.txt"),
        }
        assert assert_nothing_leaks(None, actions) == len(actions)
    for wrong in ([{"secret_key": leaks.SECRET_KEY}], {"m": [leaks.SECRET_KEY]}):
        with override_settings(SMART_STORAGE_BUCKETS=wrong):
            errors = errors_of(lambda _: SmartS3Storage("m").exists("a"), None)
            assert not leaks.find_in_errors(errors)


def _m_with(**options: Any) -> SmartS3Storage:
    return SmartS3Storage("m", **options)


def _keys_of(module: str) -> Dict[str, Any]:
    # As a project would: without a literal in its source, which the page shows too.
    entry = get_bucket_config(module)
    return {name: entry[name] for name in ("access_key", "secret_key", "security_token")}


def test_a_customer_key_reaches_the_server_in_whatever_form_it_was_given(server):
    prepared = {
        "SSECustomerKey": b64encode(leaks.CUSTOMER_KEY.encode()).decode(),
        "SSECustomerKeyMD5": b64encode(md5(leaks.CUSTOMER_KEY.encode()).digest()).decode(),  # noqa: S324
    }
    forms = [
        {"SSECustomerKey": leaks.CUSTOMER_KEY},
        {"SSECustomerKey": leaks.CUSTOMER_KEY.encode()},
        prepared,
    ]
    heads: List[str] = []
    server.refuse = heads.append
    for form in forms:
        parameters = {"SSECustomerAlgorithm": "AES256", **form}
        with settings_of(entry_of("keys", server, object_parameters=parameters)):
            storage = _m()
            assert leaks.find_in(repr(storage.get_object_parameters("a.txt"))) == []
            assert assert_nothing_leaks(storage, {n: SYNC[n] for n in ("save", "open", "stat")})
    expected = f"customer-key: {prepared['SSECustomerKey']}\r\n"
    assert len(heads) == 3 * len(forms)
    assert all(expected in head for head in heads)
