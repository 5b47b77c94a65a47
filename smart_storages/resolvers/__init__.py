"""Rules that say which storage a file lives in; a dispatcher follows them.

Write your own as a subclass of :class:`StorageResolver`, or take one of the ready ones:

    >>> rule = ByExtension({"pdf": "documents"}, default="media")
    >>> rule.resolve({}, "open", "press/kit.pdf", {})
    'documents'

A call comes in: the storages, the method, the name and the arguments. The alias or module that the
file lives in goes out. A rule may not know the dispatcher that asks, nor what an alias stands for.
"""

from __future__ import annotations

from smart_storages.resolvers.base import FirstMatch, StorageResolver
from smart_storages.resolvers.by_asker import ByRegion, ByTenant
from smart_storages.resolvers.by_content import ByContentType, BySize
from smart_storages.resolvers.by_name import ByExtension, ByPathPrefix, RendezvousHash

__all__ = [
    "ByContentType",
    "ByExtension",
    "ByPathPrefix",
    "ByRegion",
    "BySize",
    "ByTenant",
    "FirstMatch",
    "RendezvousHash",
    "StorageResolver",
]

for _name in __all__:
    # Migrations and pickles name a class by its module: this one, which stays.
    globals()[_name].__module__ = __name__
