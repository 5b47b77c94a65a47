"""A block of ``use_tenant`` leaves nothing behind, and a generator that leaves it open is told."""

import asyncio
import contextvars
import gc
import logging
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest

from smart_storages.common import context_blocks
from smart_storages.exceptions import TenantBlockError
from smart_storages.resolvers import ByTenant
from smart_storages.tenancy import current_region, current_tenant, use_region, use_tenant


@pytest.fixture
def told(caplog, monkeypatch):
    """What the log says of generators."""
    monkeypatch.setattr(context_blocks, "_told", set())
    caplog.set_level(logging.WARNING, "smart_storages.tenancy")
    return lambda: [record.getMessage() for record in caplog.records]


def numbers(tenant, count=3):
    with use_tenant(tenant):
        yield from range(count)


@contextmanager
def as_acme():
    with use_tenant("acme"):
        yield


def test_a_generator_that_leaves_its_tenant_to_the_caller_is_told_once(told):
    resolver = ByTenant("tenant_{tenant}")
    with use_tenant("acme"):
        resolver.resolve(None, "open", "a.txt", {})  # from now on it asks no further
    for _ in numbers("acme"):
        resolver.resolve(None, "open", "a.txt", {})
        assert current_tenant() == "acme"
    (line,) = told()
    assert "the generator numbers() has yielded in a block of use_tenant('acme')" in line
    assert "test_context_blocks.py:" in line
    assert current_tenant() is None


def test_through_a_context_manager_and_for_a_region_too(told):
    def indirect():
        with as_acme():
            yield

    def region():
        with use_region("eu"), ExitStack() as stack:
            stack.enter_context(use_tenant("acme"))
            yield

    for _ in indirect():
        assert current_tenant() == "acme"
    for _ in region():
        assert (current_region(), current_tenant()) == ("eu", "acme")
    assert [line.split("generator ")[1].split(" ")[0] for line in told()] == [
        "indirect()", "region()",
    ]  # fmt: skip


def test_in_an_async_generator_too(told):
    async def rows():
        with use_tenant("acme"):
            yield current_tenant()

    async def consume():
        async for _ in rows():
            assert current_tenant() == "acme"

    asyncio.run(consume())
    (line,) = told()
    assert "rows()" in line


@pytest.fixture
def acme():
    with use_tenant("acme"):
        yield


@pytest.mark.usefixtures("acme")
def test_what_is_run_as_a_block_is_no_leak(told):
    assert current_tenant() == "acme"

    @asynccontextmanager
    async def as_globex():
        with use_tenant("globex"):
            yield

    class ByHand:
        def __enter__(self):
            self.generator = numbers("initech")
            next(self.generator)

        def __exit__(self, *error):
            self.generator.close()

    async def work():
        async with as_globex():
            assert current_tenant() == "globex"

    with as_acme(), ByHand():
        assert current_tenant() == "initech"
    asyncio.run(work())

    def within():  # what a generator does itself, before it yields, is its own
        with use_tenant("umbrella"):
            found = current_tenant()
        yield found

    assert list(within()) == ["umbrella"]
    assert told() == []


def test_blocks_that_end_in_another_order_leave_nothing_behind():
    first, second, third = numbers("a"), numbers("b"), numbers("c")
    for each in (first, second, third):
        next(each)
    with pytest.raises(TenantBlockError, match=r"use_tenant\('a'\) ended before use_tenant\('b'\)"):
        first.close()
    assert current_tenant() == "c"
    with pytest.raises(TenantBlockError, match=r"use_tenant\('b'\) ended before use_tenant\('c'\)"):
        second.close()
    third.close()
    assert current_tenant() is None

    def region():
        with use_region("eu"):
            yield

    outer, inner = numbers("a"), region()
    next(outer)
    next(inner)
    with pytest.raises(TenantBlockError):
        outer.close()
    assert (current_tenant(), current_region()) == (None, "eu")
    inner.close()
    assert current_region() is None


def test_a_block_that_ends_in_another_context_is_told():
    generator = numbers("acme")
    contextvars.copy_context().run(next, generator)
    assert current_tenant() is None
    with use_tenant("globex"):
        with pytest.raises(TenantBlockError, match="in another thread or task than it began in"):
            generator.close()
        assert current_tenant() == "globex"
    with use_tenant("globex"):
        generator = numbers("acme")
        next(generator)
        assert current_tenant() == "acme"
        with pytest.raises(TenantBlockError, match="in another thread or task"):
            contextvars.copy_context().run(generator.close)  # in a copy that knows the block
        assert current_tenant() == "globex"
    assert current_tenant() is None


def test_the_error_of_the_block_itself_is_kept():
    def failing():
        with use_tenant("a"):
            yield
            raise KeyError("its own")

    first, second = failing(), numbers("b")
    next(first)
    next(second)
    with pytest.raises(TenantBlockError) as caught:
        next(first)
    assert isinstance(caught.value.__context__, KeyError)
    second.close()
    assert current_tenant() is None


def test_a_generator_that_is_dropped_ends_its_block():
    for _ in numbers("acme"):
        break
    gc.collect()
    assert current_tenant() is None


def test_a_block_is_a_decorator_too_for_a_function_that_calls_itself():
    @use_tenant("acme")
    def work(depth):
        return [current_tenant(), *(work(depth - 1) if depth else [])]

    assert work(2) == ["acme"] * 3
    assert current_tenant() is None


def test_a_block_is_entered_once():
    block = use_tenant("acme")
    with block, pytest.raises(TenantBlockError, match="was entered before"), block:
        pass
    with pytest.raises(TenantBlockError, match="was entered before"):
        block.__enter__()
    assert current_tenant() is None
