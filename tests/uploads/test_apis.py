"""Direct uploads in APIs: Django REST framework, django-ninja, and async views."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import django
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import AsyncClient, Client
from django.urls import include, path

from smart_storages.uploads.models import DirectUpload, State
from tests.queued.conftest import need
from tests.uploads import local_urls
from tests.uploads.browser import put
from tests.uploads.conftest import film, picture
from tests.uploads.models import Film

pytestmark = pytest.mark.django_db(transaction=True)

VIDEO = "uploads_tests.Film.video"


def headers(**given: str) -> Any:
    """Headers as the async client of this Django takes them."""
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return {"headers": named} if django.VERSION >= (4, 2) else named


class TestRestFramework:
    @pytest.fixture(autouse=True)
    def api(self, settings: Any, store: Any) -> Any:
        need("rest_framework")
        from rest_framework import serializers, viewsets
        from rest_framework.authentication import BaseAuthentication
        from rest_framework.routers import SimpleRouter

        from smart_storages.uploads.rest_framework import (
            DirectUploadField,
            DirectUploadView,
            upload_urls,
        )

        class Key(BaseAuthentication):
            """What a mobile client has in place of a cookie."""

            def authenticate(self, request: Any) -> Any:
                name = request.headers.get("Authorization", "").partition(" ")[2]
                user = User.objects.filter(username=name).first()
                return None if user is None else (user, None)

        class FilmSerializer(serializers.ModelSerializer):
            video = DirectUploadField(VIDEO, required=False)

            class Meta:
                model = Film
                fields = ["id", "title", "video"]

        class Films(viewsets.ModelViewSet):
            authentication_classes = [Key]
            queryset = Film.objects.order_by("pk")
            serializer_class = FilmSerializer

        class Uploads(DirectUploadView):
            authentication_classes = [Key]

        router = SimpleRouter()
        router.register("films", Films)
        urls = type("Urls", (), {})()
        urls.urlpatterns = [
            *local_urls.urlpatterns,
            path("api/uploads/", include([upload_urls(Uploads)])),
            path("api/", include(router.urls)),
        ]
        settings.ROOT_URLCONF = urls
        User.objects.create_user("phone")
        User.objects.create_user("other")

    def ask(self, action: str, data: Any, key: str = "phone") -> Any:
        return Client(enforce_csrf_checks=True).post(
            f"/api/uploads/{action}",
            json.dumps(data),
            content_type="application/json",
            HTTP_AUTHORIZATION=f"Key {key}",
        )

    def upload(self, content: bytes, name: str = "a.mp4") -> str:
        begun = self.ask("begin", {"field": VIDEO, "name": name, "size": len(content)}).json()
        parts = [{"number": 1}]
        (part,) = self.ask("sign", {"token": begun["token"], "parts": parts}).json()["parts"]
        assert put(part["url"], content, part["headers"]) == 200
        assert self.ask("finish", {"token": begun["token"]}).status_code == 200
        return str(begun["token"])

    def send(self, data: Any, key: str = "phone", method: str = "post", url: str = "") -> Any:
        return getattr(Client(), method)(
            f"/api/films/{url}",
            json.dumps(data),
            content_type="application/json",
            HTTP_AUTHORIZATION=f"Key {key}",
        )

    def test_a_serializer_takes_a_token(self, s3_bucket: Any) -> None:
        token = self.upload(film())
        answer = self.send({"title": "a", "video": token})
        assert answer.status_code == 201, answer.content
        saved = Film.objects.get()
        assert s3_bucket.keys() == [saved.video.name]
        assert saved.video.name in answer.json()["video"]
        again = self.send({"title": "b", "video": token})
        assert again.status_code == 400
        assert "submitted already" in again.json()["video"][0]

    def test_a_token_of_another_user_is_refused(self) -> None:
        token = self.upload(film())
        assert self.send({"title": "a", "video": token}, key="other").status_code == 400
        assert self.ask("cancel", {"token": token}, key="other").status_code == 403
        assert self.send({"title": "a", "video": token}).status_code == 201

    def test_a_file_in_disguise_is_refused(self, s3_bucket: Any) -> None:
        answer = self.send({"title": "a", "video": self.upload(b"<html>")})
        assert "does not match its name" in answer.json()["video"][0]
        assert s3_bucket.keys() == []

    def test_a_row_is_changed_with_and_without_a_new_file(self) -> None:
        pk = self.send({"title": "a", "video": self.upload(film())}).json()["id"]
        before = Film.objects.get().video.name
        self.send({"title": "b"}, method="patch", url=f"{pk}/")
        assert Film.objects.get().video.name == before
        self.send({"video": self.upload(film())}, method="patch", url=f"{pk}/")
        assert Film.objects.get().video.name != before

    def test_a_file_through_django_still_works(self) -> None:
        data = {"title": "a", "video": SimpleUploadedFile("a.mp4", film())}
        answer = Client().post("/api/films/", data, HTTP_AUTHORIZATION="Key phone")
        assert answer.status_code == 201, answer.content
        assert not DirectUpload.objects.exists()

    @pytest.mark.parametrize(
        ("name", "content"), [("a.html", b"<html>"), ("a.png", b"<html>"), ("a.png", bytes(6000))]
    )
    def test_a_file_through_django_is_held_to_the_same_limits(
        self, settings: Any, name: str, content: bytes
    ) -> None:
        from rest_framework.exceptions import ValidationError

        from smart_storages.uploads.rest_framework import DirectUploadField

        settings.SMART_STORAGE_UPLOADS = {"max_size": 5000, "types": ["image/*"]}
        field = DirectUploadField("uploads_tests.Plain.attachment")
        with pytest.raises(ValidationError):
            field.run_validation(SimpleUploadedFile(name, content))
        good = SimpleUploadedFile("a.png", picture())
        assert field.run_validation(good).read() == picture()

    def test_another_action_is_not_found(self) -> None:
        assert self.ask("destroy", {}).status_code == 404
        answer = Client().post(
            "/api/uploads/begin", "[]", content_type="application/json",
            HTTP_AUTHORIZATION="Key phone",
        )  # fmt: skip
        assert answer.status_code == 400


class TestNinja:
    def test_the_example_of_the_page_works(self, settings: Any, store: Any, browser: Any) -> None:
        ninja = need("ninja")
        from smart_storages.exceptions import UploadError
        from smart_storages.uploads.adopting import claim_upload
        from smart_storages.uploads.views import answer

        api = ninja.NinjaAPI(urls_namespace="uploads-test")

        @api.post("/uploads/{action}")
        def uploads(request: Any, action: str, response: Any) -> Any:
            status, body, headers = answer(request, action, json.loads(request.body))
            made = api.create_response(request, body, status=status)
            for name, value in headers.items():
                made[name] = value
            return made

        @api.post("/films")
        def create_film(request: Any, title: str, video: str) -> Any:
            saved = Film.objects.create(title=title, video=claim_upload(request, video, VIDEO))
            return {"id": saved.pk}

        @api.exception_handler(UploadError)
        def refused(request: Any, error: UploadError) -> Any:
            body = {"code": error.code, "message": str(error)}
            return api.create_response(request, body, status=error.status)

        uploads.__annotations__.clear()
        urls = type("Urls", (), {})()
        urls.urlpatterns = [*local_urls.urlpatterns, path("ninja/", api.urls)]
        settings.ROOT_URLCONF = urls
        token = browser.upload(film())
        url = f"/ninja/films?title=a&video={token}"
        sent = {"HTTP_X_CSRFTOKEN": browser.csrf}
        assert browser.client.post(url, **sent).json() == {"id": Film.objects.get().pk}
        refusal = browser.client.post(url.replace("=a&", "=b&"), **sent)
        assert (refusal.status_code, refusal.json()["code"]) == (409, "used")


class TestAsync:
    @pytest.fixture(autouse=True)
    def async_site(self, settings: Any, store: Any) -> None:
        settings.ROOT_URLCONF = "tests.uploads.async_urls"

    @pytest.mark.one_server
    def test_views_run_where_every_request_is_a_transaction(self, monkeypatch: Any) -> None:
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

        async def begin() -> Any:
            data = {"field": VIDEO, "name": "a.mp4", "size": 10}
            client = AsyncClient()
            return await client.post("/uploads/begin", data, content_type="application/json")

        assert asyncio.run(begin()).status_code == 201

    def test_views_answer_as_the_sync_ones(self, browser: Any, s3_bucket: Any) -> None:
        content = film()
        client = AsyncClient(enforce_csrf_checks=True)
        client.cookies = browser.client.cookies

        async def ask(action: str, data: Any, token: str = browser.csrf) -> Any:
            return await client.post(
                f"/uploads/{action}", json.dumps(data), content_type="application/json",
                **headers(X_CSRFToken=token),
            )  # fmt: skip

        async def go() -> str:
            data = {"field": VIDEO, "name": "a.mp4", "size": len(content)}
            begun = (await ask("begin", data)).json()
            token = begun["token"]
            signed = await ask("sign", {"token": token, "parts": [{"number": 1}]})
            (part,) = signed.json()["parts"]
            loop = asyncio.get_running_loop()
            assert (
                await loop.run_in_executor(None, put, part["url"], content, part["headers"]) == 200
            )
            assert (await ask("state", {"token": token})).json()["parts"][0]["size"] == 5000
            assert (await ask("finish", {"token": token})).status_code == 200
            for answer, status in (
                (await ask("begin", {**data, "size": 0}), 400),
                (await ask("begin", data, token="b" * 32), 403),
                (await client.get("/uploads/begin"), 405),
                (await ask("finish", {"token": "x"}), 403),
                (await ask("begin", []), 400),
            ):
                assert answer.status_code == status
            fields = {"title": "a", "video-upload": token, "csrfmiddlewaretoken": browser.csrf}
            form = "application/x-www-form-urlencoded"
            page = await client.post("/page/film/", urlencode(fields), content_type=form)
            return str(page.json()["video"])

        name = asyncio.run(go())
        assert s3_bucket.keys() == [name]
        assert DirectUpload.objects.get().state == State.ADOPTED

    def test_a_csrf_token_in_the_session_is_asked_for(self, browser: Any, settings: Any) -> None:
        settings.CSRF_USE_SESSIONS = True
        settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "Csrf" not in each]
        client = AsyncClient(enforce_csrf_checks=True)
        client.cookies = browser.client.cookies

        async def go() -> Any:
            data = json.dumps({"field": VIDEO, "name": "a.mp4", "size": 5})
            return await client.post("/uploads/begin", data, content_type="application/json")

        answer = asyncio.run(go())
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")

    def test_cancelling_removes_the_parts(self, browser: Any, s3_bucket: Any) -> None:
        token = browser.upload(film())
        client = AsyncClient()
        client.cookies = browser.client.cookies

        async def go() -> Any:
            return await client.post(
                "/uploads/cancel", json.dumps({"token": token}), content_type="application/json",
                **headers(X_CSRFToken=browser.csrf),
            )  # fmt: skip

        assert asyncio.run(go()).status_code == 204
        assert s3_bucket.open_uploads() == []
