"""Assertions about the files of modules."""

from __future__ import annotations

from typing import Any, List, Optional, Union
from urllib.parse import parse_qsl, urlsplit

from django.core.files.storage import Storage

from smart_storages.storages import SmartS3Storage
from smart_storages.storages.lookup import resolve_storage

__all__ = [
    "assert_not_saved",
    "assert_saved",
    "assert_url_not_signed",
    "assert_url_signed",
]

#: How many names a message lists.
_MOST_NAMES = 20
#: How many bytes of content a message shows.
_MOST_BYTES = 200
#: The parameters that hold a signature: of S3, of CloudFront, and of the view of this package.
_SIGNATURES = frozenset({"x-amz-signature", "signature", "sig"})


def assert_saved(
    where: Union[str, Storage],
    name: str,
    content: Union[bytes, str, None] = None,
    *,
    content_type: Optional[str] = None,
) -> None:
    """Assert that there is a file, and what it is.

    Args:
        where: A module, an alias of ``STORAGES``, or a storage.
        name: Name of the file.
        content: Its content, text as UTF-8; ``None`` for any.
        content_type: Its type, ``None`` for any.

    Raises:
        AssertionError: there is no such file, and the message lists those that there are; or it is
            another one.

    Example::

        assert_saved("documents", "reports/a.pdf", b"%PDF", content_type="application/pdf")
    """
    __tracebackhide__ = True  # of pytest: the failure is in the line of the test
    storage: Any = resolve_storage(where)
    if not storage.exists(name):
        raise AssertionError(f"{name!r} was not saved in {where!r}. {_describe_files(storage)}")
    if content is not None:
        wanted = content.encode("utf-8") if isinstance(content, str) else content
        with storage.open(name, "rb") as file:
            found = file.read()
        if found != wanted:
            raise AssertionError(
                f"{name!r} of {where!r} has {len(found)} bytes, {_shortened(found)}, "
                f"and not {len(wanted)}, {_shortened(wanted)}."
            )
    if content_type is not None:
        given = storage.stat(name).content_type
        if given != content_type:
            raise AssertionError(
                f"{name!r} of {where!r} has the type {given!r}, and not {content_type!r}."
            )


def assert_not_saved(where: Union[str, Storage], name: Optional[str] = None) -> None:
    """Assert that there is no file of a name, or no file at all.

    Args:
        where: As for :func:`assert_saved`.
        name: Name of the file; ``None`` for any file.

    Raises:
        AssertionError: there is one.

    Example::

        assert_not_saved("documents", "reports/a.exe")
        assert_not_saved("documents")
    """
    __tracebackhide__ = True
    storage: Any = resolve_storage(where)
    if name is None:
        names = _find_names(storage)
        if names:
            raise AssertionError(f"Something was saved in {where!r}. {_describe_files(storage)}")
    elif storage.exists(name):
        raise AssertionError(f"{name!r} was saved in {where!r}, with {storage.size(name)} bytes.")


def assert_url_signed(url: str) -> None:
    """Assert that a URL works for a limited time only.

    Args:
        url: The URL, from ``url()`` of a storage or out of a page.

    Raises:
        AssertionError: it is not signed.

    Example::

        assert_url_signed(report.file.url)
    """
    __tracebackhide__ = True
    if not _is_signed(url):
        raise AssertionError(f"{url!r} is not signed: whoever has it can use it for ever.")


def assert_url_not_signed(url: str) -> None:
    """Assert that a URL does not expire, so that browsers and caches can keep what it leads to.

    Args:
        url: As for :func:`assert_url_signed`.

    Raises:
        AssertionError: it is signed.
    """
    __tracebackhide__ = True
    if _is_signed(url):
        path = urlsplit(url).path
        raise AssertionError(f"The URL of {path!r} is signed: it will not work for ever.")


def _is_signed(url: str) -> bool:
    query = parse_qsl(urlsplit(str(url)).query, keep_blank_values=True)
    return any(name.lower() in _SIGNATURES and value for name, value in query)


def _find_names(storage: Any) -> List[str]:
    if isinstance(storage, SmartS3Storage):
        return [name for name, _ in storage.iter_files()]
    return _walk(storage, "")


def _walk(storage: Any, folder: str) -> List[str]:
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:  # a directory that was never written to
        return []
    prefix = f"{folder}/" if folder else ""
    found = [prefix + name for name in files]
    for each in folders:
        found += _walk(storage, prefix + each)
    return found


def _describe_files(storage: Any) -> str:
    names = sorted(_find_names(storage))
    if not names:
        return "It has no files."
    more = f", and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"It has: {', '.join(map(repr, names[:_MOST_NAMES]))}{more}."


def _shortened(content: bytes) -> str:
    return repr(content[:_MOST_BYTES]) + ("..." if len(content) > _MOST_BYTES else "")
