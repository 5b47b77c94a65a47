"""What the releases for Python 3.8 cannot do yet; newer Pythons have the tests."""

from __future__ import annotations

import sys

import pytest

__all__ = ["needs_newer_azure", "needs_newer_moto"]

_IS_OLD = sys.version_info < (3, 9)

needs_newer_moto = pytest.mark.skipif(
    _IS_OLD,
    reason="moto for Python 3.8 ignores response-content-disposition, and If-None-Match when an "
    "upload in parts is completed",
)
needs_newer_azure = pytest.mark.skipif(
    _IS_OLD, reason="azure-storage-blob for Python 3.8 does not ask again for a cut answer"
)
