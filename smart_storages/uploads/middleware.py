"""The request that a form belongs to: the fields of a form are not told."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Awaitable, Callable, Optional, Union

from smart_storages.common.compat import iscoroutinefunction, markcoroutinefunction
from smart_storages.common.context_blocks import Block, plain

__all__ = ["DirectUploadMiddleware", "current_request", "use_request"]

_request: ContextVar[Any] = ContextVar("smart_storages_uploads_request", default=None)


def current_request() -> Optional[Any]:
    """Return the request on whose behalf this code runs, ``None`` if there is none.

    Example:
        >>> current_request() is None
        True
    """
    return plain(_request.get())


def use_request(request: Any) -> Block:
    """Run a block on behalf of a request: uploads in its forms are those of its user.

    :class:`DirectUploadMiddleware` does this for every request.

    Args:
        request: The request, with ``user`` or ``session``.

    Example::

        with use_request(request):
            form = FilmForm({"video-upload": token})
            form.is_valid()
    """
    return Block(_request, request, "use_request")


class DirectUploadMiddleware:
    """Tells the forms of a request whose request it is, under WSGI and ASGI.

    It stands after the middleware of sessions and of authentication.

    Args:
        get_response: The next middleware, sync or async.

    Example::

        MIDDLEWARE = [..., "smart_storages.uploads.middleware.DirectUploadMiddleware"]
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Union[Any, Awaitable[Any]]:
        if self.is_async:
            return self._acall(request)
        with use_request(request):
            return self.get_response(request)

    async def _acall(self, request: Any) -> Any:
        with use_request(request):
            return await self.get_response(request)
