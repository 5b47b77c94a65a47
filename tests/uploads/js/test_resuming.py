"""An upload goes on after a lost connection and after a reload."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.uploads.js.conftest import MB, Page, until

pytestmark = pytest.mark.slow


def interrupt(page: Page) -> None:
    """Reload the page in the middle of an upload."""
    page.wait("document.querySelector('.su-bar').value > 0.2")
    page.driver.refresh()
    page.wait("document.querySelector('.su-interrupted')")


def test_it_goes_on_by_itself_when_the_connection_is_back(page: Page, make_file: Any) -> None:
    film = make_file("film.mp4", 40 * MB)
    page.open()
    cut = page.proxy.inject(method="PUT", skip=2, times=None, cut_request_after=MB)
    page.choose(film)
    page.wait_for("waiting")
    assert page.said() == "Connection lost. Trying again…"
    assert page.violations() == []
    page.proxy.reset()
    assert cut.fired
    page.run("dispatchEvent(new Event('online'))")
    page.wait_for("done")
    assert page.bucket.get(page.save()["saved"][0]) == film.read_bytes()


@pytest.mark.parametrize("path", ["/film/", "/films/uploads_tests/film/add/"])
def test_cut_and_reloaded_it_sends_the_rest_and_arrives_byte_for_byte(
    page: Page, make_file: Any, path: str
) -> None:
    film = make_file("film.mp4", 60 * MB)
    page.open(path)
    page.find("[name=title]").send_keys("Before")
    page.proxy.inject(method="PUT", skip=3, times=None, cut_request_after=MB)
    page.choose(film)
    page.wait_for("waiting")
    until(lambda: len(page.numbers_sent()) == 3)
    before = page.numbers_sent()
    interrupt(page)
    assert "The upload of film.mp4 was interrupted." in page.find(".su-interrupted").text
    assert page.violations(".smart-upload.su-on") == []
    page.proxy.reset()
    page.find("[name=title]").clear()
    page.find("[name=title]").send_keys("After")
    page.choose(film)
    page.wait_for("done")
    assert sorted(before + page.numbers_sent()) == list(range(1, 9))
    page.find("[name=save], [name=_save]").click()
    page.wait("document.querySelector('#saved, .messagelist .success')")
    (name,) = page.bucket.keys()
    assert page.bucket.get(name) == film.read_bytes()
    assert page.bucket.open_uploads() == []


def test_another_file_of_the_same_name_size_and_time_begins_anew(
    page: Page, make_file: Any
) -> None:
    film = make_file("film.mp4", 40 * MB)
    held = page.proxy.inject(method="PUT", skip=3, times=None, hold_request_at=MB)
    page.open()
    page.choose(film)
    interrupt(page)
    page.proxy.reset()
    held.resume.set()
    changed_at = film.stat().st_mtime_ns
    film.write_bytes(film.read_bytes().replace(b"isom", b"iso2", 1))
    os.utime(film, ns=(changed_at, changed_at))
    page.choose(film)
    page.wait_for("done")
    assert sorted(page.numbers_sent()) == [1, 2, 3, 4, 5]
    assert page.bucket.get(page.save()["saved"][0]) == film.read_bytes()


def test_what_was_interrupted_can_be_discarded(page: Page, make_file: Any) -> None:
    held = page.proxy.inject(method="PUT", skip=3, times=None, hold_request_at=MB)
    page.open()
    page.choose(make_file("film.mp4", 40 * MB))
    interrupt(page)
    held.resume.set()
    page.find(".su-interrupted button").click()
    page.wait("!localStorage.length && !document.querySelector('.su-interrupted')")
    assert page.focused().startswith("id_")
    until(lambda: page.bucket.open_uploads() == [])


def test_the_same_file_in_two_rows_is_uploaded_twice(page: Page, make_file: Any) -> None:
    film = make_file("film.mp4", 9 * MB)
    page.open()
    page.choose(film)
    page.choose(film)
    page.wait("document.querySelectorAll('[data-state=done]').length == 2")
    one, other = page.save()["saved"]
    assert one != other
    assert page.bucket.get(one) == page.bucket.get(other) == film.read_bytes()


def test_what_runs_in_another_tab_was_not_interrupted(page: Page, make_file: Any) -> None:
    held = page.proxy.inject(method="PUT", skip=3, times=None, hold_request_at=MB)
    page.open()
    page.choose(make_file("film.mp4", 40 * MB))
    page.wait("document.querySelector('.su-bar').value > 0.2")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.open()
        # After the question which uploads run, the page has asked the same.
        page.run("navigator.locks.query().then(() => { document.body.dataset.asked = '' })")
        page.wait("'asked' in document.body.dataset")
        assert not page.find_all(".su-interrupted")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    held.resume.set()
    page.wait_for("done")


def test_a_part_of_the_page_that_comes_back_has_what_was_uploaded(
    page: Page, make_file: Any
) -> None:
    film = make_file("film.mp4", 9 * MB)
    page.open()
    page.choose(film)
    page.wait_for("done")
    page.run(
        "const root = document.querySelector('.smart-upload'), place = root.parentNode;"
        "root.remove(); setTimeout(() => { place.append(root); setTimeout(() => {"
        "document.body.dataset.back = '' }) })"
    )
    page.wait("'back' in document.body.dataset")
    page.wait_for("done")
    assert len(page.find_all(".su-zone")) == 1
    assert page.bucket.get(page.save()["saved"][0]) == film.read_bytes()
