"""Which ledger this is: what tells our local copies from those of another one on the same disk."""

from __future__ import annotations

import hashlib

from smart_storages.queued import ledger
from smart_storages.queued.models import LedgerIdentity, new_identity

__all__ = ["orphan_prefix"]


def orphan_prefix(storage: str) -> str:
    """Return the directory of a storage's local copies, in which a sweep may look for orphans.

    Two ledgers may share a disk or a bucket, and must not take each other's copies for orphans.
    Each has a random identity in a table of its own, since two schemas, or two stacks whose
    databases have one name, cannot be told apart by their settings. The settings tell a ledger
    from a restored copy of it. It is read each time: a schema may change with every request.
    """
    settings = ledger.connection().settings_dict
    where = "|".join(str(settings.get(part, "")) for part in ("HOST", "PORT", "NAME"))
    told = f"{storage}|{where}|{_identity()}"
    return "queued-" + hashlib.sha256(told.encode()).hexdigest()[:12]


def _identity() -> str:
    connection = ledger.connection()
    names = (LedgerIdentity._meta.db_table, "value", "id")
    table, value, key = map(connection.ops.quote_name, names)
    with connection.cursor() as cursor:  # with every save; a QuerySet takes many times as long
        cursor.execute(f"SELECT {value} FROM {table} WHERE {key} = 1")  # noqa: S608
        found = cursor.fetchone()
    if found is not None:
        return str(found[0])
    # The migration writes it; a flushed database lacks it.
    rows = LedgerIdentity.objects.using(ledger.database())
    return rows.get_or_create(pk=1, defaults={"value": new_identity()})[0].value
