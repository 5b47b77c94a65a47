"""Turns errors of botocore and urllib3 into this package's own, and removes secrets from them.

Errors, answers and log records of botocore and urllib3 come in; errors of
:mod:`smart_storages.exceptions`, which can be caught as botocore's as well, and redacted records go
out. It may not know what the requests were for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import botocore_kinds as botocore_kinds
else:
    __getattr__ = importing_on_demand(__name__)
