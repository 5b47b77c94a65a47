"""The contract over buckets of moto and of Ceph: plain, composed, and a choice of nested ones."""

from __future__ import annotations

import itertools

import pytest
from django.core.files.storage import FileSystemStorage

from smart_storages.storages import SmartS3Storage
from tests.contract.compositions import COMPOSITIONS, FEW, FEW_PAIRS
from tests.contract.contract import StorageContract

CEPH = {"indirect": True, "argvalues": [pytest.param("ceph", marks=pytest.mark.real_s3)]}


@pytest.fixture
def make(s3_settings, s3_bucket):
    """Makes a new empty storage with each call: a location of its own in the test's bucket."""
    numbers = itertools.count()

    def make_bucket():
        location = f"storage{next(numbers)}"
        return SmartS3Storage("contract", location=location, file_overwrite=False)

    return make_bucket


class S3Contract(StorageContract):
    # django-storages announces the number of characters and sends that many bytes.
    test_text_content_is_stored_as_utf_8 = None


class TestPlain(S3Contract):
    test_a_hostile_name_is_refused = None
    test_the_async_twins_do_the_same = None

    @pytest.fixture
    def storage(self, make):
        return make()


class TestComposed(S3Contract):
    @pytest.fixture(params=FEW)
    def storage(self, request, make):
        return COMPOSITIONS[request.param](make)


@pytest.mark.parametrize("s3_server", **CEPH)
class TestComposedOverCeph(S3Contract):
    @pytest.fixture(params=sorted({*COMPOSITIONS} - {*FEW}))
    def storage(self, request, make):
        return COMPOSITIONS[request.param](make)


@pytest.mark.parametrize("s3_server", **CEPH)
class TestNestedTwoDeepOverCeph(S3Contract):
    @pytest.fixture(params=FEW_PAIRS, ids="-".join)
    def storage(self, request, make):
        outer, inner = (COMPOSITIONS[name] for name in request.param)
        return outer(lambda: inner(make))


@pytest.mark.parametrize("s3_server", **CEPH)
class TestABucketAndADisk(S3Contract):
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
