"""A project moves from S3 to another backend and back: every byte, every type, nothing twice."""

from __future__ import annotations

import os
import threading
from typing import Any, Dict
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile

from smart_storages.backends.memory import isolated
from smart_storages.management.moving.copying import Copier, Plan
from smart_storages.management.moving.ends import end_of
from smart_storages.mirror import MirrorStorage
from smart_storages.storages import SmartS3Storage
from smart_storages.utils import get_storage
from tests.conftest import lead_to
from tests.management.calls import call

pytestmark = pytest.mark.sampled(2)

CONTENTS = {
    "a.css": (b"body{}" * 100, "text/css"),
    "docs/b.txt": (b"hello", "text/plain"),
    "docs/empty": (b"", "application/octet-stream"),
    "ü/big.bin": (os.urandom(12 * 1024**2), "application/octet-stream"),
}


CLASSES = {
    "directory": "django.core.files.storage.FileSystemStorage",
    "service": "tests.backends.projects_storages.Overwriting",
}


@pytest.fixture(params=["azure", "filesystem", "gcs", "memory", "sftp", *CLASSES])
def modules(request, moto_bucket, settings, tmp_path):
    """The modules ``here``, in S3, and ``there``, elsewhere."""
    lead_to(settings, moto_bucket.server, moto_bucket.name)
    there: Dict[str, Any] = {"backend": request.param, "location": "there"}
    if request.param == "filesystem":
        there["root"] = tmp_path
    if request.param == "sftp":
        there.update(request.getfixturevalue("sshd").options())
    if request.param in CLASSES:
        there["backend"] = CLASSES[request.param]
        name = "location" if request.param == "directory" else "account"
        there["options"] = {name: str(tmp_path)}
    if request.param == "azure":
        azurite = request.getfixturevalue("azurite")
        there["connection_string"] = azurite.connection_string
        there["bucket_name"] = azurite.create_container()
    if request.param == "gcs":
        server = request.getfixturevalue("gcs")
        there.update(server.options, bucket_name=server.create_bucket())
    settings.SMART_STORAGE_BUCKETS = {
        "here": {"location": "here", "object_parameters": {"Metadata": {"by": "ada"}}},
        "there": there,
        "again": {"location": f"again-{uuid4().hex}"},
    }
    with isolated():
        yield get_storage("here"), get_storage("there"), get_storage("again")


def save_all(storage: SmartS3Storage) -> None:
    for name, (content, kind) in CONTENTS.items():
        file = ContentFile(content, name)
        file.content_type = kind
        storage.save(name, file)


def copy(source: str, target: str, **options: Any) -> Any:
    ends = [end_of(get_storage(name), name) for name in (source, target)]
    return Copier(Plan(*ends, **options)).run()


def read(storage: Any, name: str) -> bytes:
    with storage.open(name) as file:
        content: bytes = file.read()
    return content


def test_everything_is_copied_there_and_back(modules):
    here, there, again = modules
    save_all(here)
    report = copy("here", "there")
    assert (report.copied, report.failed) == (4, 0)
    assert copy("there", "again").copied == 4
    for storage in (there, again):
        for name, (content, kind) in CONTENTS.items():
            assert read(storage, name) == content
            if there.keeps_attributes:
                assert storage.stat(name).content_type == kind
                assert storage.stat(name).metadata["by"] == "ada"


def test_what_is_the_same_is_not_copied_again_and_what_differs_is(modules):
    here, there, _ = modules
    save_all(here)
    copy("here", "there")
    assert copy("here", "there").same == 4
    there.save("docs/b.txt", ContentFile(b"HELLO"))
    there.delete("a.css")
    there.save("extra.txt", ContentFile(b"x"))
    report = copy("here", "there", delete=True)
    assert (report.copied, report.same, report.deleted) == (2, 2, 1)
    assert read(there, "docs/b.txt") == b"hello"
    assert sorted(name for name, _ in there.iter_files()) == sorted(CONTENTS)


def test_the_command_copies_and_verifies(modules):
    here, there, _ = modules
    save_all(here)
    assert call("copy", "here", "there").code == 0
    assert call("verify", "here", "there").code == 0
    there.save("docs/b.txt", ContentFile(b"HELLO"))
    assert call("verify", "here", "there").code == 1


def test_a_live_project_moves_while_files_are_uploaded(modules):
    # As docs/moving-providers.md says: mirror the writes, copy what there was, then switch.
    here, there, _ = modules
    save_all(here)
    live = MirrorStorage(primary="here", mirrors=["there"])
    stop = threading.Event()
    saved: Dict[str, bytes] = {}

    def upload():
        number = 0
        while not stop.is_set() or number < 10:
            number += 1
            content = b"%d" % number
            saved[live.save(f"live/{number}.txt", ContentFile(content))] = content

    visitor = threading.Thread(target=upload)
    visitor.start()
    try:
        copy("here", "there")
    finally:
        stop.set()
        visitor.join()
    assert len(saved) >= 10
    for name, content in {**saved, **{name: each for name, (each, _) in CONTENTS.items()}}.items():
        assert read(there, name) == content
