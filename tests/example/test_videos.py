"""Videos of a story: dropped in a browser, sent to their bucket past the site, and played."""

from __future__ import annotations

import base64
import os
from typing import Any, Iterator

import pytest

from tests import browsers
from tests.browsers import wait_for
from tests.example.conftest import RunningSite, start_site, stop_site
from tests.example.test_deleting import confirm
from tests.example.test_demo import environment_of
from tests.old_releases import needs_newer_moto

STORY = "stories/3/"
MB = 1 << 20

#: Drops a file that is made in the page: a head, and blocks with a number before each.
_DROP = """
const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
const [name, head, block, count] = arguments;
const pieces = [bytes(head)], repeated = bytes(block);
for (let number = 0; number < count; number++) pieces.push(new Uint8Array([number]), repeated);
const data = new DataTransfer();
data.items.add(new File(pieces, name, {type: "video/webm"}));
for (const type of ["dragover", "drop"])
    document.querySelector(".su-zone").dispatchEvent(
        new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
"""


@pytest.fixture(scope="module", params=["moto", pytest.param("ceph", marks=pytest.mark.real_s3)])
def video_site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSite]:
    """The site over moto, and over Ceph, which checks signatures and origins."""
    if request.param == "moto":
        yield request.getfixturevalue("site")
        return
    env = environment_of(request.getfixturevalue("ceph"))
    running = start_site(tmp_path_factory.mktemp("ceph-site"), **env)
    yield running
    stop_site(running)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = browsers.start("chromium", tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.mark.slow
def test_a_dropped_video_goes_to_its_bucket_and_is_listed(
    browser: Any, video_site: RunningSite
) -> None:
    from samples import FILMS
    from visitor import Visitor

    visitor = Visitor(video_site.address)
    known = visitor.read(STORY).files
    head, block = (FILMS / "gull-point-light.webm").read_bytes(), os.urandom(MB)
    as_text = [base64.b64encode(each).decode() for each in (head, block)]
    browser.get(video_site.address + STORY)
    wait_for(browser, "document.querySelector('.su-on')")
    browser.execute_script(_DROP, "regatta.webm", *as_text, 40)
    wait_for(browser, "document.querySelector('.su-item[data-state=done]')")
    # Nothing is listed before the form is sent, and no file goes with it.
    assert visitor.read(STORY).files.keys() == known.keys()
    assert not browser.find_element("id", "id_video").get_attribute("value")
    browser.find_element("css selector", "main button[type=submit]").click()
    wait_for(browser, "document.querySelector('main [role=status].notice')")
    shown = visitor.read(STORY).files
    (handle,) = shown.keys() - known.keys()
    assert shown[handle].module == "videos"
    assert shown[handle].key.rpartition("/")[2].startswith("regatta_")
    sent = head + b"".join(bytes([number]) + block for number in range(40))
    status, received = visitor.fetch(shown[handle].url)
    assert status == 200
    assert received == sent
    assert confirm(visitor, f"/delete/video/{handle.split('-')[1]}/").status == 302
    assert visitor.fetch(shown[handle].url)[0] == 404


@pytest.mark.slow
def test_a_video_plays_on_the_page_of_its_story(browser: Any, video_site: RunningSite) -> None:
    browser.get(video_site.address + STORY)
    wait_for(browser, "document.querySelector('video').videoWidth === 480")
    browser.execute_script(
        "const film = document.querySelector('video'); film.muted = true; film.play();"
    )
    wait_for(browser, "document.querySelector('video').currentTime > 0.5")


@pytest.mark.slow
def test_a_video_that_is_none_is_refused_in_the_form(browser: Any, video_site: RunningSite) -> None:
    from visitor import Visitor

    visitor = Visitor(video_site.address)
    known = visitor.read(STORY).files
    page = base64.b64encode(b"<html><script>alert(1)</script>").decode()
    browser.get(video_site.address + STORY)
    wait_for(browser, "document.querySelector('.su-on')")
    browser.execute_script(_DROP, "film.webm", page, "", 0)
    wait_for(browser, "document.querySelector('.su-item[data-state=done]')")
    browser.find_element("css selector", "main button[type=submit]").click()
    problem = wait_for(browser, "document.querySelector('#id_video_error')")
    assert "does not match its name" in problem.text
    assert visitor.read(STORY).files.keys() == known.keys()


@needs_newer_moto
def test_a_video_is_downloaded_from_the_bucket_under_its_name(visitor: Any) -> None:
    from samples import FILMS

    answer = visitor._ask("GET", visitor.site + "videos/1/download/")
    assert answer.status == 302
    received = visitor.http.request("GET", answer.headers["Location"])
    assert received.data == (FILMS / "gull-point-light.webm").read_bytes()
    assert received.headers["Content-Disposition"].startswith("attachment")
