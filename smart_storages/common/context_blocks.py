"""``with`` blocks that set a context variable, and how generators interfere with them.

A block in a generator does not end at ``yield``: the code that consumes the generator goes on with
the value that the block has set, until the generator is resumed or closed. A warning is logged
then. Blocks that end in another order or context than they were entered do not leave their value
behind.
"""

from __future__ import annotations

import inspect
import logging
import sys
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any, Optional, Set, Tuple

from smart_storages.exceptions import TenantBlockError

__all__ = ["Block", "plain"]

logger = logging.getLogger("smart_storages.tenancy")

_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
#: Modules that run a generator as a block: it yields to the body of a ``with``, or to a test.
_RUNNERS = ("contextlib", "_pytest.", "pluggy.", "pytest_asyncio.")

_ELSEWHERE = "in another thread or task than it began in"

_told: Set[Tuple[str, int]] = set()


class Block(ContextDecorator):
    """A block with a context variable set: a context manager and a decorator.

    Args:
        variable: The variable.
        value: Its value in the block; read it with :func:`plain`.
        kind: The function that makes such blocks, for messages: ``"use_tenant"``.

    Raises:
        TenantBlockError: the block ends in another order or context than it was entered, or is
            entered a second time.
    """

    def __init__(self, variable: ContextVar[Any], value: Any, kind: str) -> None:
        self.variable = variable
        self.value = value
        self.kind = kind
        self.token: Any = None

    def __str__(self) -> str:
        return f"{self.kind}({self.value!r})"

    def _recreate_cm(self) -> Block:  # a decorated function may call itself
        return type(self)(self.variable, self.value, self.kind)

    def __enter__(self) -> Any:
        if self.token is not None:
            raise TenantBlockError(f"{self} was entered before: call {self.kind} for each block.")
        self.around: Optional[Block] = _blocks.get()
        self.before = self.variable.get()
        #: Whether it ended in another context, where the value of this one could not be reset.
        self.is_abandoned = False
        frame = _consumed_generator(sys._getframe(1))
        value = self.value if frame is None else _FromGenerator(self.value, frame, self)
        self.token = self.variable.set(value)
        _blocks.set(self)
        return self.value

    def __exit__(self, *error: Any) -> None:
        inner = _blocks.get()
        while inner is not None and inner is not self and inner.is_abandoned:
            inner = inner.around
        if inner is not self:
            raise _wrong(self, _take_out(self))
        try:
            self.variable.reset(self.token)
        except ValueError:  # a copied context: a task or thread that was started in the block
            self.is_abandoned = True
            raise _wrong(self, _ELSEWHERE) from None
        self.variable.set(self.before)  # it differs if an outer block has already ended
        _blocks.set(self.around)


_blocks: ContextVar[Optional[Block]] = ContextVar("smart_storages_blocks", default=None)


def _take_out(block: Block) -> str:
    """End a block before those inside it, so that they do not restore its value; return why."""
    inner = outermost = _blocks.get()
    same: Optional[Block] = None
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
    return f"before {outermost}, which began inside it"


def _wrong(block: Block, how: str) -> TenantBlockError:
    return TenantBlockError(
        f"{block} ended {how}. A generator that yields in such a block leaves it open for "
        "whoever consumes it: collect the values first, or close the generator where it was made."
    )


# Generators


class _FromGenerator:
    """A value that a block in a generator has set."""

    def __init__(self, value: Any, frame: Any, block: Block) -> None:
        self._value = value
        self._frame = frame
        self._block = block

    def read(self) -> Any:
        if self._block.is_abandoned:
            return plain(self._block.before)
        if self._frame.f_back is None and self._value is not None:
            self._warn()  # the generator is suspended, so other code is reading the variable
        return self._value

    def _warn(self) -> None:
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
            self._block,
        )


def plain(value: Any) -> Any:
    """Return the value of a :class:`Block`; warn if a suspended generator left its block open."""
    return value.read() if type(value) is _FromGenerator else value


def _consumed_generator(frame: Any) -> Any:
    """Return the frame of the generator that enters a block, unless it is run as a block itself."""
    while frame is not None:
        resumed_by = frame.f_back
        if not frame.f_code.co_flags & _GENERATOR:
            if not _is_runner(frame):
                return None
        elif resumed_by is not None and not _is_runner(resumed_by):
            by_hand = resumed_by.f_code.co_name in ("__enter__", "__aenter__")
            return None if by_hand else frame
        frame = resumed_by
    return None


def _is_runner(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(_RUNNERS)
