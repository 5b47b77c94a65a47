"""From a browser to the bucket, and by a form to a row."""

from __future__ import annotations

from typing import Any

import pytest

from smart_storages.uploads.models import DirectUpload, State
from tests.uploads.conftest import film
from tests.uploads.models import Film

pytestmark = pytest.mark.django_db(transaction=True)


class TestAFile:
    def test_goes_to_the_bucket_and_a_row_names_it(self, browser: Any, store: Any) -> None:
        content = film(9_000_000, b"1")  # two parts
        token = browser.upload(content)
        row = DirectUpload.objects.get()
        assert (row.state, row.parts) == (State.OPEN, 2)
        answer = browser.submit("/page/film/", title="a", **{"video-upload": token})
        saved = Film.objects.get()
        assert answer.json() == {"pk": saved.pk, "title": "a", "video": row.name}
        with saved.video.open() as file:
            assert file.read() == content
        assert saved.video.size == len(content)
        row.refresh_from_db()
        assert row.state == State.ADOPTED
