"""The contract over storages of this machine: plain, composed, and composed of composed ones."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from django.core.files import storage as django_storage
from django.core.files.storage import FileSystemStorage

from tests.contract.compositions import COMPOSITIONS, PAIRS, some_of
from tests.contract.contract import ContractOverMany, StorageContract, over_many

KINDS = ["disk", "memory"] if hasattr(django_storage, "InMemoryStorage") else ["disk"]


def is_possible(kind, names):
    # InMemoryStorage gives every reader of a file the same cursor: no threads over it.
    return kind == "disk" or "mirror_background" not in names


def over_each_kind():
    return [
        (kind, name)
        for kind, name in itertools.product(KINDS, COMPOSITIONS)
        if is_possible(kind, [name])
    ]


def over_kinds_in_turn():
    # Each pair over one of them: which, by the colours of a chessboard, so that a composition
    # stands over both, outside and inside.
    order = list(COMPOSITIONS)
    for outer, inner in some_of(PAIRS):
        kind = KINDS[(order.index(outer) + order.index(inner)) % len(KINDS)]
        yield (kind if is_possible(kind, [outer, inner]) else "disk", outer, inner)


@pytest.fixture
def make(request, tmp_path):
    """Makes a new empty storage with each call."""
    numbers = itertools.count()

    def make_disk():
        directory = tmp_path / f"storage{next(numbers)}"
        directory.mkdir()
        return FileSystemStorage(str(directory), base_url="/files/")

    def make_memory():
        return django_storage.InMemoryStorage(base_url="/files/")

    return {"disk": make_disk, "memory": make_memory}


class TestPlain(StorageContract):
    # Django refuses these too, but some only with an error of the file system.
    test_a_hostile_name_is_refused = None
    test_an_upload_in_parts_becomes_a_file = None
    test_the_async_twins_do_the_same = None

    @pytest.fixture(params=KINDS)
    def storage(self, request, make):
        return make[request.param]()


class TestComposed(ContractOverMany):
    takes_uploads = False

    @pytest.fixture
    def storages(self, make):
        return {
            f"{kind}-{name}": partial(COMPOSITIONS[name], make[kind])
            for kind, name in over_each_kind()
        }


class TestNestedTwoDeep(ContractOverMany):
    takes_uploads = False

    @pytest.fixture
    def storages(self, make):
        return {
            f"{kind}-{outer}-{inner}": partial(
                COMPOSITIONS[outer], partial(COMPOSITIONS[inner], make[kind])
            )
            for kind, outer, inner in over_kinds_in_turn()
        }


class Careless(FileSystemStorage):
    def size(self, name):
        return 0


@pytest.mark.parametrize(
    "check", ["test_what_was_saved_is_read_back", "test_a_missing_file_does_not_exist"]
)
def test_the_storages_that_break_the_contract_are_named(tmp_path, check):
    storages = {
        "whole": partial(FileSystemStorage, str(tmp_path / "whole")),
        "careless": partial(Careless, str(tmp_path / "careless")),
    }
    with pytest.raises(AssertionError, match="1 of 2 failed:\ncareless"):
        over_many(getattr(StorageContract, check))(StorageContract(), storages)
