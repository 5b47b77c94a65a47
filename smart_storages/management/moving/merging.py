"""Two listings held against each other, in one pass and without keeping either in memory."""

from __future__ import annotations

import threading
from itertools import chain
from queue import Full, Queue
from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, TypeVar

from smart_storages.management.moving.ends import Entry

__all__ = ["Pair", "merge", "read_ahead"]

_Item = TypeVar("_Item")

#: Pages of this many entries are read ahead, so many of them.
_PAGE, _PAGES = 1_000, 2
_SECONDS = 0.5


class Pair(NamedTuple):
    """What the two sides have under one name; ``None`` for nothing."""

    name: str
    source: Optional[Entry]
    target: Optional[Entry]


def merge(source: Iterable[Entry], target: Iterable[Entry]) -> Iterator[Pair]:
    """Yield a pair for each name that either side has, in the order of the names.

    Args:
        source: Entries in the order of their names.
        target: The same.

    Example:
        >>> [(pair.name, pair.target) for pair in merge([Entry("a", 1)], [])]
        [('a', None)]
    """
    sources, targets = iter(source), iter(target)
    one, other = next(sources, None), next(targets, None)
    while one is not None and other is not None:
        if one.name < other.name:
            yield Pair(one.name, one, None)
            one = next(sources, None)
        elif other.name < one.name:
            yield Pair(other.name, None, other)
            other = next(targets, None)
        else:
            yield Pair(one.name, one, other)
            one, other = next(sources, None), next(targets, None)
    for each in () if one is None else chain([one], sources):
        yield Pair(each.name, each, None)
    for each in () if other is None else chain([other], targets):
        yield Pair(each.name, None, each)


class _Failure(NamedTuple):
    error: BaseException


def read_ahead(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield the items of an iterator that a thread of its own reads, a little ahead.

    While one page of a listing is worked through, the next is on its way.
    """
    pages: Queue[Any] = Queue(_PAGES)
    stopped = threading.Event()
    reader = threading.Thread(
        target=_read, args=(items, pages, stopped), name="smart-storages-listing", daemon=True
    )
    reader.start()
    try:
        while True:
            page = pages.get()
            if isinstance(page, _Failure):
                raise page.error
            yield from page
            if len(page) < _PAGE:
                return
    finally:
        stopped.set()
        reader.join()


def _read(items: Iterable[Any], pages: Queue[Any], stopped: threading.Event) -> None:
    page: List[Any] = []
    try:
        for item in items:
            page.append(item)
            if len(page) == _PAGE:
                if not _put(pages, page, stopped):
                    return
                page = []
    except BaseException as error:
        _put(pages, _Failure(error), stopped)
    else:
        _put(pages, page, stopped)


def _put(pages: Queue[Any], page: Any, stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            pages.put(page, timeout=_SECONDS)
        except Full:
            continue
        return True
    return False
