"""Failures on order."""

from __future__ import annotations

from typing import List, Optional, Type, Union

from django.test.utils import TestContextDecorator

from smart_storages import config
from smart_storages.backends.failures import ACTIONS, Order, orders
from smart_storages.exceptions import ConfigurationError, S3Error, UnreachableError

__all__ = ["failing"]


class failing(TestContextDecorator):  # noqa: N801 - used as a function
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

    def __init__(
        self,
        module: str,
        on: str,
        error: Union[BaseException, Type[BaseException], None] = None,
        *,
        times: Optional[int] = None,
    ) -> None:
        super().__init__()
        if on not in ACTIONS:
            known = "; ".join(f"{name!r}: {methods}" for name, methods in ACTIONS.items())
            raise ValueError(f"failing() cannot fail on {on!r}. It can on {known}.")
        self._module = module
        self._on = on
        self._error = error
        self._times = times
        self._orders: List[Order] = []

    def __enter__(self) -> Order:  # type: ignore[override]
        return self.enable()

    def enable(self) -> Order:
        if config.get_forced_backend().get("backend", "s3") == "s3":
            raise ConfigurationError(
                "failing() works with modules in memory or in a directory: use it within "
                "override_buckets()."
            )
        order = Order(self._module, self._on, self._make_error, self._times)
        orders.append(order)
        self._orders.append(order)
        return order

    def disable(self) -> None:
        orders.remove(self._orders.pop())

    def _make_error(self) -> BaseException:
        error = self._error
        if error is None:
            return UnreachableError("The server did not answer, on order.", module=self._module)
        if isinstance(error, type) and issubclass(error, S3Error):
            return error(f"It failed on {self._on}, on order.", module=self._module)
        # A class is called; an exception is raised as it is.
        return error() if isinstance(error, type) else error
