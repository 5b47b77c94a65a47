"""What django-debug-toolbar shows of the storages that a request used."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any, Callable, Iterator, List

import pytest
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import include, path

from smart_storages.exceptions import ObjectNotFoundError
from smart_storages.signals import storage_operation

PANEL = "smart_storages.monitoring.debug_toolbar.StoragesPanel"
pytest.importorskip("debug_toolbar", reason="there is no django-debug-toolbar for this Python")

view: Any = None


def answer(request: Any) -> HttpResponse:
    view(request)
    return HttpResponse("<html><body>Done.</body></html>")


@pytest.fixture
def toolbar(settings: Any) -> Iterator[None]:
    """The toolbar in the settings, for each request."""
    settings.INSTALLED_APPS = [
        *settings.INSTALLED_APPS,
        "django.contrib.staticfiles",
        "debug_toolbar",
    ]
    settings.ROOT_URLCONF = __name__
    settings.DEBUG_TOOLBAR_PANELS = [PANEL]
    settings.DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": lambda request: True}
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
    # It has models, which can be imported only now.
    urlpatterns[1:] = [path("__debug__/", include("debug_toolbar.urls", "djdt"))]
    yield
    del urlpatterns[1:]
    storage_operation.disconnect(dispatch_uid=PANEL.rpartition(".")[0])
    global view  # noqa: PLW0603
    view = None


urlpatterns: List[Any] = [path("", answer)]


@pytest.fixture
def visit(toolbar: None) -> Callable[..., Any]:
    """Makes a request with a view, and returns its panel."""
    from debug_toolbar.toolbar import DebugToolbar

    def visit(work: Callable[[Any], Any]) -> Any:
        def respond(request: Any) -> HttpResponse:
            work(request)
            return HttpResponse("")

        request = RequestFactory().get("/")
        panel = DebugToolbar(request, respond).get_panel_by_id("StoragesPanel")
        panel.enable_instrumentation()
        try:
            response = panel.process_request(request)
        finally:
            panel.disable_instrumentation()
        panel.generate_stats(request, response)
        panel.generate_server_timing(request, response)
        return panel

    return visit


@pytest.mark.one_server
def test_each_operation_has_its_requests_time_and_stack(visit: Any, make_storage: Any) -> None:
    storage = make_storage()

    def work(request: Any) -> None:
        storage.save("<b>.txt", ContentFile(b"hello"))
        for _ in range(2):
            with storage.open("<b>.txt") as file:
                file.read()
        with pytest.raises(ObjectNotFoundError):
            storage.size("missing")

    panel = visit(work)
    stats = panel.get_stats()
    shown = [
        (each["operation"], each["name"], each["requests"], each["bytes"], each["times"])
        for each in stats["operations"]
    ]
    assert shown == [
        ("save", "<b>.txt", 1, 5, 1),
        ("open", "<b>.txt", 1, 5, 2),
        ("open", "<b>.txt", 1, 5, 2),
        ("size", "missing", 1, 0, 1),
    ]
    assert (stats["requests"], stats["retries"], stats["bytes"]) == (4, 0, 15)
    assert stats["milliseconds"] == sum(each["milliseconds"] for each in stats["operations"]) > 0
    assert panel.nav_subtitle.startswith("4 operations, 4 requests in ")
    for each in stats["operations"]:
        # The line of the project that called the storage is the innermost.
        innermost = each["stack"].strip().rpartition("djdt-path")[2]
        assert "test_debug_toolbar.py" in innermost
        assert "smart_storages/storages" not in each["stack"]
    page = panel.content
    assert "&lt;b&gt;.txt" in page
    assert "<b>.txt" not in page
    assert "ObjectNotFoundError" in page
    assert "made 2&times;" in page
    assert json.loads(json.dumps(stats)) == stats  # the toolbar may keep it in a database
    assert storage.secret_key not in json.dumps(stats)


@pytest.mark.one_server
def test_a_request_is_shown_its_own_operations_alone(visit: Any, make_storage: Any) -> None:
    storage = make_storage()
    storage.exists("before")

    def work(request: Any) -> None:
        other = threading.Thread(target=storage.exists, args=("of another request",))
        other.start()
        other.join()
        storage.exists("mine")

    panel = visit(work)
    assert [each["name"] for each in panel.get_stats()["operations"]] == ["mine"]
    storage.exists("after")
    panel.generate_stats(None, None)
    assert len(panel.get_stats()["operations"]) == 1
    assert "no operations" in visit(lambda request: None).nav_subtitle


@pytest.mark.one_server
@pytest.mark.django_db
def test_the_toolbar_shows_the_panel_on_a_page(
    toolbar: None, client: Any, make_storage: Any
) -> None:
    global view  # noqa: PLW0603
    storage = make_storage()
    view = lambda request: storage.exists("a.txt")  # noqa: E731
    page = client.get("/")
    assert "StoragesPanel" in page.content.decode()
    assert "1 operation, 1 request in " in page.content.decode()
    assert "Storages: 1 request" in page["Server-Timing"]


@pytest.mark.one_server
def test_async_views_are_shown_too(toolbar: None, make_storage: Any) -> None:
    from debug_toolbar.toolbar import DebugToolbar

    storage = make_storage()

    async def respond(request: Any) -> HttpResponse:
        await asyncio.gather(storage.aexists("a"), storage.aexists("b"))
        return HttpResponse("")

    async def visit() -> Any:
        request = AsyncRequestFactory().get("/")
        panel = DebugToolbar(request, respond).get_panel_by_id("StoragesPanel")
        assert panel.enabled
        panel.enable_instrumentation()
        response = await panel.process_request(request)
        panel.disable_instrumentation()
        panel.generate_stats(request, response)
        return panel

    panel = asyncio.run(visit())
    assert sorted(each["name"] for each in panel.get_stats()["operations"]) == ["a", "b"]
