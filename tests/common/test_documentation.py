"""Where a link to the documentation stands, and where it must not."""

from __future__ import annotations

import ast
import builtins
import importlib
import io
from typing import Any, Iterator, List

import pytest
from django.core import checks
from django.core.checks.registry import registry
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import RequestFactory

from smart_storages import exceptions
from smart_storages.common.documentation import plain_text, register_check, with_links
from smart_storages.exceptions import ObjectNotFoundError, RoutingRefusedError
from smart_storages.queued.ledger.texts import describe_error
from smart_storages.tenancy import TenantMiddleware
from tests.architecture import MODULES

pytestmark = pytest.mark.documentation

# Errors


def test_only_an_error_of_this_package_has_a_link_to_lose() -> None:
    assert plain_text(ObjectNotFoundError("There is no such file.")) == "There is no such file."
    assert plain_text(KeyError("a")) == "'a'"
    assert plain_text(OSError(2, "No such file")) == "[Errno 2] No such file"


def test_a_page_that_users_see_shows_no_link() -> None:
    middleware = TenantMiddleware(lambda request: None)
    with pytest.raises(PermissionDenied) as caught:
        middleware.process_exception(RequestFactory().get("/"), RoutingRefusedError("It is not."))
    assert str(caught.value) == "It is not."


def test_the_ledger_keeps_the_name_of_the_class_and_no_link() -> None:
    error = ObjectNotFoundError("There is no such file.", module="media")
    assert describe_error(error) == ("ObjectNotFoundError: There is no such file. (module 'media')")


#: Where the whole text may become a part of another one, with the reason.
MAY = {
    "backends/s3/clients/credentials.py": "ours was made of botocore's error",
    "backends/s3/errors/translation.py": "the error is botocore's",
    "backends/s3/signing/sigv4.py": "it becomes an error of ours, which links once",
    "backends/sftp_errors.py": "it is compared with a text of paramiko",
    "backends/sftp_files.py": "as above",
    "common/documentation.py": "this is where it is taken off",
    "management/checking/network.py": "the error is one of a socket",
    "queued/readiness.py": "the error is the database's",
    "storages/smart.py": "the error is of django-storages",
    "uploads/refusals.py": "the text of an UploadError has no link",
    "uploads/rest_framework.py": "as above",
}
OURS = [getattr(exceptions, name) for name in exceptions.__all__]


def test_a_text_that_quotes_an_error_leaves_its_link_out() -> None:
    found = {
        (path.relative_to(MODULES["smart_storages"].parent).as_posix(), line)
        for name, path in MODULES.items()
        for line in _quotes(path.read_text("utf-8"), name)
    }
    assert {place for place in found if place[0] not in MAY} == set(), "use plain_text(error)"
    assert {file for file, _line in found} == set(MAY), "MAY names a module that quotes no error"


@pytest.mark.parametrize(
    "source",
    [
        "try: f()\nexcept S3Error as e: g(f'no: {e}')",
        "try: f()\nexcept (KeyError, OSError) as e: g(str(e))",
        "try: f()\nexcept Exception as e: logger.error('%s: %s', 1, e)",
        "def told(error: Exception): return f'{error!s}'",
        "def told(error: Optional[BaseException] = None): return str(error)",
    ],
)
def test_a_text_that_quotes_an_error_is_seen(source: str) -> None:
    assert list(_quotes(source, exceptions.__name__)) != []


@pytest.mark.parametrize(
    "source",
    [
        "try: f()\nexcept KeyError as e: g(str(e))",  # none of ours is one
        "try: f()\nexcept S3Error as e: g(f'{e!r} {plain_text(e)} {type(e).__name__}')",
        "try: f()\nexcept S3Error as e: raise CommandError(str(e)) from e",  # all it says
        "try: f()\nexcept S3Error as e: logger.warning('no: %r', e)",
    ],
)
def test_a_text_that_may_quote_an_error_is_no_fault(source: str) -> None:
    assert list(_quotes(source, exceptions.__name__)) == []


def _quotes(source: str, module: str) -> Iterator[int]:
    """The lines in which the text of an error that may be ours becomes part of another text."""
    for node in ast.walk(ast.parse(source)):
        names: List[str] = []
        if isinstance(node, ast.ExceptHandler) and node.name and node.type:
            names = [node.name]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = [*node.args.args, *node.args.kwonlyargs]
            names = [each.arg for each in arguments if _is_error(each.annotation)]
        if not names:
            continue
        body: List[ast.stmt] = node.body  # type: ignore[attr-defined]
        for inner in (each for statement in body for each in ast.walk(statement)):
            if _quoted(inner) in names and not _ends_command(inner, body):
                if isinstance(node, ast.ExceptHandler) and not _may_be_ours(node.type, module):
                    continue
                yield inner.lineno  # type: ignore[attr-defined]


def _may_be_ours(node: Any, module: str) -> bool:
    loaded = vars(importlib.import_module(module))
    names = {**vars(builtins), **vars(exceptions), **loaded}
    try:
        caught = eval(compile(ast.Expression(node), "", "eval"), names)  # noqa: S307 - our own
    except NameError:  # imported in the function
        return True
    kinds = caught if isinstance(caught, tuple) else (caught,)
    return any(issubclass(ours, kind) or issubclass(kind, ours) for ours in OURS for kind in kinds)


def _is_error(annotation: Any) -> bool:
    told = ast.dump(annotation) if annotation is not None else ""
    return "Exception" in told or "Error'" in told


def _quoted(node: ast.AST) -> str:
    """The name of what a node turns into text without quoting it by ``!r``."""
    if isinstance(node, ast.FormattedValue) and node.conversion in (-1, ord("s")):
        return getattr(node.value, "id", "")
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str" and node.args:
        return getattr(node.args[0], "id", "")
    if isinstance(node, ast.Call) and getattr(node.func, "value", None) is not None:
        logged = getattr(node.func.value, "id", "") == "logger"  # type: ignore[attr-defined]
        message = getattr(node.args[0], "value", "") if logged and node.args else ""
        return getattr(node.args[-1], "id", "") if str(message).endswith("%s") else ""
    return ""


def _ends_command(node: ast.AST, body: List[ast.stmt]) -> bool:
    return any(
        isinstance(call, ast.Call) and getattr(call.func, "id", "") == "CommandError"
        and call.args and node in ast.walk(call.args[0])
        for statement in body for call in ast.walk(statement)
    )  # fmt: skip


# Checks


def _message(hint: Any, name: str = "smart_storages.W003") -> checks.CheckMessage:
    @with_links
    def check(**kwargs: Any) -> List[checks.CheckMessage]:
        return [checks.Warning("It has no bucket.", hint=hint, id=name)]

    [message] = check(app_configs=None)
    return message


@pytest.mark.parametrize(
    ("hint", "linked"),
    [
        ("Name one.", "Name one. See docs/checks.md#smart_storagesw003"),
        (None, "See docs/checks.md#smart_storagesw003"),
    ],
)
def test_a_hint_ends_with_a_link(hint: Any, linked: str) -> None:
    assert _message(hint).hint == linked


def test_a_message_is_linked_once_and_those_of_others_never() -> None:
    message = _message("Name one.")
    told = message.hint
    assert with_links(lambda **kwargs: [message])()[0].hint == told
    assert _message("Name one.", "acme.W001").hint == "Name one."


def test_every_check_that_is_registered_has_links(settings: Any) -> None:
    ours = [
        check
        for check in registry.get_checks(include_deployment_checks=True)
        if check.__module__.startswith("smart_storages.")
    ]
    assert len(ours) > 20
    assert [check.__name__ for check in ours if not hasattr(check, "__wrapped__")] == []
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_nam": "acme"}}
    told = io.StringIO()
    with pytest.raises(SystemCheckError) as caught:
        call_command("check", stdout=told, stderr=told)
    hint = "HINT: Did you mean 'bucket_name'? See docs/checks.md#smart_storagese002\n"
    assert hint in f"{caught.value}\n"


def test_a_check_that_registers_itself_stays_what_it_is() -> None:
    def check(**kwargs: Any) -> List[checks.CheckMessage]:
        return [checks.Warning("No.", hint="Yes.", id="smart_storages.W003")]

    before = set(registry.registered_checks)
    try:
        assert register_check("smart_storages")(check) is check
        [linked] = set(registry.registered_checks) - before
        assert linked(app_configs=None)[0].hint.endswith("#smart_storagesw003")
        assert check()[0].hint == "Yes."
    finally:
        registry.registered_checks = before
