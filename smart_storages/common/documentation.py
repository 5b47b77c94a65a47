"""Links to the documentation, in what the package says to those who run a project."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Callable, List, TypeVar, cast

from smart_storages.exceptions import SmartStorageError, link_to

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

__all__ = ["plain_text", "register_check", "with_links"]

_Check = TypeVar("_Check", bound=Callable[..., "List[CheckMessage]"])

_PREFIX = "smart_storages."


def plain_text(error: BaseException) -> str:
    """Return the text of an error, for a sentence, a line of a table, or users of the site.

    Args:
        error: Any error; one of this package loses the link at its end.

    Example:
        >>> from smart_storages.exceptions import ObjectNotFoundError
        >>> plain_text(ObjectNotFoundError("There is no such file."))
        'There is no such file.'
    """
    return error.text if isinstance(error, SmartStorageError) else str(error)


def with_links(check: _Check) -> _Check:
    """Return a system check whose hints end with a link to what the message means.

    Args:
        check: A check, as Django's ``register`` takes it.

    Example::

        @with_links
        def check_urls(**kwargs):
            return [checks.Warning("There are no views.", id="smart_storages.U001")]

        # HINT: See docs/checks.md#smart_storagesu001
    """

    @wraps(check)
    def linked(**kwargs: Any) -> List[CheckMessage]:
        messages = check(**kwargs)
        for message in messages:
            _link(message)
        return messages

    return cast("_Check", linked)


def register_check(tag: str) -> Callable[[_Check], _Check]:
    """Register a check with Django, :func:`with_links`, and leave the function as it is.

    Args:
        tag: The tag of the check.
    """

    from django.core.checks import register  # not where a storage is declared

    def decorate(check: _Check) -> _Check:
        register(with_links(check), tag)
        return check

    return decorate


def _link(message: CheckMessage) -> None:
    hint, name = message.hint or "", str(message.id)
    link = link_to("checks", name)
    if name.startswith(_PREFIX) and link not in hint:
        message.hint = f"{hint} See {link}".lstrip()
