"""What a browser asks for while it uploads: JSON in, JSON out.

Each view is there twice, sync and async; :mod:`.urls` has the first, :mod:`.async_urls` the second.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Dict, Optional, Tuple

from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.http import HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.middleware.csrf import CsrfViewMiddleware
from django.views.decorators.http import require_POST

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import (
    BackendsFailedError,
    RoutingRefusedError,
    S3Error,
    UploadError,
)
from smart_storages.uploads import refusals, steps
from smart_storages.wrappers.calls import call_async, call_now, run, run_async

__all__ = ["aanswer", "answer", "async_views", "views"]

logger = logging.getLogger("smart_storages.uploads")
csrf_logger = logging.getLogger("django.security.csrf")

#: What an error of a storage is, as opposed to one of the settings or of this code.
_OF_STORAGES = (S3Error, BackendsFailedError, OSError)


def answer(request: Any, action: str, data: Dict[str, Any]) -> Tuple[int, Any, Dict[str, str]]:
    """Do what a browser or another client asks for, and return what to answer.

    For views of your own, such as those of an API with its own authentication; they are responsible
    for CSRF.

    Args:
        request: The request, with ``user`` or ``session``.
        action: ``"begin"``, ``"sign"``, ``"state"``, ``"finish"`` or ``"cancel"``.
        data: The body of the request, as docs/uploads.md describes it.

    Returns:
        The status, the body for JSON, and headers.

    Example::

        status, body, headers = answer(request, "begin", {"field": "press.Film.video", ...})
    """
    try:
        status, body = run(steps.ACTIONS[action](request, data), call_now)
    except (UploadError, RoutingRefusedError, *_OF_STORAGES) as error:
        return _refuse(error, action)
    return status, body, {"Cache-Control": "no-store"}


async def aanswer(
    request: Any, action: str, data: Dict[str, Any]
) -> Tuple[int, Any, Dict[str, str]]:
    """Do the same in async code; see :func:`answer`."""
    try:
        status, body = await run_async(steps.ACTIONS[action](request, data), call_async)
    except (UploadError, RoutingRefusedError, *_OF_STORAGES) as error:
        return _refuse(error, action)
    return status, body, {"Cache-Control": "no-store"}


def _refuse(error: Exception, action: str) -> Tuple[int, Any, Dict[str, str]]:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, RoutingRefusedError):  # no tenant
        error = refusals.forbidden()
    elif not isinstance(error, UploadError):
        logger.error("A direct upload failed (%s): %s", action, plain_text(error), exc_info=error)
        error = refusals.failed()
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return error.status, refusals.as_answer(error), headers


def _make(action: str) -> Any:
    @require_POST
    def view(request: Any) -> HttpResponse:
        try:
            data = _read(request)
        except UploadError as error:
            return _respond(*_refuse(error, action))
        return _respond(*answer(request, action, data))

    return _named(view, action)


def _make_async(action: str) -> Any:
    async def view(request: Any) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            data = await sync_to_async(_read)(request)  # a session may have the CSRF token
        except UploadError as error:
            return _respond(*_refuse(error, action))
        return _respond(*await aanswer(request, action, data))

    return _named(view, action)


def _named(view: Any, action: str) -> Any:
    view.__name__ = view.__qualname__ = action
    # Whoever may upload, permissions say: LoginRequiredMiddleware would answer with a page.
    view.login_required = False
    # _read() does the middleware's check, and answers in JSON: the script shows its words.
    view.csrf_exempt = True
    # Each write to the ledger is one statement, and a transaction would wait for the bucket. An
    # async view does not run at all where ATOMIC_REQUESTS is true.
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


class _Csrf(CsrfViewMiddleware):
    """Django's check, which says what is wrong instead of answering with a page."""

    def _reject(self, request: Any, reason: str) -> Any:
        return reason


def _nothing(request: Any) -> HttpResponse:
    return HttpResponse()


def _read(request: Any) -> Dict[str, Any]:
    # Also for a project without the middleware, or one that exempts all of its views.
    csrf = _Csrf(_nothing)
    csrf.process_request(request)
    reason = csrf.process_view(request, _nothing, (), {})
    if reason is not None:
        csrf_logger.warning("Forbidden (%s): %s", reason, request.path)  # as Django does
        raise refusals.no_csrf_token()
    if request.content_type != "application/json":
        raise refusals.bad_request("The body must be JSON, with that Content-Type.")
    try:
        data = json.loads(request.body)
    except (ValueError, RecursionError, UnreadablePostError, RawPostDataException):
        data = None
    if not isinstance(data, dict):
        raise refusals.bad_request("The body must be an object of JSON.")
    return data


def _respond(status: int, body: Optional[Any], headers: Dict[str, str]) -> HttpResponse:
    response: HttpResponse
    response = HttpResponse(status=status) if body is None else JsonResponse(body, status=status)
    for name, value in headers.items():
        response[name] = value
    return response


views = {action: _make(action) for action in steps.ACTIONS}
async_views = {action: _make_async(action) for action in steps.ACTIONS}
