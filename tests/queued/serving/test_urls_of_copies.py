"""Where a remote signs its URLs, so are those of files that wait for their transfer."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError
from smart_storages.fallback import FallbackStorage
from smart_storages.queued.backends import DelayedStorage, QueuedStorage
from smart_storages.queued.checks import check_storages
from smart_storages.queued.models import LedgerIdentity
from smart_storages.queued.serving import urls_of_copies
from smart_storages.resolvers import ByPathPrefix, ByTenant
from smart_storages.storages import MediaStorage, SmartS3Storage
from smart_storages.tenancy import current_tenant, use_tenant
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage
from tests.queued import broker
from tests.queued.conftest import DISK, ids

KEYS = {
    "bucket_name": "acme",
    "endpoint_url": "http://127.0.0.1:1",  # nobody answers, and nobody is to be asked
    "access_key": "AK",
    "secret_key": "SK",
    "region_name": "us-east-1",
}
PRIVATE = {"querystring_expire": 900, **KEYS}


class Elsewhere(Storage):
    """Somebody else's storage, of which no attribute tells whether it signs."""

    def __init__(self, url: str = "") -> None:
        self._url = url

    def url(self, name: Any) -> str:
        if not self._url:
            raise OSError("it does not answer")
        return self._url


@pytest.fixture
def make_queue(tmp_path: Any, transactional_db: None, messages: list) -> Any:
    """Makes a queued storage from a disk that a web server would give out."""

    def make(remote: Any = None, **options: Any) -> QueuedStorage:
        local = FileSystemStorage(str(tmp_path / "local"), base_url="/uploads/")
        options.setdefault("key", "q")
        return QueuedStorage(local, remote or SmartS3Storage(**PRIVATE), durable=False, **options)

    return make


def end_of(url: str) -> float:
    return urls_of_copies.read(url.split("/")[2]).seconds_left


@pytest.mark.usefixtures("db")
def test_which_storages_sign() -> None:
    from storages.backends.s3 import S3Storage as Plain

    ours, plain = SmartS3Storage(**PRIVATE), Plain(**KEYS)
    public, disk = SmartS3Storage(querystring_auth=False, **KEYS), FileSystemStorage("/f")
    a_day = datetime.timedelta(days=1)
    google = {"querystring_auth": True, "expiration": a_day}
    table = [
        (ours, 900),
        (plain, 3600),
        (MediaStorage(**PRIVATE), 900),
        (public, None),
        (Plain(querystring_auth=False, **KEYS), None),
        (SmartS3Storage(custom_domain="files.example.com", **PRIVATE), None),
        (Plain(custom_domain="files.example.com", **KEYS), None),
        (
            SmartS3Storage(custom_domain="f.example.com", cloudfront_signer=_signer(), **PRIVATE),
            900,
        ),
        (SmartS3Storage(default_acl="public-read", **KEYS), None),
        (disk, None),
        (SimpleNamespace(default_acl=None, **google), 86400),
        (SimpleNamespace(default_acl="publicRead", **google), None),
        (SimpleNamespace(expiration_secs=60), 60),
        (SimpleNamespace(expiration_secs=None), None),
        (Elsewhere("https://x.example.com/a.txt"), None),
        (Elsewhere("https://x.example.com/a.txt?X-Goog-Signature=1f"), 3600),
        (Elsewhere("https://x.example.com/a.txt?se=2030&sig=1f"), 3600),
        (Elsewhere(), 3600),  # better a signature too many
        (ReadOnlyStorage(ours), 900),
        (ScopedStorage(public, "a"), None),
        (FallbackStorage([disk, plain]), 3600),
        (FallbackStorage([plain, ours]), 900),
        (FallbackStorage([disk, public]), None),
        (FallbackStorage([disk, Elsewhere("https://x.example.com/?sig=1")]), 3600),
        (
            StorageDispatcher(
                ByPathPrefix({"a/": "one"}, default="two"), storages={"one": disk, "two": ours}
            ),
            900,
        ),
    ]
    wrong = []
    for storage, expected in table:
        found = urls_of_copies.signed_life(storage, "a.txt")
        if (found and found.life) != expected:
            wrong.append((storage, found, expected))
    assert wrong == []


def _signer() -> Any:
    from botocore.signers import CloudFrontSigner

    return CloudFrontSigner("K1", lambda message: b"signed")


def test_a_private_file_has_no_open_url_while_it_waits(make_queue: Any, client: Any) -> None:
    queue = make_queue()
    queue.save("a/secret.pdf", ContentFile(b"%PDF"))
    url = queue.url("a/secret.pdf")
    assert url.startswith("/queued/")
    assert url.endswith("/secret.pdf")
    assert "/uploads/" not in url
    assert 890 < end_of(url) <= 900
    assert end_of(queue.url("a/secret.pdf", expire=60)) <= 60
    assert end_of(queue.url("a/secret.pdf", None, 60)) <= 60
    assert end_of(async_to_sync(queue.aurl)("a/secret.pdf", expire=60)) <= 60
    assert queue.url("a//secret.pdf").endswith("/secret.pdf")
    assert client.get(url).content_of() == b"%PDF"


def test_a_delayed_file_too_and_behind_every_wrapper(make_queue: Any, client: Any) -> None:
    queue = make_queue(delayed=True)
    for storage in (
        queue,
        ScopedStorage(queue, "b"),
        ReadOnlyStorage(queue),
        StorageDispatcher(ByPathPrefix({}, default="q"), storages={"q": queue}),
    ):
        saving = queue if isinstance(storage, ReadOnlyStorage) else storage
        name = saving.save("secret.txt", ContentFile(b"hello"))
        url = storage.url(name, expire=30)
        assert end_of(url) <= 30
        assert client.get(url).content_of() == b"hello"


def test_the_urls_of_public_files_stay_as_they_were(make_queue: Any) -> None:
    for options in (
        {"remote": SmartS3Storage(querystring_auth=False, **KEYS)},
        {"signed_urls": False},
    ):
        queue = make_queue(**options)
        name = queue.save("a.txt", ContentFile(b"hello"))
        assert queue.url(name, expire=60).startswith("/uploads/queued-")
    queue = make_queue(remote=FileSystemStorage("/remote"), signed_urls=True)
    assert queue.url(queue.save("b.txt", ContentFile(b"hello"))).startswith("/queued/")


def test_a_staging_bucket_signs_by_itself(make_queue: Any, monkeypatch: Any) -> None:
    queue = make_queue()
    name = queue.save("a.txt", ContentFile(b"hello"))
    monkeypatch.setattr(queue._local, "reference", SmartS3Storage(**{**PRIVATE, "location": "s"}))
    queue._local.forget()
    url = queue.url(name, expire=60)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["60"]


def test_urls_are_as_stable_as_the_remotes(make_queue: Any) -> None:
    queue = make_queue(remote=SmartS3Storage(url_stable_for=86400, **PRIVATE))
    name = queue.save("a.txt", ContentFile(b"hello"))
    assert queue.url(name) == queue.url(name)
    assert 900 < end_of(queue.url(name)) <= 86400 + 900


def test_without_the_view_the_url_is_refused_in_words(make_queue: Any, settings: Any) -> None:
    queue = make_queue()
    name = queue.save("a.txt", ContentFile(b"hello"))
    settings.ROOT_URLCONF = "tests.queued.no_urls"
    with pytest.raises(ConfigurationError, match=r"queued\.urls") as caught:
        queue.url(name)
    assert "'q'" in str(caught.value)
    assert queue.open(name).read() == b"hello"


def test_a_missing_view_is_checked(make_queue: Any, settings: Any, monkeypatch: Any) -> None:
    settings.SMART_STORAGE_TASKS = "inline"
    make_queue(key="signs")
    make_queue(key="public", signed_urls=False)
    make_queue(remote=Elsewhere(), key="nobody asks it")
    assert "Q013" not in ids(check_storages())
    settings.ROOT_URLCONF = "tests.queued.no_urls"
    (found,) = [each for each in check_storages() if each.id == "smart_storages.Q013"]
    assert "'signs' signs" in found.msg
    assert urls_of_copies.LINE in found.hint
    settings.ROOT_URLCONF = "tests.queued.not_there"  # Django's own checks tell
    assert "Q013" not in ids(check_storages())


def test_what_no_url_can_be_made_of_is_refused(make_queue: Any) -> None:
    queue = make_queue()
    name = queue.save("a.txt", ContentFile(b"hello"))
    for expire in (0, -1, True, "60", float("nan"), float("inf"), 10**400):
        with pytest.raises(ValueError, match="expire must be"):
            queue.url(name, expire=expire)
    for method in ("PUT", "DELETE", "POST"):
        with pytest.raises(ValueError, match="waits for its transfer"):
            queue.url(name, http_method=method)
    assert end_of(queue.url(name, parameters={"VersionId": 1, "ResponseExpires": object()})) > 0


def test_a_token_holds_in_its_own_ledger_only(make_queue: Any, client: Any) -> None:
    queue = make_queue()
    url = queue.url(queue.save("a.txt", ContentFile(b"hello")))
    LedgerIdentity.objects.update(value="another schema's, with a row of the same name")
    assert client.get(url).status_code == 403


def test_the_view_asks_as_the_tenant_for_whom_the_url_was_made(
    make_queue: Any, client: Any, monkeypatch: Any
) -> None:
    # As where a router sends each tenant's rows to a database of its own.
    monkeypatch.setattr(urls_of_copies, "orphan_prefix", lambda key: f"{key}-{current_tenant()}")
    queue = make_queue()
    with use_tenant("acme"):
        url = queue.url(queue.save("a.txt", ContentFile(b"hello")))
    assert client.get(url).content_of() == b"hello"
    with use_tenant("globex"):
        assert client.get(url).content_of() == b"hello"
    monkeypatch.setattr(urls_of_copies, "orphan_prefix", lambda key: "another")
    assert client.get(url).status_code == 403


def test_each_tenants_url_leads_to_its_own_file(
    tmp_path: Any, transactional_db: None, messages: list, client: Any
) -> None:
    queues = {}
    for tenant in ("acme", "globex"):
        local = FileSystemStorage(str(tmp_path / tenant))
        remote = SmartS3Storage(**{**PRIVATE, "location": tenant})
        queues[tenant] = DelayedStorage(local, remote, durable=False, key=tenant)
    storage = StorageDispatcher(ByTenant("{tenant}"), storages=queues)
    urls = {}
    for tenant in queues:
        with use_tenant(tenant):
            name = storage.save("same.txt", ContentFile(tenant.encode()))
            urls[tenant] = storage.url(name)
    for tenant, url in urls.items():
        assert client.get(url).content_of() == tenant.encode()
        assert urls_of_copies.read(url.split("/")[2]).tenant == tenant
        other = urls["globex" if tenant == "acme" else "acme"]
        body, signature = url.split("/")[2].rsplit(":", 1)
        mixed = other.split("/")[2].rsplit(":", 1)[0] + ":" + signature
        assert client.get(url.replace(f"{body}:{signature}", mixed)).status_code == 403


def test_a_file_on_its_way_and_gone_is_redirected_then_missing(
    make_queue: Any, client: Any, tmp_path: Any
) -> None:
    remote = FileSystemStorage(str(tmp_path / "remote"), base_url="/remote/")
    queue = make_queue(remote=remote, signed_urls=True)
    name = queue.save("a.txt", ContentFile(b"hello"))
    url = queue.url(name)
    assert broker.deliver() == ["done"]
    answer = client.get(url)
    assert (answer.status_code, answer["Location"]) == (302, "/remote/a.txt")
    queue.delete(name)
    assert client.get(url).status_code == 404


def test_a_private_disk_of_the_default_kind_needs_no_base_url(
    transactional_db: None, messages: list, settings: Any, tmp_path: Any, client: Any
) -> None:
    settings.MEDIA_URL = None
    for options in (PRIVATE, {"querystring_auth": False, **KEYS}):
        remote = SmartS3Storage(**options)
        queue = QueuedStorage(DISK, remote, {"location": str(tmp_path / "l")}, key="q")
        name = queue.save("a.txt", ContentFile(b"hello"))
        with pytest.raises(ValueError, match="not accessible via a URL"):
            queue.local.url(name)
        assert client.get(queue.url(name)).content_of() == b"hello"
    settings.ROOT_URLCONF = "tests.queued.no_urls"
    with pytest.raises(ValueError, match="not accessible via a URL"):
        queue.url(name)


def test_a_module_that_another_server_serves_does_not_sign(tmp_path: Any) -> None:
    served = {"base_url": "https://files.example.com/"}
    for more, signs in (({}, True), (served, False)):
        storage = SmartS3Storage("media", backend="filesystem", root=str(tmp_path), **more)
        assert (urls_of_copies.signed_life(storage) is not None) is signs
