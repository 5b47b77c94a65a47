"""Direct uploads in Django's admin: our fields, Django's own, inlines, and the ledger."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from smart_storages.uploads.models import DirectUpload, State
from smart_storages.uploads.targets import reference_to
from tests.uploads.browser import Browser
from tests.uploads.conftest import film
from tests.uploads.models import Film, Plain

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def root(db: None) -> Browser:
    return Browser(User.objects.create_superuser("root"))


PLAIN = reference_to("uploads_tests.Plain.attachment")
NO_INLINES = {
    "plain_set-TOTAL_FORMS": "1", "plain_set-INITIAL_FORMS": "0", "plain_set-0-title": "",
}  # fmt: skip


def test_a_field_of_ours_needs_no_mixin(root: Any, store: Any) -> None:
    html = root.client.get("/admin/uploads_tests/film/add/").content.decode()
    assert 'data-field="uploads_tests.Film.video ' in html
    assert "smart_storages/uploads/smart-upload.js" in html
    token = root.upload(film())
    answer = root.submit(
        "/admin/uploads_tests/film/add/", title="a", **{"video-upload": token}, **NO_INLINES
    )
    assert answer.status_code == 302, answer.content
    saved = Film.objects.get()
    assert saved.video.size == 5000
    html = root.client.get(f"/admin/uploads_tests/film/{saved.pk}/change/").content.decode()
    assert 'class="file-upload"' in html  # as the admin shows its own
    assert saved.video.name in html


def test_djangos_field_with_the_mixin_and_in_an_inline(
    root: Any, store: Any, s3_bucket: Any
) -> None:
    html = root.client.get("/admin/uploads_tests/plain/add/").content.decode()
    assert 'data-field="uploads_tests.Plain.attachment ' in html
    token = root.upload(film(), field=PLAIN)
    answer = root.submit(
        "/admin/uploads_tests/plain/add/", title="a", **{"attachment-upload": token}
    )
    assert answer.status_code == 302
    html = root.client.get("/admin/uploads_tests/film/add/").content.decode()
    assert 'name="plain_set-0-attachment-upload"' in html
    assert 'name="plain_set-__prefix__-attachment-upload"' in html
    one, other = root.upload(film()), root.upload(film(), field=PLAIN)
    fields = {**NO_INLINES, "video-upload": one, "plain_set-0-attachment-upload": other}
    answer = root.submit("/admin/uploads_tests/film/add/", title="b", **fields)
    assert answer.status_code == 302
    saved = Film.objects.get()
    names = {saved.video.name, *(each.attachment.name for each in Plain.objects.all())}
    assert saved.plain_set.get().attachment.size == 5000
    assert set(s3_bucket.keys()) == names
    assert len(names) == 3


def test_the_mixin_holds_a_file_through_django_to_the_same_limits(root: Any, store: Any) -> None:
    for name, content in (("a.png", b"<html>"), ("a.mp4", b"<svg>")):
        page = "/admin/uploads_tests/plain/add/"
        answer = root.submit(page, title="a", attachment=SimpleUploadedFile(name, content))
        assert "does not match its name" in answer.content.decode()
    assert not Plain.objects.exists()


def test_a_form_with_a_mistake_keeps_the_uploads_of_its_inlines(root: Any, store: Any) -> None:
    one, other = root.upload(film()), root.upload(film(), field=PLAIN)
    fields = {**NO_INLINES, "video-upload": one, "plain_set-0-attachment-upload": other}
    html = root.submit("/admin/uploads_tests/film/add/", title="", **fields).content.decode()
    for token in (one, other):
        assert f'value="{token}"' in html
    answer = root.submit("/admin/uploads_tests/film/add/", title="a", **fields)
    assert answer.status_code == 302


def test_an_inline_with_nothing_but_an_upload_is_saved(root: Any, store: Any) -> None:
    other = root.upload(film(), field=PLAIN)
    fields = {**NO_INLINES, "plain_set-0-attachment-upload": other}
    root.submit("/admin/uploads_tests/film/add/", title="a", **fields)
    assert Plain.objects.get().attachment.size == 5000


def test_staff_without_permission_is_refused(store: Any, db: None) -> None:
    clerk = Browser(User.objects.create_user("clerk", is_staff=True))
    assert clerk.begin(film(), field=PLAIN).status_code == 403


def test_the_ledger_is_shown_and_not_changed(root: Any, store: Any) -> None:
    token = root.upload(film(), "a <b>.mp4")
    row = DirectUpload.objects.get()
    html = root.client.get("/admin/smart_storages_uploads/directupload/").content.decode()
    assert "a &lt;b&gt;.mp4" in html
    assert "4.9" in html
    page = f"/admin/smart_storages_uploads/directupload/{row.pk}/change/"
    html = root.client.get(page).content.decode()
    assert row.name in html
    assert row.upload_id not in html
    assert token not in html
    assert not re.search('name="_(save|continue)"', html)
    for path in ("add/", f"{row.pk}/delete/"):
        answer = root.client.get(f"/admin/smart_storages_uploads/directupload/{path}")
        assert answer.status_code == 403
    assert DirectUpload.objects.get().state == State.OPEN
