"""The S3 engine: clients, signing, reading, writing, copying and bulk requests.

A :class:`~smart_storages.backends.s3.target.Target` comes in: one bucket, and how to reach it. HTTP
requests go out, and values or errors of this package come back. The engine may not know Django's
settings, modules or storages, nor the other backends; the only part of the configuration that it
uses is the table of providers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import bulk as bulk
    from . import clients as clients
    from . import copying as copying
    from . import errors as errors
    from . import reading as reading
    from . import requests as requests
    from . import signing as signing
    from . import stat as stat
    from . import target as target
    from . import writing as writing
else:
    __getattr__ = importing_on_demand(__name__)
