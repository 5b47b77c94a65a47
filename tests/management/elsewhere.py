"""A module on each backend beside S3, for the tests of the commands."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Dict

from tests.conftest import REQUIRE_REAL_S3
from tests.servers.azurite import azurite_program

__all__ = ["BACKENDS", "settings_for"]

#: ``local`` is a module of S3 that SMART_STORAGE_LOCAL keeps in a directory.
BACKENDS = ["filesystem", "local", "memory"]
if azurite_program() is not None or REQUIRE_REAL_S3:
    BACKENDS.append("azure")


def settings_for(backend: str, request: Any, directory: Path, **options: Any) -> Dict[str, Any]:
    """Settings whose module ``docs`` is on a backend, and has nothing there yet."""
    entry: Dict[str, Any] = {"bucket_name": f"docs-{uuid.uuid4().hex[:12]}", **options}
    settings: Dict[str, Any] = {
        "SMART_STORAGE_BUCKETS": {"docs": entry},
        "STORAGES": {},
        "ROOT_URLCONF": "tests.contract.urls",
    }
    if backend == "local":
        settings["SMART_STORAGE_LOCAL"] = str(directory / "local")
        return settings
    entry["backend"] = backend
    if backend == "filesystem":
        entry["root"] = str(directory / "root")
    elif backend == "azure":
        entry.setdefault("connection_string", request.getfixturevalue("azurite").connection_string)
    return settings
