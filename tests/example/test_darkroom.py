"""Scans on the example site: here at once, in their bucket soon after, to be seen all the while."""

from __future__ import annotations

import json
import time
from typing import Any, Dict
from urllib.parse import urljoin

import pytest

from tests.example.conftest import RunningSite
from tests.example.test_browser import browser, wait_for  # noqa: F401 - a fixture

SECONDS = 60


def picture() -> bytes:
    from samples import PICTURES

    return (PICTURES / "regatta.jpg").read_bytes()


def scans(visitor: Any) -> Dict[str, Any]:
    _, body = visitor.fetch(urljoin(visitor.site, "/darkroom/where.json"))
    return {scan["title"]: scan for scan in json.loads(body)["scans"]}


def send(visitor: Any, title: str) -> None:
    form = visitor.read("/darkroom/")
    answer = visitor._ask(
        "POST",
        form.url,
        fields={
            "title": title,
            "image": ("regatta.jpg", picture()),
            "csrfmiddlewaretoken": form.token,
        },
    )
    assert answer.status == 302


def link_of(visitor: Any, scan: Any) -> str:
    answer = visitor._ask("GET", urljoin(visitor.site, f"/darkroom/{scan['id']}/image"))
    assert answer.status == 302
    return urljoin(visitor.site, answer.headers["Location"])


def look_at(visitor: Any, scan: Any) -> bytes:
    status, body = visitor.fetch(link_of(visitor, scan))
    assert status == 200
    return body


def test_a_scan_is_here_at_once_and_in_its_bucket_soon_after(visitor: Any) -> None:
    send(visitor, "Contact sheet")
    first = scans(visitor)["Contact sheet"]
    assert first["state"] == "queued"
    assert first["label"] == "On this server, in the queue"
    link = link_of(visitor, first)
    assert "/queued/" in link, "signed by the site"
    assert look_at(visitor, first) == picture()

    until = time.monotonic() + SECONDS
    while scans(visitor)["Contact sheet"]["state"] != "done":
        assert time.monotonic() < until, scans(visitor)
        time.sleep(0.2)
    last = scans(visitor)["Contact sheet"]
    assert last["bucket"].endswith("-darkroom")
    assert last["key"].startswith("scans/")
    assert "X-Amz-Signature" in link_of(visitor, last)
    assert look_at(visitor, last) == picture()
    moved_on = visitor._ask("GET", link)
    assert "X-Amz-Signature" in moved_on.headers["Location"], "the first link holds on"


@pytest.mark.slow
@pytest.mark.usefixtures("site")
def test_the_page_follows_a_scan_without_being_loaded_again(
    browser: Any,  # noqa: F811
    site: RunningSite,
) -> None:
    from selenium.webdriver.common.by import By

    from samples import PICTURES

    browser.get(urljoin(site.address, "/darkroom/"))
    browser.find_element(By.NAME, "title").send_keys("Seen live")
    browser.find_element(By.NAME, "image").send_keys(str(PICTURES / "regatta.jpg"))
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    wait_for(browser, "document.querySelector('.notice') && document.querySelector('[data-scan]')")
    browser.execute_script("window.notLoadedAgain = true")
    item = "document.querySelector('[data-scan]')"
    assert "Seen live" in browser.execute_script(f"return {item}.textContent")
    assert wait_for(browser, f"{item}.dataset.state === 'done' && window.notLoadedAgain")
    chip = browser.execute_script(f"return {item}.querySelector('.chip').textContent")
    assert chip == "In the bucket"
    assert wait_for(browser, f"{item}.querySelector('img').naturalWidth > 0")
