"""Reading one version of one object: on demand, with seek, and across lost connections.

A target and a key come in; file-like objects go out. It may not know how anything is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import reader as reader
    from . import recorded as recorded
    from . import sizes as sizes
else:
    __getattr__ = importing_on_demand(__name__)
