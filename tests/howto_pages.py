"""What ``tests/test_documentation.py`` looks at when the blocks of a how-to page have run."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from typing import Any

import django
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

from benchmarks import event_loop
from smart_storages.queued import engines
from smart_storages.utils import get_storage, resolve_storage
from tests import documentation
from tests.documentation import Project


def async_views(project: Project, _printed: str) -> None:
    table = documentation.read("docs/async.md").split("event loop -->")[1]
    titles = [case.title for case in event_loop.CASES]
    assert [line.split(" | ")[0][2:] for line in table.splitlines() if "| `" in line] == titles
    if django.VERSION < (4, 2):
        return  # no async model methods, no async responses
    from myapp import views
    from myapp.models import Report

    def post(text: str) -> Any:
        uploaded = SimpleUploadedFile("july.pdf", text.encode(), "application/pdf")
        return RequestFactory().post("/", {"title": "July", "file": uploaded})

    async def use() -> None:
        made = json.loads((await views.upload(post("%PDF"))).content)
        assert "/acme-docs/documents/reports/july" in made["url"]
        request = RequestFactory().get("/")
        request.scope = {}  # type: ignore[attr-defined]
        for view in (views.download, views.download_with_ranges):
            response = await view(request, made["id"])
            assert await _received(response) == b"%PDF"
            assert response["Content-Type"] == "application/pdf"
        await views.upload(post("123456"))
        assert (await views.sizes(request)).content == b"10"
        report = Report(title="all at once", file=SimpleUploadedFile("a.pdf", b"x"))
        await report.asave()
        assert await report.file.storage.aexists(report.file.name)

    asyncio.run(use())


async def _received(response: Any) -> bytes:
    return b"".join([part async for part in response.streaming_content])


def large_files(project: Project, _printed: str) -> None:
    from myapp import views

    assert project.names["size"] == 12 * 1024**2
    assert len(project.names["end"]) == 1024
    assert "X-Amz-Expires=3600" in project.names["link"]
    films = get_storage("films")
    assert films.transfer_config.max_concurrency == 4
    response = views.all_films(RequestFactory().get("/"))
    streamed = b"".join(response.streaming_content)
    with get_storage("exports").open("films.zip") as saved:
        for archive in (io.BytesIO(streamed), saved):
            with zipfile.ZipFile(archive) as opened:
                assert opened.namelist() == ["raw/1.mov", "raw/2.mov"]
                assert opened.testzip() is None
                assert opened.read("raw/2.mov") == bytes(12 * 1024**2)


def hosts(project: Project, _printed: str) -> None:
    engine = engines.get_engine()
    assert type(engine).__name__ == "CeleryOnThisHost"
    assert engines.works_here()
    scans = resolve_storage("scans")
    assert (scans.local.location.rpartition("/")[2], scans.remote.bucket_name) == (
        "uploads",
        "acme-media",
    )


def production_data(project: Project, _printed: str) -> None:
    assert project.names["picture"] == b"picture"
    assert project.names["name"] == "posts/2.jpg"
    production = get_storage("production")
    assert production.listdir("posts") == ([], ["1.jpg"])
    assert get_storage("media").listdir("posts") == ([], ["2.jpg"])
    assert "reader" in default_storage.url("posts/1.jpg")
    assert default_storage.url("posts/2.jpg").startswith("/files/")
    default_storage.open("posts/1.jpg").close()
    assert get_storage("media").exists("posts/1.jpg")
    for refused in (
        lambda: resolve_storage("production_files").delete("posts/1.jpg"),
        lambda: resolve_storage("production_files").save("a.txt", ContentFile(b"x")),
        lambda: resolve_storage("production_files").open("posts/1.jpg", "wb"),
    ):
        with pytest.raises(PermissionError):
            refused()
    from myapp.models import Post

    assert Post._meta.get_field("picture").storage.exists("posts/2.jpg")
    assert get_storage("tenant_acme").save("a.txt", ContentFile(b"x")) == "a.txt"
    assert (project.root / "files" / "tenants" / "tenant_acme" / "a.txt").read_bytes() == b"x"
