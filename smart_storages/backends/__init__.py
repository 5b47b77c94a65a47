"""What keeps the files: the S3 engine, and in place of S3 a directory, memory, another service.

Keys and content come in, content and stats of objects go out: whole or not at all, by ``s3/`` or by
a :class:`~smart_storages.backends.store.Store` of another backend. It may not know modules, names
and storages: the storage that uses it turns names into keys, and its errors into those of this
package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import azure as azure
    from . import directory as directory
    from . import django_classes as django_classes
    from . import django_storage as django_storage
    from . import failures as failures
    from . import gcs as gcs
    from . import gcs_requests as gcs_requests
    from . import memory as memory
    from . import s3 as s3
    from . import sftp as sftp
    from . import sftp_connections as sftp_connections
    from . import signed_urls as signed_urls
    from . import store as store
    from . import uploads as uploads
else:
    __getattr__ = importing_on_demand(__name__)
