"""Who may upload: what a project's function may be, and what it may answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from smart_storages.exceptions import ConfigurationError
from smart_storages.uploads.fields import DirectFileField
from smart_storages.uploads.targets import find_target, register_uploader
from tests.uploads.conftest import film
from tests.uploads.models import Film


async def nobody(request: Any, target: Any) -> bool:
    return False


def test_a_registered_name_has_a_folder_and_no_function() -> None:
    with pytest.raises(ConfigurationError, match="upload_to must be a folder"):
        register_uploader("wrong", upload_to=lambda instance, name: name)  # type: ignore[arg-type]


def of_the_user(user: Any) -> bool:
    return bool(user.is_staff)


@pytest.mark.parametrize("wrong", [nobody, "myapp.add_film", True, ["staff"], of_the_user])
def test_a_permission_that_cannot_say_no_is_refused_where_it_is_written(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="permission"):
        DirectFileField(permission=wrong)
    with pytest.raises(ConfigurationError, match=r"register_uploader\('wrong'\): permission"):
        register_uploader("wrong", permission=wrong)


@pytest.mark.parametrize(
    "right", [lambda request, target: True, lambda *args, **kwargs: True, isinstance, None]
)
def test_any_function_of_two_arguments_is_a_permission(right: Any) -> None:
    assert DirectFileField(permission=right).upload_permission is right


@pytest.mark.filterwarnings("error")
def test_an_answer_that_somebody_would_have_to_await_is_no_permission(
    monkeypatch: Any, rf: Any
) -> None:
    field = Film._meta.get_field("video")
    monkeypatch.setattr(field, "upload_permission", nobody)
    with pytest.raises(ConfigurationError, match=r"Film\.video: permission is an async function"):
        find_target("uploads_tests.Film.video").may_upload(rf.get("/"))
    loop = asyncio.new_event_loop()
    try:
        monkeypatch.setattr(field, "upload_permission", lambda *args: loop.create_future())
        with pytest.raises(ConfigurationError, match="async"):
            find_target("uploads_tests.Film.video").may_upload(rf.get("/"))
    finally:
        loop.close()


@pytest.mark.django_db(transaction=True)
def test_a_permission_that_is_denied_by_an_exception_leaves_a_form_that_works(
    browser: Any, store: Any, monkeypatch: Any
) -> None:
    def deny(request: Any, target: Any) -> bool:
        raise PermissionDenied

    monkeypatch.setattr(Film._meta.get_field("video"), "upload_permission", deny)
    refused = browser.begin(film())
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    page = browser.client.get("/page/film/")
    assert page.status_code == 200
    assert "data-smart-upload" not in page.content.decode()
