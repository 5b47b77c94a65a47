"""Writing an object whole or not at all: one PUT, or parts in parallel.

A target, a key and content come in; what S3 says about the finished object goes out. It may not
know file names, locations or settings: those are resolved before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import browser_parts as browser_parts
    from . import parameters as parameters
    from . import source as source
    from . import write_file as write_file
    from . import writer as writer
else:
    __getattr__ = importing_on_demand(__name__)
