"""Direct uploads to everything that can keep files: disks, memory, Azure, and compositions."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import pytest
from django.core.files.base import ContentFile

from smart_storages.backends.memory import isolated
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.queued.backends import QueuedStorage
from smart_storages.resolvers import ByExtension, BySize, ByTenant
from smart_storages.storages import SmartS3Storage
from smart_storages.tenancy import use_tenant
from smart_storages.uploads.clearing import clear
from smart_storages.uploads.models import DirectUpload, State
from smart_storages.wrappers import ScopedStorage
from tests.servers.azurite import Azurite
from tests.uploads.conftest import film, picture
from tests.uploads.models import Film, Report
from tests.uploads.test_clearing import later

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = 9_000_000


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    with isolated():
        yield


def memory(label: str, **options: Any) -> Any:
    return SmartS3Storage(label, backend="memory", file_overwrite=False, **options)


@pytest.fixture
def goes(browser: Any, use: Callable[[Any], Any]) -> Callable[..., Any]:
    """Uploads a file, submits a form with it, and returns the row."""

    def go(storage: Any, content: bytes = film(), name: str = "film.mp4") -> Any:
        use(storage)
        token = browser.upload(content, name)
        answer = browser.submit("/page/film/", title=token[-8:], **{"video-upload": token})
        saved = Film.objects.get(pk=answer.json()["pk"])
        with saved.video.open() as file:
            assert file.read() == content
        assert DirectUpload.objects.get(name=saved.video.name).state == State.ADOPTED
        return saved

    return go


def refuses_disguise(browser: Any, storage: Any) -> None:
    token = browser.upload(b"<html>", "a.mp4")
    (row,) = DirectUpload.objects.exclude(state=State.ADOPTED)
    answer = browser.submit("/page/film/", title="x", **{"video-upload": token})
    assert "does not match its name" in answer.content.decode()
    assert not storage.exists(row.name)


class TestABackend:
    @pytest.fixture(params=["filesystem", "memory", "azure"])
    def storage(self, request: Any, tmp_path: Any) -> Any:
        if request.param == "azure":
            server: Azurite = request.getfixturevalue("azurite")
            container = server.create_container()
            return SmartS3Storage(
                "media", backend="azure", bucket_name=container,
                connection_string=server.connection_string, file_overwrite=False,
            )  # fmt: skip
        options = {"root": tmp_path} if request.param == "filesystem" else {}
        return SmartS3Storage(
            "media", backend=request.param, bucket_name="acme", file_overwrite=False, **options
        )

    def test_takes_uploads_as_s3_does(self, goes: Any, browser: Any, storage: Any) -> None:
        goes(storage, film(LARGE))
        refuses_disguise(browser, storage)

    def test_signs_no_digest_where_none_can_be(self, browser: Any, use: Any, storage: Any) -> None:
        use(storage)
        begun = browser.begin(film()).json()
        part = {"number": 1, "sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}
        answer = browser.ask("sign", {"token": begun["token"], "parts": [part]})
        assert answer.status_code == (200 if begun["sha256"] else 400)

    @pytest.mark.parametrize("letter", ["a", "é", "电", "\U00020000"])
    def test_takes_the_longest_name_that_a_computer_has(
        self, browser: Any, use: Any, storage: Any, letter: str
    ) -> None:
        use(storage)
        content = film()
        begun = browser.begin(content, letter * 251 + ".mp4", "attachments").json()
        assert set(browser.send(begun["token"], content, begun)) <= {200, 201}
        answer = browser.submit("/attach/", **{"attachment-upload": begun["token"]})
        assert answer.status_code == 200, answer.content
        assert answer.json()["name"].endswith(f"{letter}.mp4")

    def test_is_cleared_as_s3_is(self, browser: Any, use: Any, storage: Any) -> None:
        use(storage)
        token = browser.upload(film())
        browser.upload(film())
        browser.submit("/page/film/", title="", **{"video-upload": token})
        assert len(list(storage.iter_files())) == 1
        assert clear(now=later()).failed == 0
        assert list(storage.iter_files()) == []
        assert not DirectUpload.objects.exists()

    def test_copies_for_a_field_that_names_files_by_the_row(
        self, browser: Any, use: Any, storage: Any
    ) -> None:
        use(storage)
        token = browser.upload(film(LARGE), field="uploads_tests.Report.file")
        browser.submit("/page/report/", title="t", **{"file-upload": token})
        saved = Report.objects.get()
        assert saved.file.name.startswith("by-title/t/")
        assert saved.file.size == LARGE
        assert [name for name, _ in storage.iter_files()] == [saved.file.name]


class TestADispatcher:
    def test_chooses_the_bucket_before_the_upload(self, goes: Any, browser: Any) -> None:
        a, b = memory("a"), memory("b")
        storage = StorageDispatcher(
            ByExtension({"mp4": "b"}, default="a"), storages={"a": a, "b": b}
        )
        saved = goes(storage)
        assert b.exists(saved.video.name)
        saved = goes(storage, picture(), "a.png")
        assert a.exists(saved.video.name)
        refuses_disguise(browser, storage)

    def test_records_what_it_chose(self, goes: Any) -> None:
        both = {"a": memory("a"), "b": memory("b")}
        storage = StorageDispatcher(BySize(limit=6000, small="a", large="b"), storages=both)
        saved = goes(storage, film(5000))
        assert saved.video.name.startswith("a/films/")
        assert both["a"].exists(saved.video.name[2:])
        saved = goes(storage, film(7000))
        assert saved.video.name.startswith("b/films/")

    def test_of_tenants_gives_each_its_own(self, goes: Any, browser: Any, use: Any) -> None:
        stores = {"tenant_acme": memory("x"), "tenant_globex": memory("y")}
        storage = StorageDispatcher(ByTenant("tenant_{tenant}"), storages=stores)
        with use_tenant("acme"):
            saved = goes(storage)
            token = browser.upload(film())
        found = [name for name, _ in stores["tenant_acme"].iter_files()]
        assert len(found) == 1
        assert saved.video.name.endswith(found[0])
        with use_tenant("globex"):
            answer = browser.submit("/page/film/", title="b", **{"video-upload": token})
            assert "not valid" in answer.content.decode()
        assert list(stores["tenant_globex"].iter_files()) == []
        assert clear(now=later()).failed == 0
        assert len(list(stores["tenant_acme"].iter_files())) == 1


class TestAComposition:
    def test_a_mirror_copies_what_was_uploaded(self, goes: Any) -> None:
        a, b = memory("a"), memory("b")
        saved = goes(MirrorStorage(a, [b], background=False))
        assert a.exists(saved.video.name)
        assert b.exists(saved.video.name)

    def test_a_fallback_writes_where_it_writes(self, goes: Any) -> None:
        a, b = memory("a"), memory("b")
        saved = goes(FallbackStorage([a, b]))
        assert a.exists(saved.video.name)

    def test_a_scope_is_kept(self, goes: Any, browser: Any) -> None:
        a = memory("a")
        storage = ScopedStorage(a, "inner")
        saved = goes(storage)
        assert a.exists(f"inner/{saved.video.name}")
        refuses_disguise(browser, storage)

    def test_a_queue_has_it_at_once(self, goes: Any, disk: Any, settings: Any) -> None:
        settings.SMART_STORAGE_BUCKETS = {"queued": {"backend": "memory", "file_overwrite": False}}
        settings.SMART_STORAGE_TASKS = "inline"
        local = "django.core.files.storage.FileSystemStorage"
        storage = QueuedStorage(local, "queued", {"location": disk("local").location})
        saved = goes(storage)
        assert storage.remote.exists(saved.video.name)
        assert disk("local").listdir("") == ([], [])


def test_a_plain_disk_is_uploaded_to_through_django(browser: Any, use: Any, disk: Any) -> None:
    use(disk("plain"))
    html = browser.client.get("/page/film/").content.decode()
    assert "data-smart-upload" not in html
    answer = browser.begin(film())
    assert answer.json()["error"]["code"] == "unknown_field"
    upload = ContentFile(film(), "a.mp4")
    assert browser.submit("/page/film/", title="a", video=upload).json()["video"]
