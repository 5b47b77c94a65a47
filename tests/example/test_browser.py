"""The example site in a real browser: Debian's Chromium, driven by its ChromeDriver."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from tests import browsers
from tests.browsers import wait_for
from tests.example.conftest import RunningSite

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium with an empty profile; skips where it is missing."""
    driver = browsers.start("chromium", tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


def test_a_picture_uploaded_in_a_browser_is_listed_and_really_loads(
    browser: Any, site: RunningSite
) -> None:
    from selenium.webdriver.common.by import By

    from samples import PICTURES

    browser.get(site.address)
    known = [
        file.get_attribute("data-file") for file in browser.find_elements(By.CLASS_NAME, "file")
    ]
    browser.find_element(By.NAME, "headline").send_keys("Seen in a browser")
    browser.find_element(By.NAME, "standfirst").send_keys("A picture, from a form to a bucket.")
    browser.find_element(By.NAME, "image").send_keys(str(PICTURES / "regatta.jpg"))
    browser.find_element(By.CSS_SELECTOR, "main button").click()

    wait_for(browser, "location.pathname.startsWith('/stories/')")
    assert "Seen in a browser" in browser.find_element(By.TAG_NAME, "h1").text
    assert browser.find_element(By.CSS_SELECTOR, "[role=status]").is_displayed()
    file = browser.find_element(By.CLASS_NAME, "file")
    assert file.get_attribute("data-file") not in known
    assert file.get_attribute("data-module") == "media"
    assert file.get_attribute("data-bucket") == "harbour-dev-media"
    assert "media/articles/" in file.find_element(By.CLASS_NAME, "file-where").text
    # The pictures come from the bucket, past the site: the browser fetched and decoded them.
    wait_for(browser, "document.querySelector('.reading-picture').naturalWidth === 1200")
    wait_for(browser, "document.querySelector('.file img').naturalWidth > 0")


def test_the_stylesheet_of_the_static_bucket_dresses_the_page(
    browser: Any, site: RunningSite
) -> None:
    browser.get(site.address)
    columns = "getComputedStyle(document.querySelector('.columns')).display"
    assert browser.execute_script(f"return {columns}") == "grid"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(
    "page",
    [
        "",
        "stories/3/",
        "reports/",
        "wires/",
        "people/",
        "darkroom/",
        "development/",
        "buckets/",
        "delete/person/1/",
    ],
)
def test_no_page_is_wider_than_its_window(
    browser: Any, site: RunningSite, page: str, width: int
) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(site.address + page)
    found = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert found <= width
