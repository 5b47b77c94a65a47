"""A page in a real browser, in front of Django's own server and of Ceph behind a proxy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smart_storages.management.policies import cors_rules
from tests import browsers
from tests.conftest import REQUIRE_REAL_S3, Bucket
from tests.servers import S3Proxy
from tests.uploads.conftest import MP4

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "smart_storages" / "uploads"
AXE = SCRIPT / "js" / "node_modules" / "axe-core" / "axe.min.js"
MB = 1 << 20

#: What axe-core calls a violation, with the elements; the result of a promise.
_ASK_AXE = """
const [selector, done] = arguments;
axe.run(selector, {resultTypes: ["violations"]}).then((found) => done(found.violations.map(
    (each) => each.id + ": " + each.nodes.map((node) => node.html).join(" "))));
"""


def need_packages() -> None:
    """Skip where npm's packages are missing; with REQUIRE_REAL_S3=1, as in CI, fail."""
    if not AXE.exists():
        message = "esbuild, TypeScript and axe-core are not installed: tests/servers/install.sh"
        (pytest.fail if REQUIRE_REAL_S3 else pytest.skip)(message)


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so outside of the page."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Page:
    """What somebody sees of a page with uploads, and does there.

    Args:
        driver: Selenium's.
        address: Of the site.
        bucket: Where the files go.
        proxy: In front of the bucket.
    """

    def __init__(self, driver: Any, address: str, bucket: Bucket, proxy: S3Proxy) -> None:
        self.driver = driver
        self.address = address
        self.bucket = bucket
        self.proxy = proxy
        self.has_axe = False

    def open(self, path: str = "/album/") -> None:
        self.driver.get(self.address + path)
        self.wait("document.querySelector('.su-on')")

    def wait(self, script: str, seconds: float = 20) -> Any:
        """The value of ``script``, as soon as it is true."""
        from selenium.common.exceptions import TimeoutException

        try:
            return browsers.wait_for(self.driver, script, seconds)
        except TimeoutException:
            text = self.run("return document.body.innerText")
            pytest.fail(f"{script} is not true in {seconds} s. The page says:\n{text}")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def find_all(self, selector: str) -> List[Any]:
        found: List[Any] = self.driver.find_elements("css selector", selector)
        return found

    def choose(self, *files: Path) -> None:
        """As if these files were chosen in the dialog of the operating system."""
        self.find("input[type=file]").send_keys("\n".join(map(str, files)))

    def wait_for(self, state: str, seconds: float = 20) -> Any:
        """The first line of the list in this state, as soon as there is one."""
        return self.wait(f"document.querySelector('.su-item[data-state={state}]')", seconds)

    def press(self, label: str) -> None:
        """Click the button with this accessible name."""
        self.find(f'[aria-label="{label}"]').click()

    def save(self) -> Any:
        """Send the form; what the site answers."""
        self.find("button[name=save]").click()
        return self.saved()

    def saved(self) -> Any:
        self.wait("document.querySelector('#saved')")
        return json.loads(self.find("#saved").text)

    def status(self) -> str:
        return str(self.find(".su-status").text)

    def note(self) -> str:
        return str(self.find(".su-note").text)

    def said(self) -> str:
        """What a screen reader was given to say last."""
        return str(self.run("return document.querySelector('.su-live').textContent"))

    def focused(self) -> str:
        """The accessible name of what has the focus, or its id."""
        return str(
            self.run(
                "const a = document.activeElement; return a.getAttribute('aria-label') || a.id"
            )
        )

    def violations(self, selector: str = "html") -> List[str]:
        """What axe-core finds wrong with a part of the page as it is now."""
        need_packages()
        if not self.run("return window.axe !== undefined"):
            self.run(AXE.read_text(encoding="utf-8"))
        found: List[str] = self.driver.execute_async_script(_ASK_AXE, selector)
        # It tries styles while it looks, against the page's policy.
        self.has_axe = True
        return found

    def took(self) -> List[Any]:
        """Each request to the site in this test: path, seconds, those without a processor."""
        with urllib.request.urlopen(f"{self.address}/took", timeout=60) as answer:
            found: List[Any] = json.loads(answer.read())
            return found

    def numbers_sent(self) -> List[int]:
        """The parts that arrived, in the order of their requests."""
        return [
            int(request.query["partNumber"])
            for request in self.proxy.requests
            if request.method == "PUT" and request.status == 200
        ]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Leave Firefox to ``make slow``, which CI runs, and what takes long in it to ``make soak``.

    Its start alone takes seven seconds. The same tests run in Chromium.
    """
    for item in items:
        if "firefox" in item.name:
            is_slow = item.get_closest_marker("slow")
            item.add_marker(pytest.mark.soak if is_slow else pytest.mark.slow)


@pytest.fixture(params=[pytest.param("ceph", marks=pytest.mark.real_s3)])
def s3_server(request: pytest.FixtureRequest) -> Any:
    """Ceph alone: it checks signatures and the origins of browsers."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Each browser in turn, with an empty profile, for the tests of a module."""
    browser = browsers.start(request.param, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@dataclass(frozen=True)
class Site:
    """Django's server in a process of its own.

    Args:
        address: Where it is.
        session: A cookie of somebody who may do everything.
        process: The process.
    """

    address: str
    session: str
    process: subprocess.Popen

    def configure(self, **settings: Any) -> Dict[str, Any]:
        """Use these settings and forget the rest; says what was reported and how long it took."""
        request = urllib.request.Request(
            f"{self.address}/configure", data=json.dumps(settings).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: Dict[str, Any] = json.loads(answer.read())
            return found


@pytest.fixture(scope="session")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.uploads.js.server", str(tmp_path_factory.mktemp("site"))],
        cwd=str(ROOT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    with process:
        said = process.stdout.readline()
        assert said, "The server did not start."
        yield Site(**json.loads(said), process=process)


@pytest.fixture
def make_page(driver: Any, running_site: Site, s3_bucket: Bucket) -> Iterator[Callable[..., Page]]:
    """Opens pages for somebody who may do everything; files go to a bucket behind a proxy.

    Takes keys of ``SMART_STORAGE_UPLOADS``.
    """
    s3_bucket.client.put_bucket_cors(
        Bucket=s3_bucket.name, CORSConfiguration=cors_rules([running_site.address])
    )
    driver.get(f"{running_site.address}/page.css")
    driver.add_cookie({"name": "sessionid", "value": running_site.session})
    settings = s3_bucket.server.django_settings()
    with S3Proxy(s3_bucket.endpoint_url) as proxy:
        settings["AWS_S3_ENDPOINT_URL"] = proxy.endpoint_url
        settings["AWS_STORAGE_BUCKET_NAME"] = s3_bucket.name

        made = Page(driver, running_site.address, s3_bucket, proxy)

        def make(**limits: Any) -> Page:
            running_site.configure(**settings, SMART_STORAGE_UPLOADS=limits)
            return made

        yield make
        # Nothing is kept for the next test, nor sent to servers that are gone.
        driver.execute_script("localStorage.clear()")
        driver.get("about:blank")
        reports = running_site.configure(**settings)["reports"]
        assert made.has_axe or reports == []


@pytest.fixture
def page(make_page: Callable[..., Page]) -> Page:
    """A page with the limits that uploads have by default."""
    return make_page()


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes files that no other test has: a film, or what ``head`` begins."""

    def make(name: str, size: int, head: bytes = MP4) -> Path:
        path = tmp_path / name
        path.write_bytes(head + os.urandom(size - len(head)))
        return path

    return make
