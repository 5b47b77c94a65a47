"""Rules that say which storage a file lives in; a dispatcher follows them.

The storages, the method, the name and the arguments of a call come in; the alias or module that the
file lives in goes out. A rule may not know the dispatcher that calls it, nor what a storage does.

Write your own as a subclass of :class:`StorageResolver`, or use one of the classes here:

    >>> rule = ByExtension({"pdf": "documents"}, default="media")
    >>> rule.resolve({}, "open", "press/kit.pdf", {})
    'documents'
"""

from __future__ import annotations

from smart_storages.resolvers.base import FirstMatch, StorageResolver
from smart_storages.resolvers.by_content import ByContentType, BySize
from smart_storages.resolvers.by_context import ByRegion, ByTenant
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
    # Migrations and pickles name a class by its module, so it is this public one, which stays.
    globals()[_name].__module__ = __name__
