"""Which tenant is asking: blocks, threads, coroutines, requests."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path

from smart_storages.exceptions import RoutingRefusedError
from smart_storages.tenancy import (
    TenantMiddleware,
    current_region,
    current_tenant,
    use_region,
    use_tenant,
)


def test_a_block_has_its_tenant_and_gives_back_the_one_before():
    assert current_tenant() is None
    with use_tenant("acme") as tenant:
        assert tenant == current_tenant() == "acme"
        with use_tenant("globex"):
            assert current_tenant() == "globex"
        with use_tenant(None):
            assert current_tenant() is None
        assert current_tenant() == "acme"
    assert current_tenant() is None


def test_an_error_gives_back_the_tenant_before():
    with pytest.raises(KeyError), use_tenant("acme"):
        raise KeyError
    assert current_tenant() is None


def test_a_region_works_the_same_way():
    with use_region("eu"):
        assert current_region() == "eu"
    assert current_region() is None


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".", "a\0", "a b", "-a", "x" * 64, "a\n", 5, "ä", "{tenant}"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(RoutingRefusedError, match="cannot name a tenant"), use_tenant(name):
        pass
    assert current_tenant() is None


def test_threads_do_not_see_each_others_tenant():
    barrier = threading.Barrier(8)

    def work(number):
        with use_tenant(f"t{number}"):
            barrier.wait(10)
            return current_tenant()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [f"t{number}" for number in range(8)]


def test_coroutines_do_not_see_each_others_tenant():
    async def work(number):
        with use_tenant(f"t{number}"):
            await asyncio.sleep(0)
            return current_tenant(), await sync_to_async(current_tenant)()

    async def all_of_them():
        return await asyncio.gather(*(work(number) for number in range(8)))

    assert async_to_sync(all_of_them)() == [(f"t{n}", f"t{n}") for n in range(8)]


# The middleware


def of_path(request):
    return request.path.split("/")[2] or None


def view(request, tenant=None):
    return HttpResponse(str(current_tenant()))


async def async_view(request, tenant=None):
    return HttpResponse(str(current_tenant()))


urlpatterns = [
    path("sync/", view),
    path("sync/<tenant>", view),
    path("async/", async_view),
    path("async/<tenant>", async_view),
]


@pytest.fixture
def site(settings):
    settings.ROOT_URLCONF = "tests.test_tenancy"
    settings.MIDDLEWARE = ["smart_storages.tenancy.TenantMiddleware"]
    settings.SMART_STORAGE_TENANT = "tests.test_tenancy.of_path"
    settings.ALLOWED_HOSTS = ["*"]


@pytest.mark.parametrize("url", ["/sync/", "/async/"])
def test_a_request_runs_on_behalf_of_its_tenant(site, url):
    assert Client().get(f"{url}acme").content == b"acme"
    assert Client().get(url).content == b"None"
    assert current_tenant() is None


@pytest.mark.parametrize("url", ["/sync/", "/async/"])
def test_a_request_under_asgi_runs_on_behalf_of_its_tenant(site, url):
    async def ask(tenant):
        return (await AsyncClient().get(f"{url}{tenant}")).content.decode()

    async def ask_many():
        return await asyncio.gather(*(ask(f"t{number}") for number in range(6)))

    assert async_to_sync(ask_many)() == [f"t{number}" for number in range(6)]


def test_without_a_function_the_requests_own_tenant_is_taken(settings):
    request = RequestFactory().get("/")
    request.tenant = "acme"
    assert TenantMiddleware(view)(request).content == b"acme"
    request.tenant = object()
    assert TenantMiddleware(view)(request).content == b"None"


def test_the_middleware_is_async_when_the_next_one_is():
    assert iscoroutinefunction(TenantMiddleware(async_view))
    assert not iscoroutinefunction(TenantMiddleware(view))


def test_a_subclass_can_find_the_tenant_itself():
    class ByPath(TenantMiddleware):
        def get_tenant(self, request):
            return request.path.strip("/")

    assert ByPath(view)(RequestFactory().get("/acme/")).content == b"acme"
