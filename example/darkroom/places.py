"""Describes where each scan is, for the page."""

from __future__ import annotations

import posixpath

from smart_storages.queued.models import QueuedFile

# What the page says for each state of the ledger, and the colour of its chip.
WORDS = {
    "held": ("On this server, waiting to be sent", "signed"),
    "queued": ("On this server, in the queue", "signed"),
    "transferring": ("Being sent to the bucket", "signed"),
    "settling": ("In the bucket, being verified again", "signed"),
    "done": ("In the bucket", "public"),
    "failed": ("On this server, transfer failed", "wrong"),
}


def describe(scans):
    """Return what the page shows of each scan, with a single query for all of them."""
    scans = list(scans)
    if not scans:
        return []
    storage = scans[0].image.storage
    names = [scan.image.name for scan in scans]
    rows = QueuedFile.objects.filter(storage=storage.key, name__in=names)
    by_name = {row.name: row for row in rows}
    return [describe_one(scan, storage, by_name.get(scan.image.name)) for scan in scans]


def describe_one(scan, storage, row):
    state = row.state if row else "done"
    label, colour = WORDS[state]
    if row is None or not row.is_local:
        remote_name = (row and row.remote_name) or scan.image.name
        bucket = storage.remote.bucket_name
        place = posixpath.join(storage.remote.location, remote_name).lstrip("/")
    else:
        bucket = f"the disk of {row.host}"
        place = row.local_name
    took = row.finished_at - row.saved_at if row and row.finished_at else None
    return {
        "id": scan.pk,
        "title": scan.title,
        "state": state,
        "label": label,
        "colour": colour,
        "bucket": bucket,
        "key": place,
        "bytes": row.size if row else None,
        "error": row.last_error if row else "",
        "took": f"{took.total_seconds():.1f} s" if took else "",
    }
