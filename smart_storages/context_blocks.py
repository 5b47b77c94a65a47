"""``with`` blocks that set a context variable, and what generators do to them.

A block in a plain generator does not end at ``yield``: whoever consumes the generator runs on with
what the block has set, until the generator is resumed or closed. That is told, and blocks that end
in another order or context than they began in leave nothing behind.
"""

from __future__ import annotations

import inspect
import logging
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Iterator, Optional, Set, Tuple

from smart_storages.exceptions import TenantBlockError

__all__ = ["plain", "setting"]

logger = logging.getLogger("smart_storages.tenancy")

_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
#: Who runs a generator as a block: what it yields to is the inside of a ``with``, or a test.
_RUNNERS = ("contextlib", "_pytest.", "pluggy.", "pytest_asyncio.")

_ELSEWHERE = "in another thread or task than it began in"

_told: Set[Tuple[str, int]] = set()


class _Block:
    """A block that is open, and the one around it."""

    def __init__(self, variable: ContextVar[Any], what: str) -> None:
        self.variable = variable
        self.what = what
        self.around = _blocks.get()
        self.before = variable.get()
        #: It ended in another context, which could not take it out of this one.
        self.is_abandoned = False


_blocks: ContextVar[Optional[_Block]] = ContextVar("smart_storages_blocks", default=None)


@contextmanager
def setting(variable: ContextVar[Any], value: Any, what: str) -> Iterator[None]:
    """Run a block with a context variable set.

    Args:
        variable: The variable.
        value: What it is in the block; :func:`plain` gives it back.
        what: The block as code, for messages: ``"use_tenant('acme')"``.

    Raises:
        TenantBlockError: The block ends in another order or context than it began in.
    """
    block = _Block(variable, what)
    frame = _consumed_generator(sys._getframe(1))
    if frame is not None:
        value = _FromGenerator(value, frame, block)
    token = variable.set(value)
    _blocks.set(block)
    try:
        yield
    finally:
        _end(block, token)


def _end(block: _Block, token: Any) -> None:
    inner = _blocks.get()
    while inner is not None and inner is not block and inner.is_abandoned:
        inner = inner.around
    if inner is not block:
        raise _wrong(block, _take_out(block))
    try:
        block.variable.reset(token)
    except ValueError:  # a copy of the context: a task or a thread that was begun in the block
        block.is_abandoned = True
        raise _wrong(block, _ELSEWHERE) from None
    block.variable.set(block.before)  # another one, if the block around has ended already
    _blocks.set(block.around)


def _take_out(block: _Block) -> str:
    """End a block around others, so that their ends bring nothing of it back; say what is wrong."""
    inner = outermost = _blocks.get()
    same: Optional[_Block] = None
    while inner is not None and inner is not block:
        outermost = inner
        same = inner if inner.variable is block.variable else same
        inner = inner.around
    if inner is None or outermost is None:
        block.is_abandoned = True
        return _ELSEWHERE
    outermost.around = block.around
    if same is None:
        block.variable.set(block.before)
    else:
        same.before = block.before
    return f"before {outermost.what}, which began inside it"


def _wrong(block: _Block, how: str) -> TenantBlockError:
    return TenantBlockError(
        f"{block.what} ended {how}. A generator that yields in such a block leaves it open for "
        "whoever consumes it: collect the values first, or close the generator where it was made."
    )


# Generators


class _FromGenerator:
    """A value that a block in a generator has set."""

    def __init__(self, value: Any, frame: Any, block: _Block) -> None:
        self._value = value
        self._frame = frame
        self._block = block

    def read(self) -> Any:
        if self._block.is_abandoned:
            return plain(self._block.before)
        if self._frame.f_back is None and self._value is not None:
            self._tell()  # it is suspended, so that somebody else is asking
        return self._value

    def _tell(self) -> None:
        code = self._frame.f_code
        if (code.co_filename, self._frame.f_lineno) in _told:
            return
        _told.add((code.co_filename, self._frame.f_lineno))
        logger.warning(
            "%s:%d: the generator %s() has yielded in a block of %s. Whoever consumes it now runs "
            "on behalf of that one: collect the values in the block, and yield outside of it.",
            code.co_filename,
            self._frame.f_lineno,
            code.co_name,
            self._block.what,
        )


def plain(value: Any) -> Any:
    """Return what :func:`setting` was given; tells of a generator that has left its block open."""
    return value.read() if type(value) is _FromGenerator else value


def _consumed_generator(frame: Any) -> Any:
    """Return the frame of the generator that enters a block, unless it is run as a block itself."""
    while frame is not None:
        if _is_runner(frame):
            frame = frame.f_back
            continue
        resumed_by = frame.f_back
        if resumed_by is None or not frame.f_code.co_flags & _GENERATOR:
            return None
        if not _is_runner(resumed_by):
            by_hand = resumed_by.f_code.co_name in ("__enter__", "__aenter__")
            return None if by_hand else frame
        frame = resumed_by
    return None


def _is_runner(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(_RUNNERS)
