"""For everybody: by keyboard alone, by ear, in the dark, from right to left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.uploads.conftest import picture
from tests.uploads.js.conftest import MB, Page

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_axe_reports_nothing_in_any_state(
    make_page: Any, make_file: Any, scheme: str, language: str
) -> None:
    page = make_page(max_size=10**9)
    page.open(f"/album/?language={language}")
    page.run("document.documentElement.style.colorScheme = arguments[0]", scheme)
    assert page.violations() == []
    page.choose(make_file("arrived.png", 1000, picture()))
    page.wait_for("done")
    held = page.proxy.inject(method="PUT", times=None, hold_request_at=MB)
    page.choose(make_file("paused.mp4", 9 * MB), make_file("running.mp4", 9 * MB))
    page.wait("document.querySelectorAll('[data-state=uploading]').length == 2")
    page.find_all(".su-item")[1].find_element("css selector", "button").click()
    page.wait_for("paused")
    page.choose(*(make_file(f"queued {number}.mp4", MB) for number in range(3)))
    page.wait_for("queued")
    empty = make_file("empty.mp4", 100)
    empty.write_bytes(b"")
    page.choose(empty)
    page.wait_for("failed")
    assert page.violations() == []
    page.find("button[name=save]").click()
    assert page.note()
    assert page.violations() == []
    held.resume.set()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_the_admin_it_is_without_violation(page: Page, make_file: Any, theme: str) -> None:
    page.open("/films/uploads_tests/film/add/")
    page.run("document.documentElement.dataset.theme = arguments[0]", theme)
    # The rest of the admin is Django's.
    assert page.violations(".smart-upload.su-on") == []
    held = page.proxy.inject(method="PUT", hold_request_at=10)
    page.choose(make_file("film.mp4", MB))
    page.wait_for("uploading")
    assert page.violations(".smart-upload.su-on") == []
    held.resume.set()
    page.wait_for("done")
    assert page.violations(".smart-upload.su-on") == []


def test_everything_is_done_with_the_keyboard(page: Page, make_file: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key: str) -> None:
        ActionChains(page.driver).send_keys(key).perform()

    held = page.proxy.inject(method="PUT", skip=1, times=None, hold_request_at=MB)
    page.open("/film/")
    page.find("[name=title]").send_keys("By keyboard" + Keys.TAB)
    assert page.focused() == "id_video"
    assert page.run("return getComputedStyle(document.querySelector('.su-zone')).outlineWidth")
    page.choose(make_file("film.mp4", 30 * MB))
    page.wait("document.querySelector('.su-bar').value > 0.1")
    # The input has gone, and with it the focus, were it not moved.
    assert page.focused() in ("Pause film.mp4", "Cancel film.mp4")
    page.find("[name=title]").send_keys(Keys.TAB)
    assert page.focused() == "Pause film.mp4"
    press(Keys.SPACE)
    page.wait_for("paused")
    assert page.focused() == "Continue film.mp4"
    press(Keys.ENTER)
    page.wait_for("uploading")
    held.resume.set()
    page.wait_for("done")
    assert page.focused() == "Remove film.mp4"
    press(Keys.ENTER)
    page.wait("!document.querySelector('.su-item')")
    assert page.focused() == "id_video"
    page.choose(make_file("film.mp4", MB))
    page.wait_for("done")
    press(Keys.TAB)
    assert page.run("return document.activeElement.name") == "save"
    press(Keys.ENTER)
    assert len(page.saved()["saved"]) == 1


def test_a_screen_reader_is_told_what_happens_and_no_more(page: Page, make_file: Any) -> None:
    page.open()
    page.run(
        """
        window.told = [];
        new MutationObserver(() => told.push(document.querySelector(".su-live").textContent))
            .observe(document.querySelector(".su-live"), {childList: true});
        """
    )
    page.choose(make_file("film.mp4", 60 * MB))
    page.wait_for("done")
    assert page.run("return told") == ["Uploading film.mp4", "film.mp4 has been uploaded"]


@pytest.mark.parametrize(
    ("language", "text"), [("de", "hochgeladen"), ("ar", "تم الرفع"), ("ja", "アップロード完了")]
)
def test_it_speaks_the_language_of_the_page(
    page: Page, make_file: Any, language: str, text: str
) -> None:
    page.open(f"/album/?language={language}")
    page.choose(make_file("film.mp4", MB))
    assert text in page.wait_for("done").text.lower()
    inner = "document.querySelector(arguments[0]).getBoundingClientRect().left"
    picture_at = page.run(f"return {inner}", ".su-picture")
    buttons_at = page.run(f"return {inner}", ".su-actions")
    assert (picture_at > buttons_at) == (language == "ar")


def test_nothing_moves_for_those_who_want_less_motion(page: Page) -> None:
    page.open()
    rules = page.run(
        """
        const sheet = [...document.styleSheets].find((each) => each.href.includes("smart-upload"));
        return [...sheet.cssRules].map((rule) => rule.conditionText || "").filter(Boolean);
        """
    )
    assert "(prefers-reduced-motion: reduce)" in rules
    assert "(forced-colors: active)" in rules
