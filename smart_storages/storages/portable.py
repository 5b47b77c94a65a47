"""Storages in migrations, pickles and copies; secrets stay out of the first two."""

from __future__ import annotations

import copy
from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    List,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
)

from smart_storages import config

if TYPE_CHECKING:
    from smart_storages.config.deconstructed import WithheldOptions

__all__ = ["PortableMixin", "declared_class"]

_Storage = TypeVar("_Storage", bound="PortableMixin")


def declared_class(storage: Any) -> Any:
    """Return the class that a project made a storage of, whatever keeps its files now.

    A storage whose files are not in S3 has a class that is made for it, between that class and
    :class:`~smart_storages.storages.SmartS3Storage`; see :mod:`.on_backend`.
    """
    return type(storage).__dict__.get("_declared_class", type(storage))


class PortableMixin:
    """The part of a storage that says how to make it again."""

    def _remember(self) -> None:
        """Register a copy, so that it follows changes of settings too."""

    if TYPE_CHECKING:
        _constructor_args: Tuple[Tuple[Any, ...], Dict[str, Any]]
        _withheld: Tuple[str, ...]

    #: What deconstruct() left out, to rebuild the storage within this process.
    _kept: Optional[WithheldOptions] = None

    def deconstruct(self) -> Tuple[str, Tuple[Any, ...], Dict[str, Any]]:
        """Return how to make this storage again, without its secrets.

        Within this process, the storage made from it gets the secrets back; see
        :mod:`smart_storages.config.deconstructed`.

        Source: ``django.utils.deconstruct.deconstructible``.
        """
        declared = declared_class(self)
        if declared is not type(self):
            # Django names the class that an instance has: it has to be the project's.
            twin: Any = object.__new__(declared)
            twin.__dict__.update(self.__dict__)
            found: Tuple[str, Tuple[Any, ...], Dict[str, Any]] = PortableMixin.deconstruct(twin)
            return found
        path, _, _ = super().deconstruct()  # type: ignore[misc]
        return (path, *self._deconstruct_call())

    def _deconstruct_call(
        self, class_withheld: Sequence[str] = ()
    ) -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
        args, kwargs = self._constructor_args
        kept, withheld = self._without_secrets(kwargs)
        names = sorted({*self._withheld, *withheld, *class_withheld})
        if names:
            kept[config.deconstructed.OPTION] = self._withhold(names)
        return args, kept

    def _withhold(self, names: List[str]) -> Tuple[str, ...]:
        if self._withheld:  # already lost, in another process or in a pickle
            return tuple(names)
        args, kwargs = self._constructor_args
        if self._kept is None:
            plain, _ = self._without_secrets(kwargs)
            values = {name: each for name, each in kwargs.items() if name not in plain}
            self._kept = config.deconstructed.WithheldOptions(values, declared_class(self))
        # An alias of STORAGES with the same options can be used instead, in every process.
        made_by = None if args or not kwargs.keys() >= set(names) else declared_class(self)
        return config.deconstructed.withhold(names, self._kept, made_by, kwargs)

    @staticmethod
    def _without_secrets(options: Dict[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
        secret = [
            name for name, value in options.items() if config.options.holds_secret(name, value)
        ]
        # Objects of botocore: a migration cannot contain them, and does not need them.
        left_out = {*secret, "client_config", "transfer_config"}
        return {name: each for name, each in options.items() if name not in left_out}, secret

    def __reduce__(self) -> Tuple[Any, ...]:
        args, kwargs = self._deconstruct_call()
        return partial(
            declared_class(self), *args, **kwargs
        ), ()  # of our paths, only that of the class is in it

    def __deepcopy__(self: _Storage, memo: Any) -> _Storage:
        twin = copy.copy(self)
        for name, value in self.__dict__.items():
            if isinstance(value, (dict, list)):
                twin.__dict__[name] = copy.deepcopy(value, memo)
        return twin

    def __copy__(self: _Storage) -> _Storage:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._remember()
        return twin
