"""Which tenant is asking: blocks, threads, coroutines, requests."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.core.checks import run_checks
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path

from smart_storages.checks import tenants
from smart_storages.checks.tenants import check_tenant
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import (
    ConfigurationError,
    InvalidTenantNameError,
    RoutingRefusedError,
)
from smart_storages.resolvers import ByTenant
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
    with pytest.raises(InvalidTenantNameError, match="cannot name a tenant"), use_tenant(name):
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


def refusing_view(request, tenant=None):
    return HttpResponse(StorageDispatcher(ByTenant()).url("a.txt"))


async def refusing_async_view(request, tenant=None):
    return refusing_view(request)


urlpatterns = [
    path("refused/", refusing_view),
    path("arefused/", refusing_async_view),
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


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("url", ["/sync/..x", "/async/-a"])
def test_a_tenant_that_cannot_be_one_is_a_bad_request(site, client, url):
    assert ask(client, url).status_code == 400


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("url", ["/refused/", "/arefused/"])
def test_a_view_that_is_refused_a_file_is_forbidden(site, client, url):
    assert ask(client, url).status_code == 403


@pytest.mark.parametrize("error", [KeyError("a"), PermissionError("a"), ConfigurationError("a")])
def test_no_other_error_of_a_view_is_touched(error):
    assert TenantMiddleware(view).process_exception(None, error) is None


def test_a_bad_name_within_a_view_stays_a_bad_request():
    error = InvalidTenantNameError("a")
    assert TenantMiddleware(view).process_exception(None, error) is None


def ask(client, url):
    made = client(raise_request_exception=False)
    if client is Client:
        return made.get(url)

    async def get():
        return await made.get(url)

    return async_to_sync(get)()


# The setting


@pytest.mark.parametrize("value", ["no.such.function", "os.sep", 5])
def test_a_wrong_setting_is_named(settings, value):
    settings.SMART_STORAGE_TENANT = value
    with pytest.raises(ConfigurationError, match="SMART_STORAGE_TENANT"):
        TenantMiddleware(view)(RequestFactory().get("/"))
    (message,) = check_tenant()
    assert message.id == "smart_storages.E018"
    assert "SMART_STORAGE_TENANT" in message.msg


def test_a_refusal_for_want_of_a_tenant_names_the_setting(settings):
    with pytest.raises(RoutingRefusedError, match="SMART_STORAGE_TENANT, which is not set"):
        ByTenant().resolve({}, "open", "a.txt", {})
    settings.SMART_STORAGE_TENANT = "tests.test_tenancy.of_path"
    with pytest.raises(RoutingRefusedError, match=r"set SMART_STORAGE_TENANT\. See docs/\S+$"):
        ByTenant().resolve({}, "open", "a.txt", {})


MIDDLEWARE = "smart_storages.tenancy.TenantMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"


@pytest.mark.parametrize(
    ("middleware", "setting", "expected"),
    [
        ([MIDDLEWARE], None, ["smart_storages.E019"]),
        ([SESSIONS, MIDDLEWARE, "own.Middleware"], None, ["smart_storages.E019"]),
        (["own.Middleware", MIDDLEWARE], None, []),
        ([SESSIONS, MIDDLEWARE], "tests.test_tenancy.of_path", []),
        ([SESSIONS, MIDDLEWARE], of_path, []),
        (["own.SubclassOfTenantMiddleware"], None, []),
        ([], None, []),
    ],
)
def test_a_middleware_that_can_tell_no_tenant_is_told_of(settings, middleware, setting, expected):
    settings.MIDDLEWARE = middleware
    settings.SMART_STORAGE_TENANT = setting
    messages = check_tenant()
    assert [message.id for message in messages] == expected
    assert all("SMART_STORAGE_TENANT" in message.msg for message in messages)


def test_django_runs_the_check(settings):
    settings.SMART_STORAGE_TENANT = "no.such.function"
    assert "smart_storages.E018" in [message.id for message in run_checks()]


@pytest.mark.documentation
def test_every_id_is_documented():
    page = Path(__file__).parents[1].joinpath("docs", "checks.md").read_text("utf-8")
    for number in tenants._IDS.values():
        assert f"## smart_storages.{number}" in page
