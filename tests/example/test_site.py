"""The pages of the example site, visited over HTTP."""

from __future__ import annotations

import re
from typing import Any, Callable
from urllib.parse import urlsplit

import pytest

from tests.example.conftest import RunningSite


def test_no_model_change_lacks_a_migration(manage: Callable[..., Any]) -> None:
    result = manage("makemigrations", "--check", "--dry-run")
    assert result.returncode == 0, result.stdout
    assert "No changes detected" in result.stdout


def test_the_system_checks_have_nothing_to_say(manage: Callable[..., Any]) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo-secret"}
    result = manage("check", "--fail-level", "DEBUG", **keys)
    assert result.returncode == 0, result.stdout
    assert "no issues (0 silenced)" in result.stdout


def test_the_system_checks_tell_of_missing_credentials(manage: Callable[..., Any]) -> None:
    result = manage("check")
    assert result.returncode == 0, result.stdout
    assert "smart_storages.W012" in result.stdout
    assert result.stdout.count("smart_storages.") == 1


def test_no_migration_holds_a_bucket_or_a_key(manage: Callable[..., Any]) -> None:
    result = manage("sqlmigrate", "newsroom", "0001")
    assert result.returncode == 0, result.stdout
    from tests.example.conftest import EXAMPLE

    for migration in (EXAMPLE / "newsroom" / "migrations").glob("0*.py"):
        source = migration.read_text()
        assert "harbour-" not in source
        assert "secret" not in source


_AS_STAFF = """
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
settings.ALLOWED_HOSTS = ["*"]
visitor = Client()
visitor.force_login(get_user_model().objects.create_superuser("editor"))
print(visitor.get("/admin/smart_storages_monitoring/bucketcheck/").content.decode())
"""


@pytest.mark.slow
def test_the_admin_shows_the_buckets(manage: Callable[..., Any]) -> None:
    assert manage("migrate").returncode == 0
    result = manage("shell", "-c", _AS_STAFF)
    assert result.returncode == 0, result.stdout
    for module in ("documents", "pii", "wire-eu"):
        assert f">{module}<" in result.stdout


@pytest.mark.parametrize("page", ["/", "/stories/3/", "/reports/", "/wires/", "/people/"])
def test_a_page_lists_files_with_module_bucket_key_and_a_link_that_works(
    visitor: Any, page: str
) -> None:
    files = visitor.read(page).files
    assert files
    for file in files.values():
        assert file.module
        assert file.key
        assert f"/{file.bucket}/{file.key}" == urlsplit(file.url).path
        assert visitor.fetch(file.url)[0] == 200


@pytest.mark.parametrize(
    "page", ["/", "/stories/3/", "/reports/", "/wires/", "/people/", "/development/"]
)
def test_every_page_with_files_has_a_form_that_uploads(visitor: Any, page: str) -> None:
    assert visitor.read(page).token


def test_tenants_share_a_bucket_and_no_folder_but_one_has_its_own(visitor: Any) -> None:
    files = visitor.read("/reports/").files.values()
    places = {file.module: (file.bucket, file.key.rpartition("/")[0]) for file in files}
    assert places["tenant_beacon"] == ("harbour-dev-tenants", "tenant_beacon")
    assert places["tenant_gull"] == ("harbour-dev-tenants", "tenant_gull")
    assert places["tenant_tidewater"] == ("harbour-dev-tenant-tidewater", "")


def test_a_wrong_file_is_refused_with_a_reason_and_not_stored(visitor: Any) -> None:
    from visitor import VisitError

    before = visitor.read("/people/").files.keys()
    with pytest.raises(VisitError, match=r"called \.png but holds something else"):
        visitor.upload(
            "/people/",
            {"name": "A. Nobody", "role": "Impostor"},
            {"avatar": ("portrait.png", b"<script>alert(1)</script>")},
        )
    assert visitor.read("/people/").files.keys() == before


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "photo.jpg.exe"])
def test_what_a_browser_might_run_is_no_picture(visitor: Any, name: str) -> None:
    from visitor import VisitError

    with pytest.raises(VisitError, match="Choose a file of one of these types"):
        visitor.upload("/people/", {"name": "A", "role": "B"}, {"avatar": (name, b"<svg/>")})


def test_a_name_that_climbs_stays_inside_its_location(visitor: Any) -> None:
    stored = visitor.upload(
        "/reports/",
        {"tenant": "1", "title": "Climbing"},
        {"upload": ("../../tenant_gull/readers.csv", b"a,b\n")},
    )
    assert stored["upload"].key.startswith("tenant_beacon/")


def test_a_file_added_to_a_story_is_listed_beside_the_others(visitor: Any) -> None:
    before = visitor.read("/stories/1/").files
    assert [file.module for file in before.values()] == ["media"]
    stored = visitor.upload("/stories/1/", {}, {"source": ("notes.txt", b"Number 14 saw it.\n")})
    assert stored["source"].module == "documents"
    assert visitor.fetch(stored["source"].url) == (200, b"Number 14 saw it.\n")
    after = visitor.read("/stories/1/").files
    assert [file.module for file in after.values()] == ["media", "documents"]


def test_a_bucket_that_is_gone_gives_a_message_in_the_form(visitor: Any) -> None:
    import boto3

    from visitor import VisitError

    before = visitor.read("/wires/").files
    file = next(file for file in before.values() if file.module == "wire-us")
    address = urlsplit(file.url)
    client = boto3.session.Session("demo", "demo-secret").client(
        "s3", endpoint_url=f"{address.scheme}://{address.netloc}", region_name="us-east-1"
    )
    content = client.get_object(Bucket=file.bucket, Key=file.key)["Body"].read()
    client.delete_object(Bucket=file.bucket, Key=file.key)
    client.delete_bucket(Bucket=file.bucket)
    try:
        with pytest.raises(VisitError, match="storage did not take the file"):
            visitor.upload(
                "/wires/", {"region": "us", "title": "Lost"}, {"upload": ("lost.txt", b"Gone.\n")}
            )
        assert visitor.read("/wires/").files.keys() == before.keys()
    finally:
        client.create_bucket(Bucket=file.bucket)
        client.put_object(Bucket=file.bucket, Key=file.key, Body=content)


def test_the_page_of_buckets_shows_every_module_and_no_key(visitor: Any, site: RunningSite) -> None:
    page = visitor.http.request("GET", site.address + "buckets/").data.decode()
    for module in ("media", "pii", "tenant_beacon", "tenant_tidewater", "wire-eu"):
        assert f"<h2>{module}</h2>" in page
    assert re.search(r"secret_?(<wbr>)?key", page)
    assert "***" in page
    assert "demo-secret" not in page
    assert ">demo<" not in page


def test_the_stylesheet_comes_from_the_static_bucket(visitor: Any) -> None:
    [stylesheet] = visitor.read("/").stylesheets
    assert "/harbour-dev-static/static/newsroom/press.css" in stylesheet
    response = visitor.http.request("GET", stylesheet)
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/css")


def test_a_page_that_is_not_there_is_said_so_in_the_site_s_own_words(
    visitor: Any, site: RunningSite
) -> None:
    response = visitor.http.request("GET", site.address + "nowhere/")
    assert response.status == 404
    assert "There is no such page" in response.data.decode()


def test_a_form_without_its_token_is_refused(visitor: Any, site: RunningSite) -> None:
    response = visitor.http.request("POST", site.address + "people/", fields={"name": "X"})
    assert response.status == 403


@pytest.mark.slow
def test_the_site_s_own_tests_pass_without_a_server(manage: Callable[..., Any]) -> None:
    done = manage("test", "newsroom")
    assert done.returncode == 0, done.stdout
    assert "Ran 4 tests" in done.stdout
