"""What the releases for Python 3.8 cannot do yet; newer Pythons have the tests."""

from __future__ import annotations

import sys

import pytest
import storages

__all__ = ["needs_newer_azure", "needs_newer_django_storages", "needs_newer_moto"]

_IS_OLD = sys.version_info < (3, 9)

needs_newer_moto = pytest.mark.skipif(
    _IS_OLD,
    reason="moto for Python 3.8 ignores response-content-disposition, and If-None-Match when an "
    "upload in parts is completed",
)
needs_newer_azure = pytest.mark.skipif(
    _IS_OLD, reason="azure-storage-blob for Python 3.8 does not ask again for a cut answer"
)

OLD_DJANGO_STORAGES = tuple(map(int, storages.__version__.split(".")[:3])) < (1, 14, 6)
needs_newer_django_storages = pytest.mark.skipif(
    OLD_DJANGO_STORAGES,
    reason="django-storages 1.14.4 says of every file that may be overwritten that it does not "
    "exist; compared is 1.14.6",
)
