"""Failures on order."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Optional, Type, Union

from smart_storages import config
from smart_storages.backends.failures import ACTIONS, Order, orders
from smart_storages.exceptions import ConfigurationError, S3Error, UnreachableError

__all__ = ["failing"]


@contextmanager
def failing(
    module: str,
    on: str,
    error: Union[BaseException, Type[BaseException], None] = None,
    *,
    times: Optional[int] = None,
) -> Iterator[Order]:
    """A block in which an action of a module fails, and has done nothing then.

    It works within :class:`~smart_storages.testing.override_buckets`, and as a decorator as well.

    Args:
        module: Name of the module.
        on: ``"save"``, ``"open"``, ``"stat"`` (``exists``, ``size``), ``"delete"`` or ``"list"``.
        error: What is raised: an exception, or its class; ``None`` for an ``UnreachableError``, as
            if the server did not answer.
        times: How often it fails before it works again, ``None`` for always.

    Returns:
        The order, whose ``failed`` is how often it has failed.

    Raises:
        ValueError: nothing can fail on that.
        ConfigurationError: the buckets are not overridden.

    Example::

        with failing("documents", on="save", times=2) as order:
            upload_with_retries()
        assert order.failed == 2
    """
    if on not in ACTIONS:
        known = "; ".join(f"{name!r}: {methods}" for name, methods in ACTIONS.items())
        raise ValueError(f"failing() cannot fail on {on!r}. It can on {known}.")
    if config.get_forced_backend().get("backend", "s3") == "s3":
        raise ConfigurationError(
            "failing() works with modules in memory or in a directory: use it within "
            "override_buckets()."
        )

    def make() -> BaseException:
        if error is None:
            return UnreachableError("The server did not answer, on order.", module=module)
        if isinstance(error, type) and issubclass(error, S3Error):
            return error(f"It failed on {on}, on order.", module=module)
        # A class is called; an exception is raised as it is.
        return error() if isinstance(error, type) else error

    order = Order(module, on, make, times)
    orders.append(order)
    try:
        yield order
    finally:
        orders.remove(order)
