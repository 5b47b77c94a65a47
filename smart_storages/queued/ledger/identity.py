"""The identity of this ledger, which keeps its local copies apart from another ledger's."""

from __future__ import annotations

import hashlib

from smart_storages.queued import ledger
from smart_storages.queued.models import LedgerIdentity, new_identity

__all__ = ["orphan_prefix"]


def orphan_prefix(storage: str) -> str:
    """Return the directory of a storage's local copies, in which a sweep may look for orphans.

    Two ledgers may share a disk or a bucket, and must not take each other's copies for orphans.
    Each has a random identity in its own table, because settings cannot tell apart two schemas, or
    two deployments whose databases have the same name. The settings are part of the prefix too,
    because they tell apart a ledger and a restored copy of it. The identity is read on each call,
    because the schema may change with every request.
    """
    settings = ledger.connection().settings_dict
    where = "|".join(str(settings.get(part, "")) for part in ("HOST", "PORT", "NAME"))
    text = f"{storage}|{where}|{_identity()}"
    return "queued-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _identity() -> str:
    connection = ledger.connection()
    names = (LedgerIdentity._meta.db_table, "value", "id")
    table, value, key = map(connection.ops.quote_name, names)
    with connection.cursor() as cursor:  # used by every save, and much faster than a QuerySet
        cursor.execute(f"SELECT {value} FROM {table} WHERE {key} = 1")  # noqa: S608
        found = cursor.fetchone()
    if found is not None:
        return str(found[0])
    # The migration creates the row; after a flush of the database, it is missing.
    rows = LedgerIdentity.objects.using(ledger.database())
    return rows.get_or_create(pk=1, defaults={"value": new_identity()})[0].value
