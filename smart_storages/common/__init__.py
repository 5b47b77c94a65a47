"""What every room may use: names, secrets, arguments, content, async twins, versions of Django.

Nothing comes in and nothing goes out: these are functions and small classes without a setting, a
bucket or a request. They may not know any other room of the package, only its exceptions and
signals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import brotli_streams as brotli_streams
    from . import on_loop as on_loop
    from . import parts as parts
    from . import serving as serving
else:
    __getattr__ = importing_on_demand(__name__)
