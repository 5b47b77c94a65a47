"""Every column in which a project keeps names of files, and the names in it."""

from __future__ import annotations

from typing import Any, Iterator, List, NamedTuple, Sequence, Set, Tuple

from django.apps import apps
from django.core.management.base import CommandError
from django.db import connections, models, router

from smart_storages.queued import ledger, registry
from smart_storages.queued.models import QueuedFile
from smart_storages.uploads import ledger as uploads
from smart_storages.uploads.models import DirectUpload

__all__ = ["Column", "LedgerColumn", "find_columns", "has_ledger", "has_uploads", "still_named"]

_PAGE = 2_000
#: Values in one query; SQLite before 3.32 takes 999, Oracle 1,000.
_MOST_VALUES = 500


class Column(NamedTuple):
    """A ``FileField`` of a model, in one database.

    Args:
        model: The model whose table has the column.
        field: The field.
        database: Alias of the database.
    """

    model: Any
    field: Any
    database: str

    @property
    def label(self) -> str:
        """``app.Model.field``, with the database where it is not the default."""
        suffix = "" if self.database == "default" else f" in {self.database}"
        return f"{self.model._meta.label}.{self.field.name}{suffix}"

    @property
    def storage(self) -> Any:
        """The storage of the field."""
        return self.field.storage

    @property
    def default(self) -> str:
        """The name that a row gets which is saved without a file, ``""`` if there is none."""
        return str(self.field.get_default() or "")

    @property
    def query(self) -> Any:
        """All rows with a name, past managers, which may hide some."""
        rows: Any = models.QuerySet(self.model, using=self.database).order_by()
        return rows.exclude(**{self.field.attname: ""}).exclude(**{self.field.attname: None})

    def names(self) -> Iterator[Tuple[str, str]]:
        """Yield the primary key, as text, and the name of each row, a page of rows at a time."""
        # Not one long query: MySQL's driver would keep its whole result in memory.
        rows = self.query.order_by("pk").values_list("pk", self.field.attname)
        page = list(rows[:_PAGE])
        while page:
            for key, name in page:
                yield str(key), str(name)
            page = list(rows.filter(pk__gt=page[-1][0])[:_PAGE]) if len(page) == _PAGE else []


class LedgerColumn:
    """The files of queued storages, of which there may be no other row."""

    label = "queued files"

    def names(self) -> Iterator[Tuple[Any, str]]:
        """Yield the remote storage, and the name there, of each file of the ledger."""
        rows = ledger.rows().order_by("pk")
        page: List[Any] = list(rows[:_PAGE])
        while page:
            for row in page:
                yield registry.find_storage(row.storage).remote, row.remote_name or row.name
            page = list(rows.filter(pk__gt=page[-1].pk)[:_PAGE]) if len(page) == _PAGE else []


def find_columns() -> List[Column]:
    """Return the column of each file field of each model, once for each database that has it.

    Raises:
        CommandError: a model has no table in any database: its files would look like nobody's.
    """
    found: List[Column] = []
    for model in apps.get_models(include_auto_created=True):
        fields = [each for each in model._meta.local_fields if isinstance(each, models.FileField)]
        if not fields or model._meta.proxy or model._meta.swapped:
            continue
        databases = [alias for alias in connections if _has_table(model, alias)]
        if not databases:
            raise CommandError(
                f"{model._meta.label} has a file field, but no database has its table "
                f"{model._meta.db_table!r}: run manage.py migrate."
            )
        found += [Column(model, field, alias) for field in fields for alias in databases]
    return found


def has_ledger() -> bool:
    """Return whether the project keeps a ledger of queued files."""
    return apps.is_installed("smart_storages.queued") and _has_table(QueuedFile, ledger.database())


def has_uploads() -> bool:
    """Return whether the project keeps a ledger of direct uploads."""
    return apps.is_installed("smart_storages.uploads") and _has_table(
        DirectUpload, uploads.database()
    )


def still_named(column: Column, names: Sequence[str]) -> Set[str]:
    """Return those of the names that a row has now."""
    found: Set[str] = set()
    for start in range(0, len(names), _MOST_VALUES):
        some = list(names[start : start + _MOST_VALUES])
        rows = column.query.filter(**{f"{column.field.attname}__in": some})
        found.update(map(str, rows.values_list(column.field.attname, flat=True).distinct()))
    return found


def _has_table(model: Any, alias: str) -> bool:
    if not router.allow_migrate_model(alias, model) and router.db_for_read(model) != alias:
        return False
    connection: Any = connections[alias]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor, include_views=True)
    return model._meta.db_table in tables
