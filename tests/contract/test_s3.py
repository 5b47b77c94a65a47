"""The contract over buckets of moto and of Ceph: plain, composed, and a choice of nested ones."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Dict
from uuid import uuid4

import pytest
from django.core.files.storage import FileSystemStorage

from smart_storages.storages import SmartS3Storage
from tests.conftest import lead_to
from tests.contract.compositions import COMPOSITIONS, FEW, FEW_PAIRS, some_of
from tests.contract.contract import ContractOverMany, StorageContract

CEPH = {"indirect": True, "argvalues": [pytest.param("ceph", marks=pytest.mark.real_s3)]}


_buckets: Dict[str, str] = {}


@pytest.fixture
def make(s3_server, settings):
    """Makes a new empty storage with each call: a location of its own in one bucket a server."""
    url = s3_server.endpoint_url
    if url not in _buckets:  # making one takes longer than a test
        _buckets[url] = s3_server.create_bucket()
    lead_to(settings, s3_server, _buckets[url])

    def make_location():
        return SmartS3Storage("contract", location=uuid4().hex, file_overwrite=False)

    return make_location


BUCKET_TIMES = ("get_modified_time",)


class TestPlain(StorageContract):
    times = BUCKET_TIMES
    test_a_hostile_name_is_refused = None
    test_the_async_twins_do_the_same = None

    @pytest.fixture
    def storage(self, make):
        return make()


@pytest.mark.one_server
class TestComposed(ContractOverMany):
    times = BUCKET_TIMES

    @pytest.fixture
    def storages(self, make):
        return {name: partial(COMPOSITIONS[name], make) for name in FEW}


@pytest.mark.parametrize("s3_server", **CEPH)
class TestComposedOverCeph(ContractOverMany):
    times = BUCKET_TIMES

    @pytest.fixture
    def storages(self, make):
        return {name: partial(COMPOSITIONS[name], make) for name in {*COMPOSITIONS} - {*FEW}}


@pytest.mark.parametrize("s3_server", **CEPH)
class TestNestedTwoDeepOverCeph(ContractOverMany):
    times = BUCKET_TIMES

    @pytest.fixture
    def storages(self, make):
        return {
            f"{outer}-{inner}": partial(COMPOSITIONS[outer], partial(COMPOSITIONS[inner], make))
            for outer, inner in some_of(FEW_PAIRS)
        }


@pytest.mark.parametrize("s3_server", **CEPH)
class TestABucketAndADisk(ContractOverMany):
    """What a composed storage is for: storages that differ in what they can do."""

    # A bucket knows one of the three times; the disk, which lacks the file, knows all.
    test_the_times_are_now = None
    # Some of these choose the disk for it, which takes none.
    test_an_upload_in_parts_becomes_a_file = None

    @pytest.fixture
    def storages(self, make, tmp_path):
        numbers = itertools.count()

        def make_either():
            number = next(numbers)
            return FileSystemStorage(str(tmp_path / str(number))) if number % 2 else make()

        return {
            name: partial(COMPOSITIONS[name], make_either)
            for name in ("fallback", "mirror", "fallback_copying", "by_hash")
        }
