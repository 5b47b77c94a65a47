"""What a file that comes through Django is held to, and what it is stored as."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.uploads.conftest import film
from tests.uploads.models import Film

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("claimed", ["text/html", "image/svg+xml", "video/mp4", ""])
def test_a_file_through_django_has_the_type_of_its_name(
    browser: Any, store: Any, claimed: str
) -> None:
    video = SimpleUploadedFile("a.mp4", film(), content_type=claimed)
    assert browser.submit("/page/film/", title="a", video=video).json()["pk"]
    assert store.stat(Film.objects.get().video.name).content_type == "video/mp4"


@pytest.mark.one_server
def test_a_name_that_is_too_long_for_s3_is_refused_in_words(
    browser: Any, store: Any, monkeypatch: Any
) -> None:
    # A key has at most 1,024 bytes: with its random suffix, this one has more.
    monkeypatch.setattr(Film._meta.get_field("video"), "upload_to", "folder/" * 116)
    monkeypatch.setattr(Film._meta.get_field("video"), "max_length", 2000)
    answer = browser.begin(film(), "a" * 200 + ".mp4")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_name")
