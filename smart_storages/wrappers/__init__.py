"""Storages made of other storages: what restricts one, and what all of them share.

A dispatcher, fallback, mirror, wrapper or queue passes in references to the storages that it uses;
calls on those storages go out. What they share is one list of the Storage API, the references, the
health of a storage, and locks. This room may not know about S3, nor which dispatcher, fallback,
mirror or queue uses it.

>>> from django.core.files.storage import FileSystemStorage
>>> ReadOnlyStorage(ScopedStorage(FileSystemStorage("/srv/files"), "acme")).path("a.txt")
'/srv/files/acme/a.txt'
"""

from __future__ import annotations

from smart_storages.wrappers.restricting import ReadOnlyStorage, ScopedStorage

__all__ = ["ReadOnlyStorage", "ScopedStorage"]

for _name in __all__:
    # Migrations and pickles name a class by its module, so it is this public one, which stays.
    globals()[_name].__module__ = __name__
