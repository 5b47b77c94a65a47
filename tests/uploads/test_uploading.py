"""From a browser to the bucket, and by a form to a row."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from smart_storages.uploads.adopting import claim_upload, is_copied
from smart_storages.uploads.fields import DirectFileField
from smart_storages.uploads.models import DirectUpload, State
from smart_storages.uploads.targets import reference_to
from tests.conftest import methods
from tests.uploads.browser import Browser
from tests.uploads.conftest import film, picture
from tests.uploads.models import Film, Plain, Portrait, Report

pytestmark = pytest.mark.django_db(transaction=True)

TWO_PARTS = 9_000_000


def state_of(token_row: Any = None) -> str:
    return str(DirectUpload.objects.get().state)


class TestAFile:
    def test_goes_to_the_bucket_and_a_row_names_it(self, browser: Any, store: Any) -> None:
        content = film(TWO_PARTS, b"1")
        token = browser.upload(content)
        row = DirectUpload.objects.get()
        assert (row.state, row.parts) == (State.OPEN, 2)
        answer = browser.submit("/page/film/", title="a", **{"video-upload": token})
        saved = Film.objects.get()
        assert answer.json() == {"pk": saved.pk, "title": "a", "video": row.name}
        with saved.video.open() as file:
            assert file.read() == content
        assert saved.video.size == len(content)
        assert state_of() == State.ADOPTED

    def test_is_stored_under_its_name_with_a_random_suffix(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        for name in ("Ein Löwe.mp4", "Ein Löwe.mp4"):
            token = browser.upload(film(), name)
            browser.submit("/page/film/", title=token[-9:], **{"video-upload": token})
        year = timezone.now().year
        one, other = s3_bucket.keys()
        assert one != other
        for key in (one, other):
            assert re.fullmatch(rf"films/{year}/Ein_Löwe_\w+\.mp4", key)
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=one)
        assert head["ContentType"] == "video/mp4"

    def test_has_the_type_of_its_name_whatever_the_browser_says(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        data = {"field": "uploads_tests.Film.video", "name": "a.png", "type": "text/html"}
        content = picture()
        begun = browser.ask("begin", {**data, "size": len(content)}).json()
        browser.send(begun["token"], content, begun)
        browser.submit("/page/film/", title="a", **{"video-upload": begun["token"]})
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=s3_bucket.keys()[0])
        assert head["ContentType"] == "image/png"

    def test_is_not_to_be_seen_before_its_form_is_submitted(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        browser.upload(film())
        assert s3_bucket.keys() == []
        assert len(s3_bucket.open_uploads()) == 1

    def test_takes_few_requests_to_the_bucket(
        self, browser: Any, s3_proxy: Any, use: Any, make_storage: Any
    ) -> None:
        use(make_storage(file_overwrite=False))
        content = film()
        with s3_proxy.recording() as requests:
            begun = browser.begin(content).json()
        assert methods(requests) == ["POST"]
        with s3_proxy.recording() as requests:
            browser.ask("sign", {"token": begun["token"], "parts": [{"number": 1}]})
        assert methods(requests) == []
        browser.send(begun["token"], content, begun)
        with s3_proxy.recording() as requests:
            browser.ask("finish", {"token": begun["token"]})
        assert methods(requests) == ["GET"]

    def test_that_breaks_off_goes_on_where_it_stopped(self, browser: Any, store: Any) -> None:
        content = film(TWO_PARTS)
        begun = browser.begin(content).json()
        token = begun["token"]
        browser.send(token, content, begun, numbers=[2])
        seen = browser.ask("state", {"token": token}).json()
        assert seen["state"] == "open"
        assert seen["partSize"] == begun["partSize"]
        assert [(part["number"], part["size"]) for part in seen["parts"]] == [
            (2, TWO_PARTS - begun["partSize"])
        ]
        refused = browser.ask("finish", {"token": token})
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "incomplete"
        assert refused.json()["missing"] == [1]
        browser.send(token, content, begun, numbers=[1])
        assert browser.ask("finish", {"token": token}).status_code == 200

    def test_that_is_cancelled_is_gone(self, browser: Any, store: Any, s3_bucket: Any) -> None:
        token = browser.upload(film())
        assert browser.ask("cancel", {"token": token}).status_code == 204
        assert (s3_bucket.keys(), s3_bucket.open_uploads()) == ([], [])
        assert browser.ask("cancel", {"token": token}).status_code == 204
        assert browser.ask("state", {"token": token}).json()["state"] == "gone"
        for action in ("finish", "sign"):
            answer = browser.ask(action, {"token": token, "parts": [{"number": 1}]})
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "gone")
        answer = browser.submit("/page/film/", title="a", **{"video-upload": token})
        assert "no longer exists" in answer.content.decode()

    def test_that_is_cancelled_while_its_form_is_being_sent_is_gone(
        self, browser: Any, store: Any, s3_bucket: Any, monkeypatch: Any
    ) -> None:
        token = browser.upload(film())
        complete = type(store).complete_multipart_upload

        def slowly(self: Any, *args: Any, **kwargs: Any) -> Any:
            made = complete(self, *args, **kwargs)
            assert browser.ask("cancel", {"token": token}).status_code == 204
            return made

        monkeypatch.setattr(type(store), "complete_multipart_upload", slowly)
        answer = browser.submit("/page/film/", title="a", **{"video-upload": token})
        assert "no longer exists" in answer.content.decode()
        assert s3_bucket.keys() == []
        row = DirectUpload.objects.get()
        assert (row.state, row.is_removed) == (State.GONE, True)

    def test_whose_parts_a_lifecycle_rule_removed_is_gone(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        token = browser.upload(film())
        row = DirectUpload.objects.get()
        store.abort_multipart_upload(row.name, row.upload_id)
        assert browser.ask("state", {"token": token}).json()["state"] == "gone"
        assert browser.ask("finish", {"token": token}).status_code == 404

    def test_of_a_visitor_belongs_to_the_session(self, store: Any, db: None) -> None:
        visitor = Browser()
        token = visitor.upload(film())
        assert visitor.submit("/page/film/", title="a", **{"video-upload": token}).json()["pk"]
        # Who logs in meanwhile keeps it.
        token = visitor.upload(film())
        user = User.objects.create_user("late", password="pw")
        assert visitor.client.login(username=user.username, password="pw")
        assert visitor.submit("/page/film/", title="b", **{"video-upload": token}).json()["pk"]


class TestAForm:
    def test_with_another_mistake_keeps_the_upload(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        token = browser.upload(film(), "a & b.mp4")
        shown = browser.submit("/page/film/", title="", **{"video-upload": token})
        html = shown.content.decode()
        assert f'name="video-upload" value="{token}"' in html
        uploaded = json.loads(unescape(re.search('data-uploaded="([^"]*)"', html).group(1)))
        assert uploaded == [{"token": token, "name": "a & b.mp4", "size": 5000}]
        assert state_of() == State.COMPLETED
        answer = browser.submit("/page/film/", title="a", **{"video-upload": token})
        assert answer.json()["video"] == s3_bucket.keys()[0]

    def test_that_is_shown_again_can_still_give_the_upload_up(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        token = browser.upload(film())
        browser.submit("/page/film/", title="", **{"video-upload": token})
        assert browser.ask("cancel", {"token": token}).status_code == 204
        assert s3_bucket.keys() == []

    def test_without_a_script_uploads_through_django(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        file = SimpleUploadedFile("a.mp4", film(), "video/mp4")
        answer = browser.submit("/page/film/", title="a", video=file, **{"video-upload": ""})
        assert s3_bucket.keys() == [answer.json()["video"]]
        assert not DirectUpload.objects.exists()

    def test_holds_a_plain_upload_to_the_same_limits(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        svg = SimpleUploadedFile("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
        for file in (svg, SimpleUploadedFile("a.mp4", film())):
            html = browser.submit("/page/portrait/", image=file).content.decode()
            assert "errorlist" in html
        html = SimpleUploadedFile("a.mp4", b"<html><script>alert(1)</script>")
        answer = browser.submit("/page/film/", title="a", video=html)
        assert "does not match its name" in answer.content.decode()
        assert s3_bucket.keys() == []

    def test_takes_a_file_whose_name_is_longer_than_its_column(
        self, browser: Any, store: Any
    ) -> None:
        # Nobody uploads a gigabyte to be told afterwards that its name is too long.
        content = film()
        begun = browser.begin(content, "a" * 200 + ".mp4").json()
        browser.send(begun["token"], content, begun)
        finished = browser.ask("finish", {"token": begun["token"]}).json()
        assert finished["name"] == "a" * 96 + ".mp4"
        answer = browser.submit("/page/film/", title="a", **{"video-upload": begun["token"]})
        name = answer.json()["video"]
        assert len(name) == 100
        assert name.endswith(".mp4")

    def test_keeps_replaces_and_clears_the_file_of_a_row(self, browser: Any, store: Any) -> None:
        first = browser.upload(film(mark=b"1"))
        pk = browser.submit("/page/film/", title="a", **{"video-upload": first}).json()["pk"]
        page = f"/page/film/{pk}/"
        name = Film.objects.get().video.name
        assert browser.submit(page, title="b").json()["video"] == name
        assert "Currently" in browser.client.get(page).content.decode()
        second = browser.upload(film(mark=b"2"))
        both = {"video-upload": second, "video-clear": "on"}
        shown = browser.submit(page, title="b", **both).content.decode()
        assert "errorlist" in shown
        assert Film.objects.get().video.name == name
        assert browser.submit(page, title="b", **{"video-upload": second}).json()["video"] != name
        assert browser.submit(page, title="b", **{"video-clear": "on"}).json()["video"] == ""

    def test_tells_the_script_what_it_needs(self, browser: Any, store: Any) -> None:
        html = browser.client.get("/page/portrait/").content.decode()
        tag = re.search('<div class="smart-upload"[^>]*>', html).group(0)
        for piece in (
            "data-smart-upload ",
            'data-endpoint="/uploads/"',
            'data-field="uploads_tests.Portrait.image ',
            'data-max-size="1000000000"',
            'data-accept="image/*"',
        ):
            assert piece in tag
        assert json.loads(unescape(re.search('data-texts="([^"]*)"', tag).group(1)))["drop"]
        assert 'type="module"' in html
        assert "smart_storages/uploads/smart-upload.js" in html
        assert '<input type="hidden" name="image-upload" value="">' in html
        field = re.search('<input type="file"[^>]*>', html).group(0)
        assert 'accept="image/*"' in field
        assert 'name="image"' in field
        assert " required" in field

    def test_does_not_ask_again_for_a_file_that_is_there(self, browser: Any, store: Any) -> None:
        token = browser.upload(film(), field="uploads_tests.Report.file")
        html = browser.submit("/page/report/", title="", **{"file-upload": token}).content.decode()
        assert f'value="{token}"' in html
        assert " required" not in re.search('<input type="file"[^>]*>', html).group(0)

    def test_is_djangos_for_a_user_who_may_not_upload_directly(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        root = Browser(User.objects.create_superuser("root"))
        assert "data-smart-upload" in root.client.get("/page/secret/").content.decode()
        assert "data-smart-upload" not in browser.client.get("/page/secret/").content.decode()
        file = SimpleUploadedFile("a.txt", b"text")
        answer = browser.submit("/page/secret/", secret=file)
        assert s3_bucket.keys() == [answer.json()["secret"]]

    def test_is_djangos_where_the_site_has_no_views(self, store: Any, settings: Any) -> None:
        settings.ROOT_URLCONF = "tests.queued.no_urls"
        from tests.uploads.urls import FORMS

        html = str(FORMS["film"]())
        assert "data-smart-upload" not in html
        assert '<input type="file" name="video"' in html

    def test_of_a_plain_field_copies_the_file_within_the_bucket(
        self, store: Any, s3_bucket: Any
    ) -> None:
        content = film(TWO_PARTS)
        browser = Browser(User.objects.create_superuser("root"))
        token = browser.upload(content, field=reference_to("uploads_tests.Plain.attachment"))
        answer = browser.submit("/page/plain/", title="a", **{"attachment-upload": token})
        assert s3_bucket.keys() == [answer.json()["attachment"]]
        assert s3_bucket.get(Plain.objects.get().attachment.name) == content
        assert state_of() == State.ADOPTED

    def test_whose_field_names_files_by_the_row_moves_the_file(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        content = film(TWO_PARTS)
        token = browser.upload(content, field="uploads_tests.Report.file")
        assert s3_bucket.open_uploads()[0].startswith("direct-uploads/")
        answer = browser.submit("/page/report/", title="t", **{"file-upload": token})
        assert answer.json()["file"].startswith("by-title/t/film")
        assert s3_bucket.keys() == [answer.json()["file"]]
        assert s3_bucket.get(Report.objects.get().file.name) == content

    def test_without_a_model_gets_the_file(self, browser: Any, store: Any) -> None:
        token = browser.upload(film(), field="attachments")
        answer = browser.submit("/attach/", **{"attachment-upload": token})
        assert answer.json() == {"name": "film.mp4", "size": 5000, "type": "video/mp4"}


class TestAnImage:
    def test_has_its_dimensions_without_being_read(
        self, browser: Any, s3_proxy: Any, use: Any, make_storage: Any
    ) -> None:
        use(make_storage(file_overwrite=False))
        content = picture() + bytes(12_000_000)
        begun = browser.begin(content, "a.png", "uploads_tests.Portrait.image").json()
        with s3_proxy.recording() as requests:
            browser.send(begun["token"], content, begun)
        assert methods(requests) == ["PUT", "PUT"]
        with s3_proxy.recording() as requests:
            answer = browser.submit("/page/portrait/", **{"image-upload": begun["token"]})
        saved = Portrait.objects.get()
        assert answer.json()["image"] == saved.image.name
        assert (saved.width, saved.height) == (40, 30)
        # The parts are listed, put together, and the beginning is read; the object twice at most.
        assert methods(requests).count("GET") <= 3
        assert sum(each.body_down for each in requests) < 1_000_000

    @pytest.mark.parametrize("kind", ["JPEG", "GIF", "WEBP", "BMP", "TIFF"])
    def test_of_each_kind(self, browser: Any, store: Any, kind: str) -> None:
        name = f"a.{kind.lower()}"
        token = browser.upload(picture(kind), name, "uploads_tests.Portrait.image")
        browser.submit("/page/portrait/", **{"image-upload": token})
        assert (Portrait.objects.get().width, Portrait.objects.get().height) == (40, 30)

    def test_that_is_damaged_is_refused(self, browser: Any, store: Any) -> None:
        token = browser.upload(
            b"\x89PNG\r\n\x1a\n" + bytes(500), "a.png", "uploads_tests.Portrait.image"
        )
        html = browser.submit("/page/portrait/", **{"image-upload": token}).content.decode()
        assert "not an image or a corrupted image" in html
        assert not Portrait.objects.exists()


class TestOtherWays:
    def test_code_without_a_form_claims_the_upload(self, browser: Any, store: Any, rf: Any) -> None:
        token = browser.upload(film())
        request = rf.post("/")
        request.user = User.objects.get()
        request.session = {}
        saved = Film.objects.create(
            title="a", video=claim_upload(request, token, "uploads_tests.Film.video")
        )
        assert Film.objects.get().video.name == saved.video.name
        assert state_of() == State.ADOPTED

    def test_many_rows_at_once_adopt_their_uploads(
        self, browser: Any, store: Any, rf: Any, s3_bucket: Any
    ) -> None:
        request = rf.post("/")
        request.user = User.objects.get()
        request.session = {}

        def claim(label: str) -> Any:
            return claim_upload(request, browser.upload(film(), field=label), label)

        with transaction.atomic():
            label = "uploads_tests.Film.video"
            Film.objects.bulk_create([Film(title=each, video=claim(label)) for each in "ab"])
            label = "uploads_tests.Report.file"
            Report.objects.bulk_create([Report(title="a", file=claim(label))])
        assert {row.state for row in DirectUpload.objects.all()} == {State.ADOPTED}
        named = [each.video.name for each in Film.objects.all()]
        named += [each.file.name for each in Report.objects.all()]
        assert sorted(s3_bucket.keys()) == sorted(named)

    def test_the_field_is_in_migrations_without_its_limits(self) -> None:
        field = DirectFileField(types=["image/*"], max_size=1, permission=print, upload_to="x")
        _, path, args, kwargs = field.deconstruct()
        assert path == "smart_storages.uploads.fields.DirectFileField"
        assert (args, kwargs) == ([], {"upload_to": "x"})

    def test_the_migrations_are_those_of_the_models(self) -> None:
        call_command("makemigrations", "smart_storages_uploads", check=True, dry_run=True)

    def test_a_field_on_the_same_place_under_another_name_deletes_no_file(
        self, browser: Any, store: Any, make_storage: Any, request_of: Any, monkeypatch: Any
    ) -> None:
        # Two storages of one bucket, as two fields have them: what one names, the other has too.
        label = "uploads_tests.Film.video"
        file = claim_upload(request_of(browser), browser.upload(film()), label)
        other = make_storage(file_overwrite=False, location="")
        monkeypatch.setattr(Plain._meta.get_field("attachment"), "storage", other)
        saved = Plain(attachment=file.stored_name)
        assert not is_copied(saved, Plain._meta.get_field("attachment"), file)
