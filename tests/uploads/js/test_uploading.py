"""Files that are chosen or dropped go to the bucket, and the form says where they are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.uploads.conftest import picture
from tests.uploads.js.conftest import MB, Page, until

pytestmark = pytest.mark.slow


def test_a_film_goes_to_the_bucket_in_parts_and_its_form_sends_a_token(
    page: Page, make_file: Any
) -> None:
    film = make_file("Der Löwe.mp4", 20 * MB + 1)
    page.open("/film/")
    page.find("[name=title]").send_keys("Lion")
    page.choose(film)
    page.wait_for("done")
    assert sorted(page.numbers_sent()) == [1, 2, 3]
    assert page.proxy.peak_in_flight > 1
    assert page.said() == "Der Löwe.mp4 has been uploaded"
    # Nothing is there for others to see before the form is sent.
    assert page.bucket.keys() == []
    answer = page.save()
    assert answer["button"] == "yes"
    assert page.bucket.get(answer["saved"][0]) == film.read_bytes()


def test_several_files_go_at_once_each_in_its_place(page: Page, make_file: Any) -> None:
    files = [make_file(f"{number}.mp4", (number + 1) * MB) for number in range(5)]
    page.open()
    page.choose(*files)
    page.wait("document.querySelectorAll('[data-state=done]').length == 5")
    saved = page.save()["saved"]
    assert [page.bucket.get(name) for name in saved] == [file.read_bytes() for file in files]


def test_several_files_of_a_visitor_without_a_session_are_all_of_one(
    page: Page, make_file: Any
) -> None:
    page.driver.delete_cookie("sessionid")
    page.open()
    page.choose(*(make_file(f"{each}.mp4", MB) for each in "abc"))
    page.wait("document.querySelectorAll('[data-state=done]').length == 3")
    assert len(page.save()["saved"]) == 3


def test_a_dropped_file_is_uploaded_as_a_chosen_one(page: Page) -> None:
    page.open()
    page.run(
        """
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(100000).fill(7)], "dropped.bin"));
        const drop = (type) => document.querySelector(".su-zone").dispatchEvent(
            new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
        drop("dragover");
        drop("drop");
        """
    )
    page.wait_for("done")
    assert page.bucket.get(page.save()["saved"][0]) == b"\7" * 100000


def test_an_image_is_shown_before_it_has_arrived(page: Page, make_file: Any) -> None:
    page.open()
    held = page.proxy.inject(method="PUT", hold_request_at=10)
    page.choose(make_file("harbour.png", 1000, picture()))
    page.wait("document.querySelector('.su-image')?.naturalWidth == 40")
    page.wait_for("uploading")
    held.resume.set()
    page.wait_for("done")


def test_a_pause_sends_nothing_and_the_rest_follows(page: Page, make_file: Any) -> None:
    film = make_file("film.mp4", 30 * MB)
    held = page.proxy.inject(method="PUT", skip=1, times=None, hold_request_at=MB)
    page.open()
    page.choose(film)
    page.wait("document.querySelector('.su-bar').value > 0.2")
    page.press("Pause film.mp4")
    page.wait_for("paused")
    page.wait("performance.now() > 500")
    held.resume.set()
    sent = page.numbers_sent()
    page.proxy.reset()
    assert page.driver.execute_async_script("setTimeout(arguments[0], 700)") is None
    assert page.numbers_sent() == []
    page.press("Continue film.mp4")
    page.wait_for("done")
    assert sorted(sent + page.numbers_sent()) == [1, 2, 3, 4]
    assert page.bucket.get(page.save()["saved"][0]) == film.read_bytes()


def test_what_is_cancelled_leaves_nothing(page: Page, make_file: Any) -> None:
    held = page.proxy.inject(method="PUT", skip=1, times=None, hold_request_at=MB)
    page.open()
    page.choose(make_file("film.mp4", 30 * MB))
    page.wait("document.querySelector('.su-bar').value > 0.2")
    assert len(page.bucket.open_uploads()) == 1
    page.press("Cancel film.mp4")
    assert page.said() == "The upload of film.mp4 was cancelled"
    held.resume.set()
    page.wait("!document.querySelector('.su-item') && !localStorage.length")
    until(lambda: not page.bucket.open_uploads() and not page.bucket.keys())


def test_what_is_removed_before_the_form_is_sent_leaves_nothing(page: Page, make_file: Any) -> None:
    page.open("/film/")
    page.choose(make_file("film.mp4", 9 * MB))
    page.wait_for("done")
    page.press("Remove film.mp4")
    assert page.find("[name=video-upload]").get_attribute("value") == ""
    until(lambda: not page.bucket.open_uploads() and not page.bucket.keys())


def test_a_form_with_a_mistake_comes_back_with_what_was_uploaded(
    page: Page, make_file: Any
) -> None:
    film = make_file("film.mp4", 9 * MB)
    page.open("/film/")
    page.find("[name=title]").send_keys("taken")
    page.save()
    page.open("/film/")
    page.find("[name=title]").send_keys("taken")
    page.choose(film)
    page.wait_for("done")
    page.find("button[name=save]").click()
    page.wait("document.querySelector('.errorlist')")
    line = page.wait_for("done")
    assert "film.mp4" in line.text
    page.find("[name=title]").clear()
    page.find("[name=title]").send_keys("free")
    name = page.save()["saved"][0]
    assert page.bucket.get(name) == film.read_bytes()


def test_the_admin_takes_films_and_rows_that_are_added_to_the_page(
    page: Page, make_file: Any
) -> None:
    film, attachment = make_file("film.mp4", 9 * MB), make_file("script.pdf", 1000, b"%PDF-1.7")
    page.open("/films/uploads_tests/film/add/")
    page.find("[name=title]").send_keys("In the admin")
    page.choose(film)
    page.find(".add-row a").click()
    page.wait("document.querySelectorAll('.su-on').length == 2")
    page.find("#plain_set-0 [name=plain_set-0-title]").send_keys("Script")
    page.find("#plain_set-0 input[type=file]").send_keys(str(attachment))
    page.wait("document.querySelectorAll('[data-state=done]').length == 2")
    page.find("[name=_save]").click()
    page.wait("document.querySelector('.messagelist .success')")
    page.find("#result_list tbody th a").click()
    page.wait("document.querySelectorAll('.su-on').length == 2")
    named = [link.text for link in page.find_all(".file-upload a")]
    assert [page.bucket.get(name) for name in named] == [
        film.read_bytes(),
        attachment.read_bytes(),
    ]


def test_a_script_of_the_project_uploads_without_any_form(page: Page) -> None:
    page.open()
    found = page.driver.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        (async () => {
            const {smartUpload, UploadError} = await import(
                "/static/smart_storages/uploads/smart-upload.js");
            const {endpoint, field} = document.querySelector("[data-smart-upload]").dataset;
            const file = new File([new Uint8Array(20e6)], "a.bin"), states = [], progress = [];
            const upload = smartUpload(file, {
                endpoint, field,
                onState: (state) => states.push(state), onProgress: (each) => progress.push(each),
            });
            const {name, size, token} = await upload;
            const stop = new AbortController();
            const other = smartUpload(file, {endpoint, field, signal: stop.signal});
            stop.abort();
            let code;
            await other.catch((error) => { code = error instanceof UploadError && error.code; });
            upload.cancel();
            return {name, size, token: token.length, states, last: progress.pop(), code,
                    ends: [upload.state, other.state]};
        })().then(done, (error) => done(String(error)));
        """
    )
    assert found.pop("token") > 20
    assert found.pop("last")["loaded"] == 20_000_000
    assert found == {
        "name": "a.bin",
        "size": 20_000_000,
        "states": ["uploading", "finishing", "done", "cancelled"],
        "code": "cancelled",
        "ends": ["cancelled", "cancelled"],
    }
    until(lambda: not page.bucket.open_uploads() and not page.bucket.keys())
