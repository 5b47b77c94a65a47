"""What goes wrong on the way is tried again, or said in words."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.uploads.conftest import picture
from tests.uploads.js.conftest import MB, Page

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "harm",
    [
        {"status": 503},
        {"status": 500},
        # What a bucket says to a signature that expired: the next one is new.
        {"status": 403},
        {"status": 429, "retry_after": 1},
        {"lose_answer": True},
        {"cut_request_after": MB},
    ],
    ids="-".join,
)
def test_a_part_that_fails_is_sent_again(page: Page, make_file: Any, harm: Dict[str, Any]) -> None:
    film = make_file("film.mp4", 17 * MB)
    fault = page.proxy.inject(method="PUT", skip=1, times=2, **harm)
    page.open()
    page.choose(film)
    page.wait_for("done")
    assert fault.fired == 2
    assert page.bucket.get(page.save()["saved"][0]) == film.read_bytes()


def test_an_upload_that_the_bucket_deleted_begins_anew(page: Page, make_file: Any) -> None:
    film = make_file("film.mp4", 17 * MB)
    held = page.proxy.inject(method="PUT", skip=1, times=None, hold_request_at=MB)
    page.open()
    page.choose(film)
    page.wait("document.querySelector('.su-bar').value > 0.1")
    client, name = page.bucket.client, page.bucket.name
    for upload in client.list_multipart_uploads(Bucket=name)["Uploads"]:
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    page.proxy.reset()
    held.resume.set()
    page.wait_for("done")
    assert page.bucket.get(page.save()["saved"][0]) == film.read_bytes()


def test_a_file_that_cannot_be_taken_is_said_in_words_and_not_sent(
    make_page: Any, make_file: Any
) -> None:
    page = make_page(max_size=10**6, types=["image/*"])
    page.open()
    page.choose(make_file("large.png", 2 * MB, picture()), make_file("film.mp4", 1000))
    page.wait("document.querySelectorAll('[data-state=failed]').length == 2")
    large, film = (line.text for line in page.find_all(".su-item"))
    assert "larger than 977" in large
    assert "Files of this type are not accepted here." in film
    assert page.proxy.requests == []


def test_a_refusal_of_the_server_is_shown_in_its_words_at_once(
    make_page: Any, make_file: Any
) -> None:
    page = make_page(uploads_per_hour=1)
    page.open()
    page.choose(make_file("one.mp4", 1000))
    page.wait_for("done")
    page.choose(make_file("two.mp4", 1000))
    # It says to come back within the hour: nobody waits for that before a page.
    page.wait_for("failed", 5)
    said = page.said()
    assert said.startswith("two.mp4: ")
    assert page.find_all(".su-status")[1].text in said
    page.press("Remove two.mp4")
    assert len(page.save()["saved"]) == 1


def test_a_page_whose_session_has_ended_says_so_at_once(page: Page, make_file: Any) -> None:
    page.open()
    page.run("document.querySelector('[name=csrfmiddlewaretoken]').value = 'a'.repeat(32)")
    page.choose(make_file("film.mp4", 1000))
    page.wait_for("failed", 5)
    assert page.status() == "Your session has expired. Reload the page."


def test_a_form_waits_for_its_uploads_and_is_sent_with_the_button_that_was_pressed(
    page: Page, make_file: Any
) -> None:
    film = make_file("film.mp4", 17 * MB)
    held = page.proxy.inject(method="PUT", skip=1, times=None, hold_request_at=MB)
    page.open()
    page.choose(film)
    page.wait("document.querySelector('.su-bar').value > 0.1")
    page.find("button[name=save]").click()
    assert page.note() == page.said() == "The form will be sent as soon as the uploads are done."
    assert page.violations() == []
    held.resume.set()
    answer = page.saved()
    assert answer["button"] == "yes"
    assert page.bucket.get(answer["saved"][0]) == film.read_bytes()


def test_a_form_is_not_sent_without_a_file_that_failed(page: Page, make_file: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open()
    # As a bucket refuses, which lets the page read why.
    refusal = b"HTTP/1.1 400 No\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n"
    broken = page.proxy.inject(method="PUT", answer=refusal, unasked=True, times=None)
    page.choose(make_file("film.mp4", MB))
    page.wait_for("failed")
    assert "The server cannot take this file at the moment." in page.status()
    page.find("button[name=save]").click()
    assert page.note().startswith("A file was not uploaded.")
    assert page.focused() == "Try film.mp4 again"
    assert page.violations() == []
    page.proxy.reset()
    assert broken.fired > 3
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.wait_for("done")
    assert page.note() == ""
    assert len(page.save()["saved"]) == 1


def test_a_file_that_changed_on_the_disk_is_said_to_be_unreadable(
    page: Page, make_file: Any
) -> None:
    film = make_file("film.mp4", 30 * MB)
    held = page.proxy.inject(method="PUT", times=None, hold_request_at=MB)
    page.open()
    page.choose(film)
    page.wait_for("uploading")
    film.write_bytes(b"other")
    held.resume.set()
    # Firefox notices nothing before the connection counts as lost.
    page.wait_for("failed", 120)
    assert page.status() == "This file cannot be read. Choose it again."
