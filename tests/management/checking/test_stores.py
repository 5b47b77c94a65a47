"""``buckets create`` and ``buckets check`` of modules that are not in S3."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from django.core.files.base import ContentFile
from django.test import override_settings

from smart_storages.backends.memory import MemoryStore, isolated
from smart_storages.management.checking.run import step_names
from smart_storages.utils import get_storage
from tests import leaks
from tests.management.calls import Answer, call
from tests.management.elsewhere import BACKENDS, UNSIGNED, settings_for

NO_UPLOADS = {"azure", "class", "gcs", "sftp"}
MADE_BY_A_SAVE = {"class", "filesystem", "local", "sftp"}
#: The emulator answers whoever asks, and a check of a private module says so.
OPEN_TO_ALL = {"gcs"}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Project:
    """Makes settings with the module ``docs``, and puts them in force."""

    def __init__(self, request: Any, directory: Path) -> None:
        self._request, self._directory = request, directory
        self._overrides: list = []

    def use(self, backend: str, *, urls: bool = True, **options: Any) -> Any:
        settings = settings_for(backend, self._request, self._directory, **options)
        if not urls:
            del settings["ROOT_URLCONF"]
        override = override_settings(**settings)
        override.enable()
        self._overrides.append(override)
        return get_storage("docs")

    def end(self) -> None:
        for override in reversed(self._overrides):
            override.disable()


@pytest.fixture
def project(request: Any, tmp_path: Path) -> Iterator[Project]:
    made = Project(request, tmp_path)
    with isolated():
        yield made
        made.end()


def statuses(answer: Answer) -> Dict[str, str]:
    return {each["step"]: each["status"] for each in answer.json[0]["findings"]}


def finding(answer: Answer, step: str) -> Any:
    return next(each for each in answer.json[0]["findings"] if each["step"] == step)


def changes(answer: Answer) -> Dict[str, str]:
    return {each["what"]: each["status"] for each in answer.json[0]["changes"]}


def test_what_was_created_passes_the_check_and_nothing_is_left(
    project: Project, backend: str
) -> None:
    storage = project.use(backend)
    made = call("create", "docs", "--json")
    assert made.code == 0, made.out
    checked = call("check", "docs", "--json")
    assert checked.code == (backend in OPEN_TO_ALL), checked.out
    expected = dict.fromkeys(step_names(in_s3=False)[1:], "ok")
    if backend in NO_UPLOADS:
        expected["upload url"] = "skipped"
    if backend in UNSIGNED | OPEN_TO_ALL:
        told = "skipped" if backend in UNSIGNED else "failed"
        expected.update(url=told, public=told)
    assert statuses(checked) == expected
    assert list(storage.iter_files()) == []
    assert leaks.find_in(made.out + made.err + checked.out + checked.err) == []


def test_a_check_says_what_it_proved(project: Project, backend: str) -> None:
    project.use(backend)
    call("create")
    said = call("check").out
    for proof in ("saved", "66 bytes", "taken name     refused", "deleted"):
        assert proof in said
    assert ("forged signature 403" in said) == (backend not in UNSIGNED | OPEN_TO_ALL)
    assert ("A URL with a forged signature leads to the file." in said) == (backend in OPEN_TO_ALL)
    assert ("Everything is fine." in said) == (backend not in OPEN_TO_ALL)
    assert "The files are " in said


def test_create_makes_what_lacks_once(project: Project, backend: str) -> None:
    storage = project.use(backend)
    pending = changes(call("create", "--dry-run", "--json"))
    made = changes(call("create", "--json"))
    again = changes(call("create", "--json"))
    assert list(made) == list(pending) == list(again)
    what, of_s3 = made
    assert made[of_s3] == pending[of_s3] == "not supported"
    assert again[what] == "ok"
    if backend == "memory":
        assert (what, made[what], pending[what]) == ("files in memory", "ok", "ok")
    else:
        assert (made[what], pending[what]) == ("done", "pending")
        assert storage.bucket_name in what
    if backend in ("class", "sftp", "filesystem"):
        assert Path(what.split(" ")[2]).is_dir()  # the server of SFTP is on this host


def test_a_container_that_is_not_there_is_told_of(project: Project, backend: str) -> None:
    project.use(backend)
    answer = call("check", "--json")
    if backend in ("azure", "gcs"):
        assert answer.code == 1
        assert finding(answer, "bucket")["fix"].startswith("Make it: manage.py buckets create docs")
        assert statuses(answer)["put"] == "skipped"
    else:
        assert answer.code == 0, answer.out
        will_be_made = "will be made by the first file" in finding(answer, "bucket")["what"]
        assert will_be_made == (backend in MADE_BY_A_SAVE)


def test_a_public_module_can_be_read_by_anybody(project: Project, backend: str) -> None:
    # The emulator of Google knows no policies of buckets.
    how = {"default_acl": "public-read"} if backend == "gcs" else {"querystring_auth": False}
    project.use(backend, **how)
    made = call("create", "--json")
    assert made.code == 0, made.out
    if backend == "azure":
        assert changes(made)["permission for anybody to read its blobs"] == "done"
    if backend == "gcs":
        assert changes(made)["permission for ACLs of its objects"] == "ok"
    answer = call("check", "--json")
    assert answer.code == 0, answer.out
    if backend in UNSIGNED:
        for step in ("public", "url"):
            assert finding(answer, step)["what"] == "another server than this site serves it"
    else:
        assert finding(answer, "public")["what"] == "answered 200"
        assert finding(answer, "url")["what"] == "200, without a signature"


@pytest.mark.skipif("azure" not in BACKENDS, reason="Azurite is not installed")
class TestAzure:
    def test_a_private_container_of_a_public_module_is_told_of(self, project: Project) -> None:
        storage = project.use("azure", querystring_auth=False)
        storage._store().needs(is_public=False)[0].meet()
        answer = call("check", "--json")
        assert answer.code == 1
        assert "Nobody may read" in finding(answer, "public")["what"]
        assert "buckets create docs" in finding(answer, "public")["fix"]
        assert call("create").code == 0
        assert call("check").code == 0

    def test_a_public_container_of_a_private_module_is_told_of(self, project: Project) -> None:
        storage = project.use("azure")
        for need in storage._store().needs(is_public=True):
            need.meet()
        answer = call("check", "--json")
        assert answer.code == 1
        assert "Anybody may read" in finding(answer, "public")["what"]

    def test_the_policies_of_a_container_stay_when_it_is_opened(self, project: Project) -> None:
        from azure.storage.blob import AccessPolicy

        store = project.use("azure", querystring_auth=False)._store()
        store.needs(is_public=False)[0].meet()
        policy = AccessPolicy(permission="r", expiry="2099-01-01T00:00:00Z")
        store._container.set_container_access_policy({"partner": policy})
        assert call("create").code == 0
        kept = store._container.get_container_access_policy()
        assert [each.id for each in kept["signed_identifiers"]] == ["partner"]
        assert kept["public_access"] == "blob"

    def test_a_container_of_public_and_private_modules_is_not_opened(
        self, project: Project, settings: Any
    ) -> None:
        storage = project.use("azure")
        entry = dict(settings.SMART_STORAGE_BUCKETS["docs"])
        public = {**entry, "location": "public", "querystring_auth": False}
        settings.SMART_STORAGE_BUCKETS = {"docs": entry, "public": public}
        answer = call("create", "--json")
        told = answer.json[0]["changes"][1]
        assert (answer.code, told["status"]) == (0, "not supported")
        assert "those of docs too" in told["why"]
        assert not storage._store().needs(is_public=True)[1].is_met()

    def test_a_wrong_key_fails_without_a_word_of_it(self, project: Project, azurite: Any) -> None:
        wrong = azurite.connection_string.replace(azurite.account_key, "aHVudGVyMg==")
        project.use("azure", connection_string=wrong)
        for command in ("create", "check"):
            answer = call(command)
            assert answer.code == 1
            assert "refused" in answer.out
            assert "aHVudGVyMg" not in answer.out + answer.err


@pytest.mark.skipif("sftp" not in BACKENDS, reason="OpenSSH's server is not installed")
@pytest.mark.parametrize("is_signed", [True, False])
def test_files_that_have_no_url_are_not_asked_for(project: Project, is_signed: bool) -> None:
    project.use("sftp", base_url=None, querystring_auth=is_signed)
    answer = call("check", "--json")
    assert answer.code == 0, answer.out
    for step in ("url", "public"):
        assert finding(answer, step)["what"] == "its files have no URL"


def test_a_page_of_this_site_is_not_taken_for_a_file(project: Project, settings: Any) -> None:
    # The address of the view of this package, as it is that of any page.
    project.use("class", options={"base_url": "/buckets/"})
    answer = call("check", "--json")
    assert answer.code == 0, answer.out
    assert statuses(answer)["url"] == statuses(answer)["public"] == "skipped"


def test_a_directory_of_a_class_gets_its_permissions(
    project: Project, settings: Any, tmp_path: Path
) -> None:
    settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
    storage = project.use("class")
    assert call("create").code == 0
    made = tmp_path / "class" / storage.bucket_name
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    made.chmod(0o750)
    assert call("create").code == 0
    assert stat.S_IMODE(made.stat().st_mode) == 0o750


def test_files_without_a_view_are_a_warning(project: Project) -> None:
    project.use("filesystem", urls=False)
    answer = call("check", "--json")
    assert answer.code == 0
    assert finding(answer, "url")["status"] == "warning"
    assert "smart_storages.local.urls" in finding(answer, "url")["fix"]
    assert "include is in django.urls" in finding(answer, "url")["fix"]
    said = call("check").out
    assert "Nothing failed, with 3 warnings." in said
    assert "Everything is fine." not in said


def test_files_that_another_server_serves_are_not_asked_of_this_site(project: Project) -> None:
    project.use("filesystem", base_url="/served-by-nginx/")
    answer = call("check", "--json")
    assert answer.code == 0
    assert finding(answer, "url")["what"] == "another server than this site serves it"


def test_of_a_module_that_is_only_read_nothing_is_written(
    project: Project, backend: str, settings: Any
) -> None:
    storage = project.use(backend)
    call("create")
    storage.save("a.txt", ContentFile(b"there"))
    settings.STORAGES = {
        "papers": {"BACKEND": "smart_storages.ReadOnlyStorage", "OPTIONS": {"inner": "docs"}}
    }
    answer = call("check", "docs", "--json")
    assert answer.code == (backend in OPEN_TO_ALL), answer.out
    assert finding(answer, "get")["what"] == "5 bytes"
    fine = {"bucket", "list", "get", "range"}
    if backend not in UNSIGNED | OPEN_TO_ALL:
        fine.add("public")
    assert {each for each in statuses(answer) if statuses(answer)[each] == "ok"} == fine
    assert [name for name, _ in storage.iter_files()] == ["a.txt"]


class TestAStoreThatBreaksItsPromise:
    """Each step fails where what it looks at is not so."""

    def failed(self, project: Project) -> Dict[str, Any]:
        project.use("memory")
        answer = call("check", "--json")
        return {
            each["step"]: each["what"]
            for each in answer.json[0]["findings"]
            if each["status"] in ("failed", "warning")
        }

    def test_it_overwrites(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        put = MemoryStore.put

        def careless(store: Any, key: str, chunks: Any, attributes: Any, *, overwrite: bool) -> Any:
            return put(store, key, chunks, attributes, overwrite=True)

        monkeypatch.setattr(MemoryStore, "put", careless)
        assert "can be overwritten" in self.failed(project)["taken name"]

    def test_it_changes_content(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        put = MemoryStore.put

        def changing(store: Any, key: str, chunks: Any, *more: Any, **named: Any) -> Any:
            return put(store, key, (each[1:] + b"." for each in chunks), *more, **named)

        monkeypatch.setattr(MemoryStore, "put", changing)
        assert "other content" in self.failed(project)["get"]

    def test_it_forgets_the_type(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        put = MemoryStore.put

        def forgetful(store: Any, key: str, chunks: Any, attributes: Any, **named: Any) -> Any:
            return put(store, key, chunks, type(attributes)(), **named)

        monkeypatch.setattr(MemoryStore, "put", forgetful)
        assert "content-type" in self.failed(project)["head"]

    def test_it_does_not_delete(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(MemoryStore, "delete", lambda store, key: None)
        assert "can still be found" in self.failed(project)["delete"]

    def test_it_cannot_list(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        def entries(store: Any, prefix: str) -> Any:
            raise PermissionError(13, "Permission denied")
            yield

        monkeypatch.setattr(MemoryStore, "entries", entries)
        assert "Permission denied" in self.failed(project)["list"]


def test_policies_are_said_to_be_of_s3_only(project: Project, backend: str) -> None:
    project.use(backend)
    for kind in ([], ["--bucket"], ["--lifecycle"], ["--terraform"], ["--json"]):
        answer = call("policy", *kind)
        assert answer.code == 0
        assert answer.err.count("only S3 has policies") == 1
        assert answer.out.strip() in ("", "[]")


def test_a_manifest_is_of_s3_only(project: Project, tmp_path: Path) -> None:
    project.use("memory")
    path = tmp_path / "manifest.csv"
    answer = call("copy", "docs", "docs", "--prefix", "a/", "--manifest", str(path))
    assert answer.code == 2
    assert "is no bucket of S3" in answer.err
    assert not path.exists()
