"""What is refused, and that nothing of it stays in the bucket."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.cache import cache
from django.utils import timezone

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError
from smart_storages.resolvers import ByTenant
from smart_storages.tenancy import use_tenant
from smart_storages.uploads.models import DirectUpload, State
from smart_storages.uploads.targets import reference_to
from tests.uploads.browser import Browser
from tests.uploads.conftest import film, picture
from tests.uploads.models import Film, Portrait, Report

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/page/film/"


def code(answer: Any) -> Any:
    return answer.status_code, answer.json()["error"]["code"]


def submit(browser: Any, token: str, page: str = PAGE, name: str = "video") -> str:
    answer = browser.submit(page, title="a", **{f"{name}-upload": token})
    assert "json" not in answer["Content-Type"], answer.content
    return str(answer.content.decode())


@pytest.fixture
def nothing_kept(s3_bucket: Any, store: Any) -> Any:
    """After the test the bucket has neither a file nor a part of one."""
    yield
    assert s3_bucket.keys() == []
    assert s3_bucket.open_uploads() == []
    assert not Film.objects.exists()


class TestAToken:
    @pytest.fixture
    def token(self, browser: Any, store: Any) -> str:
        return str(browser.upload(film()))

    def refused(self, browser: Any, token: Any) -> None:
        for action in ("sign", "state", "finish", "cancel"):
            answer = browser.ask(action, {"token": token, "parts": [{"number": 1}]})
            assert code(answer) == (403, "invalid_token"), action
        if isinstance(token, str):
            html = submit(browser, token)
            assert "not valid, or has expired" in html
            assert 'name="video-upload" value=""' in html
        assert not Film.objects.exists()

    def still_good(self, browser: Any, token: str) -> None:
        assert browser.submit(PAGE, title="good", **{"video-upload": token}).json()["pk"]

    def test_that_was_forged(self, browser: Any, token: str) -> None:
        values = signing.loads(token, salt="smart_storages.uploads.token")
        for forged in (
            signing.dumps(values, salt="another"),
            signing.dumps(values, key="guessed", salt="smart_storages.uploads.token"),
            "x",
            json.dumps(values),
            None,
            5,
        ):
            self.refused(browser, forged)
        self.still_good(browser, token)

    def test_that_was_altered(self, browser: Any, token: str) -> None:
        for at in (0, 30, token.index(":") + 1, len(token) - 2):
            other = "A" if token[at] != "A" else "B"
            self.refused(browser, token[:at] + other + token[at + 1 :])
        self.still_good(browser, token)

    def test_of_another_user(self, browser: Any, stranger: Any, token: str) -> None:
        self.refused(stranger, token)
        self.refused(Browser(), token)
        self.still_good(browser, token)

    def test_of_another_session(self, store: Any, db: None) -> None:
        visitor = Browser()
        token = visitor.upload(film())
        self.refused(Browser(), token)
        self.still_good(visitor, token)

    def test_of_another_field(self, browser: Any, token: str) -> None:
        html = submit(browser, token, "/page/report/", "file")
        assert "not valid, or has expired" in html
        html = submit(browser, token, "/page/portrait/", "image")
        assert "not valid, or has expired" in html
        assert not Report.objects.exists()
        assert not Portrait.objects.exists()
        self.still_good(browser, token)

    def test_of_another_tenant(self, browser: Any, store: Any) -> None:
        with use_tenant("acme"):
            token = browser.upload(film())
        self.refused(browser, token)
        with use_tenant("globex"):
            self.refused(browser, token)
        with use_tenant("acme"):
            self.still_good(browser, token)

    def test_that_has_expired(self, browser: Any, token: str) -> None:
        past = timezone.now() - datetime.timedelta(seconds=1)
        DirectUpload.objects.update(expires_at=past)
        self.refused(browser, token)

    def test_that_was_used(self, browser: Any, token: str) -> None:
        self.still_good(browser, token)
        html = submit(browser, token)
        assert "submitted already" in html
        assert 'name="video-upload" value=""' in html
        for action in ("sign", "finish", "cancel"):
            answer = browser.ask(action, {"token": token, "parts": [{"number": 1}]})
            assert code(answer) == (409, "used"), action
        assert Film.objects.get().video.size == 5000

    def test_contains_no_secret(self, token: str, s3_bucket: Any) -> None:
        values = signing.loads(token, salt="smart_storages.uploads.token")
        row = DirectUpload.objects.get()
        assert values == [row.pk, row.owner, row.field, "", "", 5000]
        assert s3_bucket.secret_key not in token


@pytest.mark.usefixtures("nothing_kept")
class TestAFile:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.png", b"<!DOCTYPE html><script>alert(1)</script>"),
            ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
            ("a.png", b"<?xml version='1.0'?><!-- --><svg xmlns='http://www.w3.org/2000/svg'/>"),
            ("a.jpg", b"\xef\xbb\xbf  <html><body>"),
            ("a.gif", b"GIF89a=1;alert(1)"),
            ("a.png", picture("JPEG")),
            ("a.jpeg", b"MZ\x90\0\3\0\0\0"),
            ("a.webp", b"%PDF-1.7\n"),
        ],
    )
    def test_in_disguise_is_deleted(self, browser: Any, name: str, content: bytes) -> None:
        token = browser.upload(content, name, "uploads_tests.Portrait.image")
        html = submit(browser, token, "/page/portrait/", "image")
        assert "does not match its name" in html
        assert 'name="image-upload" value=""' in html
        row = DirectUpload.objects.get()
        assert (row.state, row.reason, row.is_removed) == (State.GONE, "wrong_content", True)

    def test_in_disguise_is_deleted_where_everything_is_allowed(self, browser: Any) -> None:
        for name, content in (
            ("a.pdf", b"<html>"),
            ("a.mp4", b"<html>"),
            ("a.zip", picture()),
            ("a.docx", b"MZ\x90\0\3\0"),
            ("a.txt", b"\x7fELF\2\1\1\0"),
            ("a.csv", picture()),
        ):
            assert "does not match its name" in submit(browser, browser.upload(content, name))

    @pytest.mark.parametrize("name", ["a.svg", "a.html", "a.exe", "a.png.html", "a", "png"])
    def test_of_another_type_is_refused_before_it_is_uploaded(
        self, browser: Any, name: str
    ) -> None:
        answer = browser.begin(picture(), name, "uploads_tests.Portrait.image")
        assert code(answer) == (415, "wrong_type")
        assert "image/*" in answer.json()["error"]["message"]

    def test_that_is_announced_too_large(self, browser: Any) -> None:
        data = {"field": "uploads_tests.Portrait.image", "name": "a.png", "size": 10**9 + 1}
        assert code(browser.ask("begin", data)) == (413, "too_large")
        data = {"field": "uploads_tests.Film.video", "name": "a.mp4", "size": 6 * 1024**4}
        assert code(browser.ask("begin", data)) == (413, "too_large")

    @pytest.mark.one_server
    def test_that_is_larger_than_announced(self, browser: Any, s3_bucket: Any) -> None:
        if s3_bucket.server.name != "ceph":
            pytest.skip("moto checks no signature")
        content = film()
        begun = browser.begin(content).json()
        token = begun["token"]
        for sent in (content + b"more", content[:-1], content[:-1] + b"x"):
            part = {"number": 1}
            if begun["sha256"]:
                part["sha256"] = base64.b64encode(hashlib.sha256(content).digest()).decode()
            (signed,) = browser.ask("sign", {"token": token, "parts": [part]}).json()["parts"]
            assert browser.put(signed, sent) in (400, 403)
        assert code(browser.ask("finish", {"token": token})) == (409, "incomplete")
        assert "not complete yet" in submit(browser, token)
        browser.ask("cancel", {"token": token})

    def test_with_a_part_of_another_size(self, browser: Any, store: Any) -> None:
        # Whoever has the keys of the bucket can put what no URL was signed for.
        content = film()
        begun = browser.begin(content).json()
        row = DirectUpload.objects.get()
        store.connection.meta.client.upload_part(
            Bucket=store.bucket_name, Key=store.get_key(row.name), PartNumber=1,
            UploadId=row.upload_id, Body=content + b"more",
        )  # fmt: skip
        answer = browser.ask("finish", {"token": begun["token"]})
        assert code(answer) == (409, "incomplete")
        assert "not complete yet" in submit(browser, begun["token"])
        browser.ask("cancel", {"token": begun["token"]})

    def test_that_was_replaced_by_one_of_another_size(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        token = browser.upload(film())
        browser.submit(PAGE, title="", **{"video-upload": token})
        s3_bucket.put(s3_bucket.keys()[0], film(6000))
        assert "does not have the size" in submit(browser, token)

    @pytest.mark.parametrize(
        "name",
        [
            "../a.mp4", "/etc/passwd", "..", ".", "", "  ", "a/b.mp4", "a\\b.mp4", "..\\a.mp4",
            "a\0.mp4", "a\n.mp4", "a\x85.mp4", "a\u202e4pm.exe", "a\ud800.mp4", "...", None, 5,
            ["a"],
        ],
    )  # fmt: skip
    def test_whose_name_is_a_trick(self, browser: Any, name: Any) -> None:
        data = {"field": "uploads_tests.Film.video", "name": name, "size": 10}
        assert code(browser.ask("begin", data)) == (400, "bad_name")

    @pytest.mark.parametrize("name", ["a.png?", "a.p*ng", "a.png:"])
    def test_is_what_it_will_be_called(self, browser: Any, name: str) -> None:
        # Storages drop the character: these are stored as "a_x3v0q1d2.png".
        token = browser.upload(b"<html>", name)
        assert "does not match its name" in submit(browser, token)

    @pytest.mark.parametrize("name", ["ab:evil.png?x.html", "ab:evil.png#x.html"])
    def test_whose_name_is_the_url_of_another_type(self, browser: Any, name: str) -> None:
        # It would be stored under a name that ends with ".html".
        data = {"field": "uploads_tests.Portrait.image", "name": name, "size": 10}
        assert code(browser.ask("begin", data)) == (415, "wrong_type")

    @pytest.mark.parametrize("size", [-1, 1.5, "10", None, True, 10**30])
    def test_whose_size_is_none(self, browser: Any, size: Any) -> None:
        data = {"field": "uploads_tests.Film.video", "name": "a.mp4", "size": size}
        assert browser.ask("begin", data).status_code in (400, 413)

    def test_without_bytes(self, browser: Any) -> None:
        assert code(browser.begin(b"")) == (400, "empty")

    @pytest.mark.parametrize(
        "part",
        [{"number": 0}, {"number": 2}, {"number": True}, {"number": "1"}, {}, 1, None,
         {"number": 1, "sha256": 5}, {"number": 1, "sha256": "x"}],
    )  # fmt: skip
    def test_whose_parts_are_none(self, browser: Any, part: Any) -> None:
        token = browser.begin(film()).json()["token"]
        answer = browser.ask("sign", {"token": token, "parts": [part]})
        assert code(answer) == (400, "bad_request")
        for parts in ([], [{"number": 1}] * 101, "x", None):
            answer = browser.ask("sign", {"token": token, "parts": parts})
            assert code(answer) == (400, "bad_request")
        browser.ask("cancel", {"token": token})

    def test_for_a_field_that_takes_none(self, browser: Any) -> None:
        good = reference_to("uploads_tests.Film.video")
        for field in (
            "uploads_tests.Plain.attachment",  # Django's own, without a signature
            "uploads_tests.Film.title",
            "uploads_tests.Film.nothing",
            "nothing.Film.video",
            "x",
            good[:-1] + ("A" if good[-1] != "A" else "B"),
            reference_to("uploads_tests.Film.title"),
            "uploads_tests.Film.\ud800",
            "\ud800:signature",
            "x:\ud800",
            None,
            ["uploads_tests.Film.video"],
        ):
            answer = browser.ask("begin", {"field": field, "name": "a.mp4", "size": 10})
            assert code(answer) == (400, "unknown_field"), field


class TestAUser:
    secret = {"field": "uploads_tests.Report.secret", "name": "a.txt", "size": 5}

    @pytest.fixture
    def report_permission(self) -> Any:
        kind = ContentType.objects.get_for_model(Report)
        found, _ = Permission.objects.get_or_create(codename="change_report", content_type=kind)
        return found

    def test_without_permission(self, browser: Any, store: Any, report_permission: Any) -> None:
        for who in (browser, Browser(), Browser(User.objects.create_user("s", is_staff=True))):
            assert code(who.ask("begin", self.secret)) == (403, "forbidden")
        may = User.objects.create_user("m")
        may.user_permissions.add(report_permission)
        assert code(Browser(may).ask("begin", self.secret)) == (403, "forbidden")
        may.is_staff = True
        may.save()
        assert Browser(may).ask("begin", self.secret).status_code == 201

    def test_who_uploads_too_often(
        self, browser: Any, stranger: Any, store: Any, site: Any
    ) -> None:
        site.SMART_STORAGE_UPLOADS = {"uploads_per_hour": 2}
        for _ in range(2):
            assert browser.begin(film()).status_code == 201
        answer = browser.begin(film())
        assert code(answer) == (429, "too_many")
        assert 1 <= int(answer["Retry-After"]) <= 3600
        assert stranger.begin(film()).status_code == 201
        cache.clear()
        assert browser.begin(film()).status_code == 201

    def test_who_uploads_too_much(self, browser: Any, store: Any, site: Any) -> None:
        site.SMART_STORAGE_UPLOADS = {"bytes_per_hour": 12_000}
        assert browser.begin(film(5000)).status_code == 201
        assert code(browser.begin(film(8000))) == (429, "too_many")
        # What was refused does not count.
        assert browser.begin(film(7000)).status_code == 201
        assert code(browser.begin(film(1000))) == (429, "too_many")

    def test_who_was_refused_for_the_bytes_has_begun_nothing(
        self, browser: Any, store: Any, site: Any
    ) -> None:
        site.SMART_STORAGE_UPLOADS = {"bytes_per_hour": 12_000, "uploads_per_hour": 2}
        for _ in range(3):
            assert code(browser.begin(film(13_000))) == (429, "too_many")
        assert browser.begin(film(5000)).status_code == 201


class TestARequest:
    @pytest.mark.parametrize("middleware", [True, False])
    def test_of_another_site(
        self, browser: Any, store: Any, site: Any, middleware: bool, caplog: Any
    ) -> None:
        data = {"field": "uploads_tests.Film.video", "name": "a.mp4", "size": 10}
        if not middleware:
            site.MIDDLEWARE = [each for each in site.MIDDLEWARE if "Csrf" not in each]
            browser = Browser(User.objects.get())
        for action in ("begin", "sign", "state", "finish", "cancel"):
            for token in ("", "b" * 32):
                answer = browser.ask(action, data, HTTP_X_CSRFTOKEN=token)
                assert code(answer) == (403, "csrf"), action
        # The answer says what a user can do, the log what is wrong.
        assert "Forbidden (CSRF token" in caplog.text
        assert not DirectUpload.objects.exists()

    def test_that_is_not_json(self, browser: Any, store: Any) -> None:
        for body, kind in (
            ("{", "application/json"),
            ("[]", "application/json"),
            ("{}", "text/plain"),
            (b"\xff", "application/json"),
            ("[" * 100_000, "application/json"),
        ):
            answer = browser.client.post(
                "/uploads/begin", body, content_type=kind, HTTP_X_CSRFTOKEN=browser.csrf
            )
            assert code(answer) == (400, "bad_request")
        assert browser.client.get("/uploads/begin").status_code == 405

    def test_is_answered_with_what_nobody_keeps(self, browser: Any, store: Any) -> None:
        for answer in (browser.begin(film()), browser.begin(b"")):
            assert answer["Cache-Control"] == "no-store"

    def test_while_the_bucket_does_not_answer(
        self, browser: Any, use: Any, make_storage: Any, caplog: Any
    ) -> None:
        use(make_storage(endpoint_url="http://127.0.0.1:1"))
        answer = browser.begin(film())
        assert code(answer) == (503, "failed")
        assert "127.0.0.1" not in answer.content.decode()
        assert "A direct upload failed" in caplog.text
        assert not DirectUpload.objects.exists()

    def test_without_a_tenant(self, browser: Any, use: Any) -> None:
        use(StorageDispatcher(ByTenant("tenant_{tenant}")))
        assert code(browser.begin(film())) == (403, "forbidden")


def test_a_form_without_the_middleware_says_what_is_missing(
    browser: Any, store: Any, site: Any
) -> None:
    token = browser.upload(film())
    site.MIDDLEWARE = [each for each in site.MIDDLEWARE if "DirectUpload" not in each]
    browser = Browser(User.objects.get())
    with pytest.raises(ConfigurationError, match="DirectUploadMiddleware"):
        browser.submit(PAGE, title="a", **{"video-upload": token})
