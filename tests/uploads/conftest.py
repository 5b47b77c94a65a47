"""Models whose files go to one storage, a site that takes uploads, and browsers."""

from __future__ import annotations

import io
from typing import Any, Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from PIL import Image

from smart_storages.uploads.targets import register_uploader
from tests.uploads.browser import Browser
from tests.uploads.models import Film, Plain, Portrait, Report, anybody

FIELDS = [
    (Film, "video"), (Portrait, "image"), (Report, "file"), (Report, "secret"),
    (Plain, "attachment"),
]  # fmt: skip

#: The beginning of a film; what follows does not matter.
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"


@pytest.fixture(autouse=True)
def site(settings: Any) -> Iterator[Any]:
    settings.ROOT_URLCONF = "tests.uploads.local_urls"
    cache.clear()
    yield settings
    cache.clear()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Makes every field keep its files in a storage."""

    def change(storage: Any) -> Any:
        for model, name in FIELDS:
            monkeypatch.setattr(model._meta.get_field(name), "storage", storage)
        register_uploader(
            "attachments", storage=storage, upload_to="attachments", permission=anybody
        )
        return storage

    return change


@pytest.fixture
def store(use: Callable[[Any], Any], make_storage: Callable[..., Any]) -> Any:
    """The bucket of every field."""
    return use(make_storage(file_overwrite=False, location=""))


@pytest.fixture
def browser(db: None) -> Browser:
    return Browser(User.objects.create_user("ann"))


@pytest.fixture
def stranger(db: None) -> Browser:
    return Browser(User.objects.create_user("mallory"))


@pytest.fixture
def request_of(rf: Any) -> Callable[[Browser], Any]:
    """Makes a request of the user of a browser, in its session."""

    def make(browser: Browser) -> Any:
        request = rf.post("/")
        request.user = User.objects.get(pk=browser.client.session["_auth_user_id"])
        request.session = browser.client.session
        return request

    return make


def film(size: int = 5000, mark: bytes = b"") -> bytes:
    head = MP4 + mark
    return head + bytes(size - len(head))


def picture(kind: str = "PNG", size: Any = (40, 30)) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, "teal").save(made, kind)
    return made.getvalue()
