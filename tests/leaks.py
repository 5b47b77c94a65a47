"""Looks for secrets where an error may carry them: Django's debug page, its own text, the logs."""

from __future__ import annotations

import base64
import html
import logging
import re
import traceback
from typing import Any, Dict, Iterable, Iterator, List, Set

from django.test import RequestFactory
from django.views.debug import ExceptionReporter, technical_500_response

# Not literals: the page shows lines of source as well, and those are ours to write.
_LEAK = "-".join(["hunter", "2"])

SECRET_KEY = f"{_LEAK}-secret/key"
TOKEN = f"{_LEAK}-token+of/session=="
PROXY_PASSWORD = f"{_LEAK}-proxy"
CUSTOMER_KEY = f"{_LEAK}-customer".ljust(32, "k")

_USER = "joe"
#: What a proxy's URL begins with.
PROXY_LOGIN = f"{_USER}:{PROXY_PASSWORD}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# Any of the secrets begins so; beside it the forms in which they travel. A signature is good for a
# request of its own as long as it lives.
_LOOKS_SECRET = re.compile(
    "|".join(
        [
            re.escape(_LEAK),
            re.escape(_base64(CUSTOMER_KEY)),
            re.escape(_base64(PROXY_LOGIN)),
            r"Signature=[0-9a-f]{64}",
        ]
    )
)


def find_in(text: str) -> List[str]:
    """Return what surrounds each secret in a text."""
    found = _LOOKS_SECRET.finditer(text)
    return [text[max(each.start() - 200, 0) : each.end() + 20] for each in found]


def page_of(error: BaseException) -> str:
    """Return Django's debug page for an error, with all that led to it, and with the settings."""
    request = RequestFactory().get("/")
    answer = technical_500_response(request, type(error), error, error.__traceback__)
    return answer.content.decode()


def frames_of(error: BaseException) -> str:
    """Return what the page says of frames and errors, without the time that its template takes."""
    reporter = ExceptionReporter(None, type(error), error, error.__traceback__)
    data = reporter.get_traceback_data()
    variables = [
        f"{name}={value}" for frame in data["frames"] for name, value in frame.get("vars", ())
    ]
    return html.unescape("\n".join([*variables, *map(str, chain_of(error))]))


def find_in_errors(errors: Iterable[BaseException]) -> List[str]:
    """Return where errors carry a secret: in their frames, texts or attributes.

    They are looked at together, for many share frames: each becomes the cause of the one before.
    """
    each = [error for error in errors if error is not None]
    found = [leak for error in each for leak in _find_in_attributes(error)]
    linked = []
    for error, following in zip(each, each[1:]):
        last = chain_of(error)[-1]
        if following not in chain_of(error):
            linked.append(last)
            last.__cause__ = following
    try:
        return found + (find_in(frames_of(each[0])) if each else [])
    finally:
        for last in linked:
            last.__cause__ = None


def chain_of(error: BaseException) -> List[BaseException]:
    """Return an error and all that led to it, as Python and Django follow them."""
    chain: List[BaseException] = []
    each: Any = error
    while each is not None and each not in chain:
        chain.append(each)
        each = each.__cause__ or each.__context__
    return chain


def _find_in_attributes(error: BaseException) -> Iterator[str]:
    for path, text in _texts(error, type(error).__name__, set(), 0):
        for leak in find_in(text):
            yield f"{path}: {leak}"


_DEEPEST = 6


def _texts(value: Any, path: str, seen: Set[int], depth: int) -> Iterator[Any]:
    if id(value) in seen or depth > _DEEPEST or isinstance(value, type):
        return
    seen.add(id(value))
    if isinstance(value, BaseException):
        yield f"repr({path})", "".join([repr(value), str(value)])
        yield f"traceback of {path}", "".join(traceback.format_exception_only(type(value), value))
        for name in ("args", "__cause__", "__context__"):
            yield from _texts(getattr(value, name), f"{path}.{name}", seen, depth + 1)
    if isinstance(value, (str, bytes)):
        yield path, str(value) if isinstance(value, str) else value.decode("latin-1")
    elif isinstance(value, (list, tuple, set)):
        for index, each in enumerate(value):
            yield from _texts(each, f"{path}[{index}]", seen, depth + 1)
    elif hasattr(value, "items"):
        for key, each in value.items():
            yield from _texts(each, f"{path}[{key!r}]", seen, depth + 1)
    for name, each in getattr(value, "__dict__", {}).items():
        yield from _texts(each, f"{path}.{name}", seen, depth + 1)


class LeakFinder(logging.Handler):
    """Keeps the name of each logger that shows a secret, and what surrounds it.

    Example:
        with LeakFinder() as found:
            ...
        assert not found.leaks
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.leaks += [f"{record.name}: {leak}" for leak in find_in(self.format(record))]

    def __enter__(self) -> LeakFinder:
        root = logging.getLogger()
        self._level, self._handlers = root.level, root.handlers
        root.setLevel(logging.DEBUG)
        root.handlers = [self]
        # Most of all records, which name events and functions.
        logging.getLogger("botocore.hooks").setLevel(logging.INFO)
        return self

    def __exit__(self, *error: Any) -> None:
        root = logging.getLogger()
        root.setLevel(self._level)
        root.handlers = self._handlers
        logging.getLogger("botocore.hooks").setLevel(logging.NOTSET)


def secrets_of_entry() -> Dict[str, Any]:
    """Return the options of a module that hold a secret, all of them."""
    return {
        "access_key": "AKIDEXAMPLE",
        "secret_key": SECRET_KEY,
        "security_token": TOKEN,
        "object_parameters": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY},
    }
