"""A module on each backend beside S3, for the tests of the commands."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Dict

from tests.conftest import REQUIRE_REAL_S3
from tests.servers.azurite import azurite_program
from tests.servers.gcs import gcs_program
from tests.servers.sshd import sshd_program

__all__ = ["BACKENDS", "UNSIGNED", "settings_for"]

#: ``local`` is a module of S3 that SMART_STORAGE_LOCAL keeps in a directory; the backend of
#: ``class`` is the dotted path of a storage class.
BACKENDS = ["filesystem", "local", "memory", "class"]
if azurite_program() is not None or REQUIRE_REAL_S3:
    BACKENDS.append("azure")
if gcs_program() is not None or REQUIRE_REAL_S3:
    BACKENDS.append("gcs")
if sshd_program() is not None or REQUIRE_REAL_S3:
    BACKENDS.append("sftp")

#: Their URLs have no signature: another server decides who may read.
UNSIGNED = {"class", "sftp"}


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
    if backend == "class":
        entry["backend"] = "django.core.files.storage.FileSystemStorage"
        options = {"location": str(directory / "class"), "base_url": "/elsewhere/"}
        entry["options"] = {**options, **entry.get("options", {})}
    elif backend in ("gcs", "sftp"):
        options = request.getfixturevalue("gcs" if backend == "gcs" else "sshd").options
        settings["SMART_STORAGE_BUCKETS"]["docs"] = {
            **(options if backend == "gcs" else options(base_url="/elsewhere/")),
            **entry,
        }
    elif backend == "filesystem":
        entry["root"] = str(directory / "root")
    elif backend == "azure":
        entry.setdefault("connection_string", request.getfixturevalue("azurite").connection_string)
    return settings
