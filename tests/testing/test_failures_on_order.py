"""A storage fails where a test orders it, and has done nothing then."""

from __future__ import annotations

import asyncio

import pytest
from django.core.files.base import ContentFile

from smart_storages.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    UnreachableError,
)
from smart_storages.testing import assert_not_saved, failing, override_buckets
from smart_storages.utils import get_storage


@pytest.fixture(params=["memory", "filesystem"])
def media(request):
    with override_buckets(request.param, buckets={"*": {}}):
        storage = get_storage("media")
        storage.save("a.txt", ContentFile(b"hello"))
        yield storage


def test_each_action_can_fail(media):
    uses = {
        "save": [
            lambda: media.save("b.txt", ContentFile(b"x")),
            lambda: media.open("b.txt", "w").close(),
        ],
        "open": [lambda: media.open("a.txt")],
        "stat": [
            lambda: media.exists("a.txt"),
            lambda: media.size("a.txt"),
            lambda: media.get_modified_time("a.txt"),
        ],
        "delete": [lambda: media.delete("a.txt")],
        "list": [lambda: media.listdir(""), lambda: list(media.iter_files())],
    }
    for action, calls in uses.items():
        for call in calls:
            with failing("media", on=action) as order:
                with pytest.raises(UnreachableError, match=r"on order.*module 'media'"):
                    call()
                assert order.failed == 1
    assert_not_saved("media", "b.txt")
    assert media.exists("a.txt")


def test_only_that_action_of_that_module_fails(media):
    other = get_storage("other")
    with failing("media", on="save"):
        other.save("a.txt", ContentFile(b"x"))
        assert media.exists("a.txt")
    media.save("b.txt", ContentFile(b"x"))


def test_it_fails_so_often_and_works_then(media):
    with failing("media", on="save", times=2) as order:
        for _ in range(2):
            with pytest.raises(UnreachableError):
                media.save("b.txt", ContentFile(b"x"))
        assert media.save("b.txt", ContentFile(b"x")) == "b.txt"
    assert order.failed == 2


def test_any_error_can_be_ordered(media):
    with failing("media", on="open", error=AccessDeniedError):
        with pytest.raises(AccessDeniedError, match="module 'media'"):
            media.open("a.txt")
    with failing("media", on="open", error=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        media.open("a.txt")
    error = AccessDeniedError("No.", module="media", status=403)
    with failing("media", on="open", error=error), pytest.raises(AccessDeniedError) as caught:
        media.open("a.txt")
    assert caught.value is error
    with failing("media", on="save", error=TimeoutError("too late")):
        with pytest.raises(TimeoutError, match="too late"):
            media.save("b.txt", ContentFile(b"x"))


def test_it_decorates_a_function_too(media):
    @failing("media", on="delete")
    def clean_up():
        media.delete("a.txt")

    for _ in range(2):
        with pytest.raises(UnreachableError):
            clean_up()


def test_deleting_many_reports_each(media):
    with failing("media", on="delete"):
        assert isinstance(media.delete_many(["a.txt"])["a.txt"], UnreachableError)


def test_what_cannot_fail_is_refused(media):
    with pytest.raises(ValueError, match=r"cannot fail on 'upload'. It can on 'save': save"):
        with failing("media", on="upload"):
            pass


def test_it_needs_overridden_buckets():
    with pytest.raises(ConfigurationError, match=r"within override_buckets\(\)"):
        with failing("media", on="save"):
            pass


def test_it_decorates_a_coroutine_too(media):
    @failing("media", on="save")
    async def upload():
        await media.asave("b.txt", ContentFile(b"x"))

    with pytest.raises(UnreachableError):
        asyncio.run(upload())
