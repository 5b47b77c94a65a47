"""Whose an upload is: a user's, or a visitor's session."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User

from smart_storages.uploads.views import answer
from tests.uploads.browser import Browser
from tests.uploads.conftest import film

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/page/film/"


@pytest.fixture
def session(db: None) -> Any:
    """A session of a visitor, which exists already."""
    made = import_module(project.SESSION_ENGINE).SessionStore()
    made["seen"] = True
    made.save()
    return made


def browser_in(session: Any) -> Browser:
    made = Browser()
    made.client.cookies[project.SESSION_COOKIE_NAME] = session.session_key
    return made


@pytest.mark.one_server
def test_uploads_that_a_visitor_begins_at_once_are_all_of_that_visitor(
    store: Any, session: Any, rf: Any
) -> None:
    tokens = []
    # Each request has read the session before the other one wrote it.
    same = [import_module(project.SESSION_ENGINE).SessionStore(session.session_key) for _ in "ab"]
    requests = [rf.post("/") for _ in same]
    for request, each in zip(requests, same):
        request.session = each
        each.load()
        assert each["seen"]
    for request in requests:
        data = {"field": "uploads_tests.Film.video", "name": "a.mp4", "size": 100}
        status, body, _ = answer(request, "begin", data)
        assert status == 201
        tokens.append(body["token"])
    for each in same:
        each.save()
    visitor = browser_in(session)
    assert [visitor.ask("state", {"token": each}).status_code for each in tokens] == [200, 200]


@pytest.mark.one_server
def test_a_visitor_who_logs_in_keeps_what_was_uploaded_in_the_session(
    store: Any, session: Any
) -> None:
    visitor = browser_in(session)
    token = visitor.upload(film())
    User.objects.create_user("ann", password="secret")
    assert visitor.client.login(username="ann", password="secret")
    assert visitor.client.session.session_key != session.session_key
    assert visitor.submit(PAGE, title="a", **{"video-upload": token}).json()["pk"]


@pytest.mark.one_server
def test_a_new_secret_key_ends_no_upload(store: Any, settings: Any, session: Any) -> None:
    if not hasattr(project, "SECRET_KEY_FALLBACKS"):
        pytest.skip("Django has SECRET_KEY_FALLBACKS since 4.1")
    visitor = browser_in(session)
    token = visitor.upload(film())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    assert visitor.submit(PAGE, title="a", **{"video-upload": token}).json()["pk"]


def test_users_without_a_key_are_not_one_owner(store: Any, rf: Any) -> None:
    data = {"field": "uploads_tests.Film.video", "name": "a.mp4", "size": 100}
    request = rf.post("/")
    request.user = SimpleNamespace(is_authenticated=True, is_active=True, pk=None)
    status, body, _ = answer(request, "begin", data)
    assert (status, body["error"]["code"]) == (403, "forbidden")
