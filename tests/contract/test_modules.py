"""The contract over modules whose files are not in S3: plain and composed."""

from __future__ import annotations

import itertools
from functools import lru_cache, partial

import pytest

from smart_storages.backends.memory import isolated
from smart_storages.storages import SmartS3Storage
from tests.conftest import REQUIRE_REAL_S3, THOROUGH
from tests.contract.compositions import COMPOSITIONS
from tests.contract.contract import ContractOverMany, StorageContract
from tests.servers.azurite import azurite_program
from tests.servers.gcs import gcs_program
from tests.servers.sshd import sshd_program

BACKENDS = ["filesystem", "memory"]
if azurite_program() is not None or REQUIRE_REAL_S3:
    BACKENDS.append("azure")
if gcs_program() is not None or REQUIRE_REAL_S3:
    BACKENDS.append("gcs")
if sshd_program() is not None or REQUIRE_REAL_S3:
    BACKENDS.append("sftp")
#: Storages of Django: one that refuses a taken name, and one that does not know of any.
CLASSES = {
    "directory": "django.core.files.storage.FileSystemStorage",
    "service": "tests.backends.projects_storages.Overwriting",
}
BACKENDS += CLASSES
#: The others say that they take none.
TAKE_UPLOADS = {"azure", "filesystem", "memory"}
#: A bucket knows one time of a file, and a module is a bucket wherever it is.
BUCKET_TIMES = ("get_modified_time",)


@pytest.fixture
def make(request, tmp_path):
    """Makes a new empty storage with each call: a location of its own in one bucket."""
    numbers = itertools.count()

    def in_azure():
        azurite = request.getfixturevalue("azurite")
        container = azurite.create_container()
        return {"connection_string": azurite.connection_string, "bucket_name": container}

    def in_gcs():
        server = request.getfixturevalue("gcs")
        return {**server.options, "bucket_name": server.create_bucket()}

    options = {
        "filesystem": lambda: {"root": tmp_path / "buckets"},
        "memory": dict,
        "azure": in_azure,
        "gcs": in_gcs,
        "sftp": lambda: request.getfixturevalue("sshd").options(base_url="https://example.com/"),
        "directory": lambda: {"options": {"location": str(tmp_path), "base_url": "/files/"}},
        "service": lambda: {"options": {"account": str(tmp_path), "url": "https://example.com/"}},
    }

    @lru_cache(maxsize=None)
    def options_of(backend):
        return options[backend]()

    def make_module(backend):
        return SmartS3Storage(
            "contract",
            location=f"location{next(numbers)}",
            file_overwrite=False,
            **{"backend": CLASSES.get(backend, backend), **options_of(backend)},
        )

    with isolated():
        yield make_module


class _Plain(StorageContract):
    times = BUCKET_TIMES
    test_a_hostile_name_is_refused = None  # as in S3, "/etc/passwd" is a name like any other


class TestPlain(_Plain):
    @pytest.fixture(params=[each for each in BACKENDS if each in TAKE_UPLOADS])
    def storage(self, request, make):
        return make(request.param)


class TestPlainWithoutUploads(_Plain):
    takes_uploads = False

    @pytest.fixture(params=[each for each in BACKENDS if each not in TAKE_UPLOADS])
    def storage(self, request, make):
        return make(request.param)


def composed(make, backends):
    """Each composition over each backend where the run is thorough, else over one in turn."""
    return {
        f"{backend}-{name}": partial(compose, partial(make, backend))
        for place, backend in enumerate(backends)
        for turn, (name, compose) in enumerate(COMPOSITIONS.items())
        if THOROUGH or turn % len(backends) == place
    }


class TestComposed(ContractOverMany):
    times = BUCKET_TIMES

    @pytest.fixture
    def storages(self, make):
        return composed(make, [each for each in BACKENDS if each in TAKE_UPLOADS])


class TestComposedWithoutUploads(ContractOverMany):
    times = BUCKET_TIMES
    takes_uploads = False

    @pytest.fixture
    def storages(self, make):
        return composed(make, [each for each in BACKENDS if each not in TAKE_UPLOADS])
