"""The contract over buckets of moto and of Ceph: plain, composed, and a choice of nested ones."""

from __future__ import annotations

import itertools
from typing import Dict
from uuid import uuid4

import pytest
from django.core.files.storage import FileSystemStorage

from smart_storages.storages import SmartS3Storage
from tests.contract.compositions import COMPOSITIONS, FEW, FEW_PAIRS
from tests.contract.contract import StorageContract

CEPH = {"indirect": True, "argvalues": [pytest.param("ceph", marks=pytest.mark.real_s3)]}


_buckets: Dict[str, str] = {}


@pytest.fixture
def make(s3_server, settings):
    """Makes a new empty storage with each call: a location of its own in one bucket a server."""
    url = s3_server.endpoint_url
    if url not in _buckets:  # making one takes longer than a test
        _buckets[url] = s3_server.create_bucket()
    for name, value in s3_server.django_settings().items():
        setattr(settings, name, value)
    settings.AWS_STORAGE_BUCKET_NAME = _buckets[url]

    def make_location():
        return SmartS3Storage("contract", location=uuid4().hex, file_overwrite=False)

    return make_location


class BucketContract(StorageContract):
    times = ("get_modified_time",)


class TestPlain(BucketContract):
    test_a_hostile_name_is_refused = None
    test_the_async_twins_do_the_same = None

    @pytest.fixture
    def storage(self, make):
        return make()


class TestComposed(BucketContract):
    @pytest.fixture(params=FEW)
    def storage(self, request, make):
        return COMPOSITIONS[request.param](make)


@pytest.mark.parametrize("s3_server", **CEPH)
class TestComposedOverCeph(BucketContract):
    @pytest.fixture(params=sorted({*COMPOSITIONS} - {*FEW}))
    def storage(self, request, make):
        return COMPOSITIONS[request.param](make)


@pytest.mark.parametrize("s3_server", **CEPH)
class TestNestedTwoDeepOverCeph(BucketContract):
    @pytest.fixture(params=FEW_PAIRS, ids="-".join)
    def storage(self, request, make):
        outer, inner = (COMPOSITIONS[name] for name in request.param)
        return outer(lambda: inner(make))


@pytest.mark.parametrize("s3_server", **CEPH)
class TestABucketAndADisk(StorageContract):
    """What a composed storage is for: storages that differ in what they can do."""

    # A bucket knows one of the three times; the disk, which lacks the file, knows all.
    test_the_times_are_now = None

    @pytest.fixture(params=["fallback", "mirror", "by_hash", "fallback_copying"])
    def storage(self, request, make, tmp_path):
        numbers = itertools.count()

        def make_either():
            number = next(numbers)
            return FileSystemStorage(str(tmp_path / str(number))) if number % 2 else make()

        return COMPOSITIONS[request.param](make_either)
