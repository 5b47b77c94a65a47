"""What keeps files in place of S3: a directory, or the memory of this process.

Keys and content come in, content and stats of objects go out: a
:class:`~smart_storages.backends.store.Store` keeps them, whole or not at all. It may not know
modules, names and storages: the storage that uses it turns names into keys, and its errors into
those of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import azure as azure
    from . import directory as directory
    from . import failures as failures
    from . import memory as memory
    from . import signed_urls as signed_urls
    from . import store as store
    from . import uploads as uploads
else:
    __getattr__ = importing_on_demand(__name__)
