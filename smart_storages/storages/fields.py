"""File fields that delete the file that no row names any more, when the transaction commits.

When a row's file is replaced or cleared, or the row is deleted, the file's name is noted with the
transaction. When that commits, and not before, the database is asked whether a row still names the
file; if none does, the file is deleted. A rollback, also one to a savepoint, leaves it.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import Any, ContextManager, Dict, Iterable, Iterator, List, Optional, Set, Tuple, Type

from django.apps import apps
from django.db import DatabaseError, connections, router, transaction
from django.db.models import FileField, ImageField, Model
from django.db.models.fields.files import (
    FieldFile,
    FileDescriptor,
    ImageFieldFile,
    ImageFileDescriptor,
)
from django.db.models.query import QuerySet
from django.db.models.signals import class_prepared, post_save, pre_delete, pre_save

from smart_storages.storages.places import name_in

__all__ = [
    "SmartFieldFile",
    "SmartFileField",
    "SmartImageField",
    "SmartImageFieldFile",
    "find_named",
]

logger = logging.getLogger(__name__)

#: Names in one query; SQLite takes 999 parameters.
_NAMES_A_QUERY = 500

#: In the ``__dict__`` of an instance: fields assigned since it was loaded, and, for the time of a
#: save, what its row names.
_ASSIGNED = "_smart_files_assigned"
_BEFORE = "_smart_files_before"

#: A field, and the name of a file in its storage.
_Named = Tuple[FileField, str]


# The fields


class _SmartFieldFile(FieldFile):
    def delete(self, save: bool = True) -> None:
        """Take the file from the field, and delete it when the transaction commits.

        Args:
            save: Whether to save the instance. If its row is never saved without the file, the
                file stays.

        Source: ``FieldFile.delete`` of Django.
        """
        if not self:
            return
        # One that was assigned and not saved is no file of the storage yet.
        names = [str(self.name)] if self.__dict__["_committed"] else []
        if hasattr(self, "_file"):
            self.close()
            del self.file
        self._forget_size()
        self.name = None
        setattr(self.instance, self.field.attname, None)
        self._committed = False
        using = self.instance._state.db or router.db_for_write(
            type(self.instance), instance=self.instance
        )
        with transaction.atomic(using=using) if save else nullcontext():
            if save:
                self.instance.save()
            _schedule(using, [(self.field, name) for name in names])

    delete.alters_data = True  # type: ignore[attr-defined]

    def _forget_size(self) -> None:
        """Forget what is cached about the file that is taken away."""


class SmartFieldFile(_SmartFieldFile):
    """The file of a :class:`SmartFileField`."""


class SmartImageFieldFile(_SmartFieldFile, ImageFieldFile):
    """The file of a :class:`SmartImageField`."""

    def _forget_size(self) -> None:
        self.__dict__.pop("_dimensions_cache", None)


class _NotesAssignment(FileDescriptor):
    def __set__(self, instance: Model, value: Any) -> None:
        if not instance._state.adding:  # not while it is loaded
            instance.__dict__.setdefault(_ASSIGNED, set()).add(self.field.attname)
        super().__set__(instance, value)


class _NotesImageAssignment(_NotesAssignment, ImageFileDescriptor):
    pass


class _SmartField(FileField):
    def contribute_to_class(  # type: ignore[override]
        self, cls: Type[Model], name: str, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, **kwargs)
        if not cls._meta.abstract:
            _listen(cls)


class SmartFileField(_SmartField):
    """Django's ``FileField``; a file that no row names any more is deleted after the commit.

    Files that are named by another row, another field or another model stay; so does the field's
    default. Of what passes by the instances, such as ``QuerySet.update()``, nothing is known: see
    docs/fields.md.

    Example::

        class Article(models.Model):
            report = SmartFileField(storage=DocumentStorage(), upload_to="reports")
    """

    attr_class = SmartFieldFile
    descriptor_class = _NotesAssignment


class SmartImageField(_SmartField, ImageField):
    """Django's ``ImageField``; a file that no row names any more is deleted after the commit.

    As :class:`SmartFileField`.

    Example::

        class Author(models.Model):
            portrait = SmartImageField(storage=MediaStorage(), upload_to="portraits")
    """

    attr_class = SmartImageFieldFile
    descriptor_class = _NotesImageAssignment


# What the instances of a model do


def _listen(model: Type[Model]) -> None:
    # Each class for itself: a receiver for all would make Django load what it could delete at once.
    if model._meta.apps is not apps:  # the model of a migration, which shows no other models
        return
    uid = f"smart_storages.storages.fields.{model.__module__}.{model.__qualname__}"
    pre_save.connect(_before_save, sender=model, dispatch_uid=uid)
    post_save.connect(_after_save, sender=model, dispatch_uid=uid)
    pre_delete.connect(_before_delete, sender=model, dispatch_uid=uid)


def _listen_if_smart(sender: Type[Model], **kwargs: Any) -> None:
    if any(isinstance(field, _SmartField) for field in sender._meta.concrete_fields):
        _listen(sender)


# A child of another model, and a proxy, are classes to which the field itself is not contributed.
class_prepared.connect(_listen_if_smart, dispatch_uid="smart_storages.storages.fields")


def _smart_fields(model: Type[Model], names: Optional[Iterable[str]] = None) -> List[_SmartField]:
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, _SmartField)
        and (names is None or {field.name, field.attname} & {*names})
    ]


def _before_save(
    sender: Any, instance: Any, raw: bool, using: str, update_fields: Any, **kwargs: Any
) -> None:
    fields = [] if raw else _smart_fields(sender, update_fields)
    is_new = instance._state.adding and (instance.pk is None or sender._meta.pk.has_default())
    named = [] if is_new or not fields else _read_row(instance, using, fields)
    instance.__dict__.setdefault(_BEFORE, []).append(named)


def _after_save(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    # A stack: a receiver of a signal may save the same instance again.
    stack = instance.__dict__.get(_BEFORE) or [[]]
    named = stack.pop()
    if not stack:
        instance.__dict__.pop(_BEFORE, None)
    _schedule(using, [(field, name) for field, name in named if name != _name_of(instance, field)])


def _before_delete(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    # Within the transaction that deletes the row; _Batch looks whether it is gone.
    # Django says what is deleted, from 4.1 on. What it has loaded for that itself is what the row
    # names; an instance of the caller's may be older than its row.
    origin = kwargs.get("origin")
    is_fresh = origin is not None and origin is not instance
    assigned = instance.__dict__.get(_ASSIGNED, ())
    named: List[_Named] = []
    unknown: List[_SmartField] = []
    for field in _smart_fields(sender):
        loaded = instance.__dict__.get(field.attname, field)
        is_as_loaded = loaded is None or isinstance(loaded, str)
        if is_fresh and is_as_loaded and field.attname not in assigned:
            named.append((field, loaded or ""))
        else:
            unknown.append(field)
    if unknown:
        named += _read_row(instance, using, unknown)
    _schedule(using, named)


def _name_of(instance: Any, field: _SmartField) -> str:
    return str(getattr(instance, field.attname) or "")


def _read_row(instance: Any, using: str, fields: List[_SmartField]) -> List[_Named]:
    # Not the model's manager: it may hide rows.
    rows: QuerySet[Any] = QuerySet(type(instance), using=using).filter(pk=instance.pk)
    row = rows.values_list(*(field.attname for field in fields)).first()
    return [(field, str(name)) for field, name in zip(fields, row or ()) if name]


# What happens at the commit


def _schedule(using: str, named: Iterable[_Named]) -> None:
    named = [(field, name) for field, name in named if name and not _is_default(field, name)]
    if not named:
        return
    connection: Any = transaction.get_connection(using)
    if not connection.in_atomic_block and not connection.get_autocommit():
        logger.warning(
            "The files %s stay, although no row may name them any more: with set_autocommit(False) "
            "nobody learns of the commit. %s",
            _listed(name for _, name in named),
            _HINT,
        )
        return
    for sids, function, *_ in reversed(connection.run_on_commit):
        # What belongs to the same savepoints is undone together, and can be deleted together.
        if isinstance(function, _Batch) and sids == set(connection.savepoint_ids):
            function.named += named
            return
    transaction.on_commit(_Batch(named), using=using)


def _is_default(field: FileField, name: str) -> bool:
    return bool(field.has_default() and str(field.get_default() or "") == name)


class _Batch:
    """Files that may be deleted when a transaction commits, unless a row names them."""

    def __init__(self, named: List[_Named]) -> None:
        self.named = named

    def __call__(self) -> None:
        by_storage: Dict[int, Tuple[FileField, Set[str]]] = {}
        for field, name in self.named:
            by_storage.setdefault(id(field.storage), (field, set()))[1].add(name)
        for field, names in by_storage.values():
            try:
                _delete(field, names - find_named(field.storage, names))
            except Exception:
                # The row is committed, and its request must not fail for a file nobody needs.
                logger.exception(
                    "The files %s, which no row may name any more, were not deleted: %s",
                    _listed(names),
                    _HINT,
                )


_HINT = "`manage.py buckets audit` finds them."


def _listed(names: Iterable[str]) -> str:
    shown = sorted(names)
    rest = f" and {len(shown) - 3:,} more" if len(shown) > 3 else ""  # noqa: PLR2004
    return ", ".join(map(repr, shown[:3])) + rest


def _delete(field: FileField, names: Set[str]) -> None:
    storage: Any = field.storage
    failed: Dict[str, Exception] = {}
    if len(names) > 1 and hasattr(storage, "delete_many"):
        try:
            failed = storage.delete_many(sorted(names))
            names = set()
        except Exception:
            logger.debug("The files are deleted one by one.", exc_info=True)
    for name, error in failed.items():
        _report(field, name, error)
    for name in sorted(names):
        try:
            storage.delete(name)
        except Exception as error:
            _report(field, name, error)


def _report(field: FileField, name: str, error: Exception) -> None:
    logger.error(
        "The file %r of %s, which no row names any more, was not deleted: %s",
        name,
        field,
        _HINT,
        exc_info=error,
    )


def find_named(storage: Any, names: Set[str]) -> Set[str]:
    """Return those of the names of a storage that a row of any model names.

    Args:
        storage: The storage that has the files.
        names: Their names in it.

    Example::

        unused = names - find_named(storage, names)
    """
    named: Set[str] = set()
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy:
            continue
        for field in model._meta.local_concrete_fields:
            if isinstance(field, FileField):
                there = {name_in(storage, name, field.storage): name for name in names - named}
                there.pop(None, None)
                found = _find_in_column(model, field, [name for name in there if name is not None])
                named |= {there[name] for name in found}
    return named


def _find_in_column(model: Type[Model], field: FileField, names: List[str]) -> Iterator[str]:
    for using in connections:
        if not names or not router.allow_migrate_model(using, model):
            continue
        for start in range(0, len(names), _NAMES_A_QUERY):
            part = names[start : start + _NAMES_A_QUERY]
            rows: QuerySet[Any] = QuerySet(model, using=using)
            rows = rows.filter(**{f"{field.attname}__in": part})
            try:
                with _recoverable(using):
                    yield from map(str, rows.values_list(field.attname, flat=True).distinct())
            except DatabaseError:
                if _has_table(using, model):
                    raise
                break


def _recoverable(using: str) -> ContextManager[Any]:
    # Usually the transaction has ended; in a test case of Django there is one around it.
    in_block = connections[using].in_atomic_block
    return transaction.atomic(using=using) if in_block else nullcontext()


def _has_table(using: str, model: Type[Model]) -> bool:
    # Without a router, every model is allowed in every database, and has no table in most.
    connection = connections[using]
    with connection.cursor() as cursor:
        return model._meta.db_table in connection.introspection.table_names(cursor)
