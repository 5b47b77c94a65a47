"""The file of an upload when its bucket does not answer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from smart_storages.uploads.models import DirectUpload, State
from tests.uploads.conftest import film
from tests.uploads.models import Film

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_server]


def test_a_form_asks_a_bucket_that_fails_once_and_keeps_the_upload(
    browser: Any, store: Any, make_storage: Any, monkeypatch: Any, caplog: Any
) -> None:
    token = browser.upload(film())
    field = Film._meta.get_field("video")
    with monkeypatch.context() as patch:
        patch.setattr(field, "storage", make_storage(bucket_name="there-is-none", location=""))
        html = browser.submit("/page/film/", title="a", **{"video-upload": token}).content.decode()
    assert "The file could not be stored. Try again later." in html
    assert len(re.findall("could not be completed", caplog.text)) == 1
    assert f'name="video-upload" value="{token}"' in html
    assert DirectUpload.objects.get().state == State.OPEN
    assert browser.submit("/page/film/", title="a", **{"video-upload": token}).json()["pk"]
