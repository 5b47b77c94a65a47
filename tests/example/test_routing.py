"""What the example site shows of routing: by tenant, by size, and production behind a disk."""

from __future__ import annotations

import html
import re
from typing import Any, Callable, Iterator, List, Tuple
from urllib.parse import urlsplit

import pytest

from tests.example.conftest import RunningSite

LIMIT = 256 * 1024


def page_text(visitor: Any, address: str) -> str:
    """The page as a reader sees it: no places to break a line, no escapes."""
    text: str = visitor.http.request("GET", address).data.decode()
    return html.unescape(text.replace("<wbr>", ""))


@pytest.fixture
def s3(visitor: Any) -> Any:
    """The S3 server of the running site, past the site."""
    import boto3

    [stylesheet] = visitor.read("/").stylesheets
    address = urlsplit(stylesheet)
    return boto3.session.Session("demo", "demo-secret").client(
        "s3", endpoint_url=f"{address.scheme}://{address.netloc}", region_name="us-east-1"
    )


@pytest.fixture
def production(s3: Any) -> Callable[[], List[Tuple[Any, ...]]]:
    """Lists every object of the production bucket, with its checksum and last change."""

    def read() -> List[Tuple[Any, ...]]:
        found = s3.list_objects_v2(Bucket="harbour-dev-production")["Contents"]
        return [(each["Key"], each["ETag"], each["LastModified"]) for each in found]

    return read


@pytest.fixture
def open_report(manage: Callable[..., Any]) -> Iterator[Callable[[str], Any]]:
    """Opens the Beacon's report in a shell of the site; ``before`` says on whose behalf."""

    def run(before: str) -> Any:
        return manage(
            "shell",
            "-c",
            "from smart_storages.tenancy import use_tenant\n"
            "from smart_storages.utils import storages\n"
            f"with {before}: storages['reports'].open('tenant_beacon/readers.csv')",
        )

    return run


def test_a_report_s_own_tenant_is_led_to_its_folder(manage: Callable[..., Any]) -> None:
    result = manage(
        "shell",
        "-c",
        "from smart_storages.tenancy import use_tenant\n"
        "from smart_storages.utils import storages\n"
        "with use_tenant('beacon'):\n"
        "    print(storages['reports'].resolve('open', 'tenant_beacon/readers.csv').location)",
    )
    assert result.returncode == 0, result.stdout
    assert "tenant_beacon/" in result.stdout.splitlines()


@pytest.mark.parametrize("before", ["use_tenant('gull')", "use_tenant(None)"])
def test_a_report_opens_for_no_other_tenant_and_not_without_one(
    open_report: Callable[[str], Any], before: str
) -> None:
    result = open_report(before)
    assert result.returncode != 0
    assert "RoutingRefusedError" in result.stdout


def test_a_report_that_names_another_tenant_s_folder_stays_with_its_own(visitor: Any) -> None:
    stored = visitor.upload(
        "/reports/",
        {"tenant": "2", "title": "Whose"},
        {"upload": ("tenant_beacon.csv", b"a,b\n")},
    )["upload"]
    assert (stored.module, stored.key) == ("tenant_gull", "tenant_gull/tenant_beacon.csv")
    assert visitor.fetch(stored.url) == (200, b"a,b\n")


def test_a_report_says_what_led_to_its_place(visitor: Any, site: RunningSite) -> None:
    text = page_text(visitor, site.address + "reports/")
    assert (
        "Stored as tenant_tidewater/front-page.csv. The name begins with 'tenant_tidewater'."
    ) in text


@pytest.mark.parametrize(
    ("size", "place"),
    [(1, "small"), (LIMIT, "small"), (LIMIT + 1, "large")],
)
def test_the_size_of_an_attachment_decides_on_its_bucket(
    visitor: Any, site: RunningSite, size: int, place: str
) -> None:
    content = b"x" * size
    stored = visitor.upload("/stories/2/", {}, {"attachment": ("note.txt", content)})["attachment"]
    assert stored.module == f"attachments-{place}"
    assert stored.bucket == f"harbour-dev-attachments-{place}"
    assert visitor.fetch(stored.url) == (200, content)
    text = page_text(visitor, site.address + "stories/2/")
    # Why it went there, noted when it was saved, and why it is looked for there.
    assert f"The content has {size} bytes. Stored as {stored.module}/{stored.key}. " in text
    assert f"The name begins with '{stored.module}'." in text


def test_an_attachment_that_holds_something_else_is_refused(visitor: Any) -> None:
    from visitor import VisitError

    before = visitor.read("/stories/2/").files.keys()
    with pytest.raises(VisitError, match=r"called \.pdf but holds something else"):
        visitor.upload("/stories/2/", {}, {"attachment": ("note.pdf", b"<script>")})
    assert visitor.read("/stories/2/").files.keys() == before


def test_the_page_of_development_says_which_backend_answers_each_file(
    visitor: Any, site: RunningSite
) -> None:
    files = visitor.read("/development/").files
    rules, draft = files["development-harbour-rules.pdf"], files["development-draft-rules.txt"]
    assert (rules.module, rules.bucket) == ("production", "harbour-dev-production")
    assert (draft.module, draft.bucket) == ("workbench", "this disk")
    text = page_text(visitor, site.address + "development/")
    assert re.search(r"says production\. Asked before, without success: workbench\.", text)


def test_an_upload_in_development_stays_on_the_disk(visitor: Any, production: Any) -> None:
    before = production()
    stored = visitor.upload("/development/", {}, {"upload": ("idea.txt", b"An idea.\n")})["upload"]
    assert (stored.module, stored.key) == ("workbench", "idea.txt")
    assert visitor.fetch(stored.url) == (200, b"An idea.\n")
    assert production() == before


def test_an_upload_in_development_does_not_hide_the_file_of_production(
    visitor: Any, production: Any
) -> None:
    before = production()
    rules = visitor.read("/development/").files["development-harbour-rules.pdf"]
    _, content = visitor.fetch(rules.url)
    stored = visitor.upload(
        "/development/", {}, {"upload": ("harbour-rules.pdf", b"%PDF-1.4 mine")}
    )["upload"]
    assert stored.module == "workbench"
    assert stored.key != "harbour-rules.pdf"
    assert visitor.fetch(rules.url) == (200, content)
    assert production() == before


def test_a_file_that_neither_the_disk_nor_production_has_is_not_found(
    visitor: Any, site: RunningSite
) -> None:
    response = visitor.http.request("GET", site.address + "development/files/nothing.txt")
    assert response.status == 404
    assert "There is no such page" in response.data.decode()


@pytest.mark.parametrize("name", ["..%2Fdb.sqlite3", "%2Fetc%2Fpasswd", "a%2F..%2F..%2Fsite.log"])
def test_no_address_of_development_leaves_the_workbench(
    visitor: Any, site: RunningSite, name: str
) -> None:
    response = visitor.http.request("GET", site.address + "development/files/" + name)
    assert response.status in (400, 404)


def test_a_production_bucket_that_is_gone_is_said_so_and_not_shown_as_empty(
    visitor: Any, site: RunningSite, s3: Any
) -> None:
    bucket = "harbour-dev-production"
    kept = {
        each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
        for each in s3.list_objects_v2(Bucket=bucket)["Contents"]
    }
    for key in kept:
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
    try:
        response = visitor.http.request("GET", site.address + "development/")
    finally:
        s3.create_bucket(Bucket=bucket)
        for key, content in kept.items():
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    assert response.status == 200
    assert "The list cannot be made" in response.data.decode()
    assert bucket in response.data.decode()
