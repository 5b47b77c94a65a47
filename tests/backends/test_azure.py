"""Files in Azure, against Azurite: one client an account, few requests, and no secret told."""

from __future__ import annotations

import os
import signal
import threading
import urllib.request
from urllib.error import HTTPError

import pytest
from django.core.files.base import ContentFile
from django.views.debug import ExceptionReporter

from smart_storages.backends import azure_accounts
from smart_storages.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ConfigurationError,
    ObjectChangedError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import MediaStorage, SmartS3Storage
from smart_storages.utils import create_storage_class, get_storage
from tests.conftest import lead_to

MEBIBYTE = 1024**2


@pytest.fixture
def storage(options):
    return SmartS3Storage("media", location="in", file_overwrite=False, **options)


@pytest.fixture
def requests(storage, monkeypatch):
    """The requests that are sent from now on: their methods, and what of them was asked for."""
    from azure.core.pipeline.transport import RequestsTransport

    sent = []
    send = RequestsTransport.send

    def note(self, request, **kwargs):
        sent.append((request.method, request.headers.get("x-ms-range", "")))
        return send(self, request, **kwargs)

    monkeypatch.setattr(RequestsTransport, "send", note)
    return sent


def save(storage, name, content=b"x"):
    return storage.save(name, ContentFile(content))


def read(storage, name):
    with storage.open(name) as file:
        return file.read()


# Requests


def test_each_operation_takes_one_request(storage, requests):
    name = save(storage, "a.txt", b"hello")
    assert read(storage, name) == b"hello"
    assert storage.exists(name)
    assert storage.size(name) == 5
    storage.delete(name)
    assert [method for method, _ in requests] == ["PUT", "GET", "HEAD", "HEAD", "DELETE"]


def test_a_url_takes_no_request(storage, requests):
    storage.url("a.txt")
    assert requests == []


def test_a_large_file_is_read_in_few_ranges_and_only_where_it_is_needed(storage, requests):
    content = os.urandom(20 * MEBIBYTE)
    name = save(storage, "big.bin", content)
    del requests[:]
    assert read(storage, name) == content
    assert len(requests) == 3
    del requests[:]
    with storage.open(name) as file:
        file.seek(-10, 2)
        assert file.read() == content[-10:]
    assert [asked for _, asked in requests] == ["bytes=0-4194303", "bytes=20971510-20971519"]


def test_a_large_file_appears_whole_or_not_at_all(storage):
    class Broken(ContentFile):
        def read(self, size=-1):
            if self.tell() > 15 * MEBIBYTE:
                raise ZeroDivisionError
            return super().read(size)

    with pytest.raises(ZeroDivisionError):
        storage.save("big.bin", Broken(b"x" * 30 * MEBIBYTE))
    assert not storage.exists("big.bin")


@pytest.mark.parametrize("size", [5, 12_000_000])
def test_of_many_savers_of_one_name_each_keeps_its_file(storage, size):
    names = []

    def write(number):
        names.append((save(storage, "one.bin", b"%d" % number * size), number))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({name for name, _ in names}) == 4
    for name, number in names:
        assert read(storage, name)[:1] == b"%d" % number
        assert storage.size(name) == size


def test_a_file_that_is_replaced_while_it_is_read_is_an_error(storage, options):
    name = save(storage, "big.bin", b"1" * 20 * MEBIBYTE)
    other = SmartS3Storage("media", location="in", **options)
    with storage.open(name) as file:
        file.read(10)
        save(other, name, b"2" * 20 * MEBIBYTE)
        with pytest.raises(ObjectChangedError):
            file.read()
    with storage.open(name) as file:
        file.read(10)
        storage.delete(name)
        with pytest.raises(ObjectChangedError, match="replaced or deleted while"):
            file.read()


# Clients


def test_fifty_tenants_share_one_client(settings, azurite, container):
    settings.AZURE_CONNECTION_STRING = azurite.connection_string
    settings.SMART_STORAGE_BUCKETS = {
        "tenant_*": {"backend": "azure", "bucket_name": container, "location": "{module}/"}
    }
    before = len(azure_accounts._accounts)
    for number in range(50):
        save(create_storage_class(f"tenant_{number}")(), "a.txt", b"%d" % number)
    assert len(azure_accounts._accounts) - before <= 1
    assert read(get_storage("tenant_7"), "a.txt") == b"7"


def test_a_forked_child_makes_a_client_of_its_own(storage):
    save(storage, "a.txt", b"hello")
    assert azure_accounts._accounts
    # As by a thread, which the child does not have.
    with azure_accounts._making:
        pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        fine = not azure_accounts._accounts and read(storage, "a.txt") == b"hello"
        os._exit(0 if fine else 1)
    assert (
        os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        if hasattr(os, "waitstatus_to_exitcode")
        else True
    )
    assert read(storage, "a.txt") == b"hello"


def test_names_are_as_azure_can_keep_them_whatever_the_provider_of_s3(settings, options):
    settings.SMART_STORAGE_PROVIDER = "b2"  # which cannot refuse a name that is taken
    storage = SmartS3Storage("media", file_overwrite=False, **options)
    assert save(storage, "a.txt") == "a.txt"
    assert save(storage, "a.txt") != "a.txt"


# Where the account comes from


def test_the_settings_of_django_storages_are_the_defaults(settings, azurite, container):
    settings.SMART_STORAGE_BACKEND = "azure"
    settings.AWS_STORAGE_BUCKET_NAME = "a-bucket-of-s3"
    settings.AZURE_CONTAINER = container
    settings.AZURE_CONNECTION_STRING = azurite.connection_string
    media = MediaStorage()
    assert media.bucket_name == container
    save(media, "a.txt", b"x")
    assert read(media, "a.txt") == b"x"
    assert MediaStorage(bucket_name="other").bucket_name == "other"


def test_a_module_with_credentials_takes_none_from_the_settings(settings, azurite, container):
    settings.AZURE_CONNECTION_STRING = azurite.connection_string
    settings.SMART_STORAGE_BUCKETS = {
        "own": {"backend": "azure", "bucket_name": container, "account_name": "other"},
        "default": {"backend": "azure", "bucket_name": container},
    }
    own, default = get_storage("own"), get_storage("default")
    assert own.connection_string is None
    assert own.account_name == "other"
    assert default.connection_string == azurite.connection_string


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "'account_name' is missing: .* Set account_name and account_key"),
        ({"account_name": "acme", "bucket_name": None}, "'media' has no container"),
        ({"connection_string": "hunter2"}, "'connection_string' cannot be read"),
    ],
)
def test_what_is_missing_is_told(options, match):
    storage = SmartS3Storage("media", backend="azure", **{"bucket_name": "acme", **options})
    with pytest.raises(ConfigurationError, match=match) as caught:
        storage.exists("a.txt")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bucket_name": "Acme_Media"}, "'bucket_name'.* a container of Azure has 3 to 63"),
        ({"root": "/files"}, "'root'.* is an option of the backend 'filesystem'"),
        ({"account_key": 5}, "'account_key'.* must be str"),
        ({"azure_container": "acme"}, "'azure_container'.* is not an option"),
    ],
)
def test_options_that_do_not_fit_are_refused(settings, options, match):
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"backend": "azure", "bucket_name": "acme", **options}
    }
    with pytest.raises(ConfigurationError, match=rf"SMART_STORAGE_BUCKETS\['media'\].*{match}"):
        MediaStorage().exists("a.txt")


def test_an_account_belongs_to_azure_alone(settings):
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme", "account_name": "acme"}}
    with pytest.raises(ConfigurationError, match="an option of the backend 'azure'"):
        MediaStorage().exists("a.txt")


def test_a_setting_of_the_wrong_type_is_told(settings):
    settings.AZURE_ACCOUNT_NAME = 5
    storage = SmartS3Storage("media", backend="azure", bucket_name="acme")
    with pytest.raises(ConfigurationError, match="AZURE_ACCOUNT_NAME must be str, not int"):
        storage.exists("a.txt")


# Errors


def test_the_errors_are_those_of_s3(storage, options, azurite, container):
    missing = SmartS3Storage("media", **{**options, "bucket_name": "no-such-container"})
    places = r"module 'media', bucket 'no-such-container', key 'a.txt'"
    for use in (
        lambda: missing.exists("a.txt"),
        lambda: save(missing, "a.txt"),
        lambda: missing.open("a.txt"),
        lambda: missing.delete("a.txt"),
    ):
        with pytest.raises(BucketNotFoundError, match=places):
            use()
    with pytest.raises(BucketNotFoundError):
        list(missing.iter_files())
    wrong = azurite.connection_string.replace(azurite.account_key, "aHVudGVyMg==")
    stranger = SmartS3Storage("media", **{**options, "connection_string": wrong})
    with pytest.raises(AccessDeniedError) as caught:
        read(stranger, "a.txt")
    assert caught.value.status == 403
    assert "aHVudGVyMg" not in f"{caught.value!r}{caught.value}{caught.value.__dict__}"
    nowhere = azurite.connection_string.replace(azurite.endpoint_url, "http://127.0.0.1:9/x")
    silent = SmartS3Storage(
        "media",
        **{**options, "connection_string": nowhere},
        client_options={"retry_total": 0},
    )
    with pytest.raises(UnreachableError):
        silent.exists("a.txt")


def test_no_secret_is_printed_or_deconstructed(storage, azurite):
    shown = f"{storage!r} {vars(storage)} {storage.deconstruct()}"
    assert azurite.account_key not in shown


# URLs


def fetch(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read(), answer.headers
    except HTTPError as error:
        return error.code, b"", error.headers


def test_a_signed_url_gives_the_file_and_nothing_else_does(storage):
    name = save(storage, "ä b.txt", b"hello")
    save(storage, "other.txt")
    url = storage.url(name)
    assert fetch(url)[:2] == (200, b"hello")
    assert fetch(url.partition("?")[0])[0] in {403, 404}
    assert fetch(url.replace("b.txt", "c.txt"))[0] == 403
    assert fetch(url.replace("se=2", "se=3"))[0] == 403
    assert fetch(url.replace("sp=r", "sp=rw"))[0] == 403


def test_parameters_of_the_url_change_the_answer(storage):
    name = save(storage, "a.txt", b"hello")
    parameters = {"ResponseContentDisposition": "attachment", "ResponseContentType": "text/csv"}
    _, _, headers = fetch(storage.url(name, parameters=parameters))
    assert headers["Content-Disposition"] == "attachment"
    assert headers["Content-Type"] == "text/csv"
    with pytest.raises(ValueError, match="VersionId"):
        storage.url(name, parameters={"VersionId": "1"})
    with pytest.raises(ValueError, match="7 days"):
        storage.url(name, expire=700_000)


def test_a_url_can_be_unsigned_stable_and_of_a_cdn(options):
    plain = SmartS3Storage("m", querystring_auth=False, custom_domain="cdn.example.com", **options)
    assert plain.url("a b.txt").startswith("http://cdn.example.com/")
    assert plain.url("a b.txt").endswith("/a%20b.txt")
    stable = SmartS3Storage("m", url_stable_for=86_400, **options)
    assert stable.url("a.txt") == stable.url("a.txt")


def test_an_upload_of_a_browser_cannot_be_limited_there(storage):
    with pytest.raises(ConfigurationError, match="is in Azure, where no upload of a browser"):
        storage.presigned_put("a.png", size=5, content_type="image/png")


def test_a_url_needs_a_key_to_sign_with(container):
    storage = SmartS3Storage(
        "m", backend="azure", bucket_name=container, account_name="acme", sas_token="sv=1&sig=x"
    )
    with pytest.raises(ConfigurationError, match="needs the account_key or a token_credential"):
        storage.url("a.txt")


def test_without_a_key_a_delegated_one_signs(container, monkeypatch):
    # Azurite gives delegation keys over TLS and to tokens of Azure alone, so this asks a stub.
    from azure.storage.blob import UserDelegationKey

    key = UserDelegationKey()
    key.signed_oid = key.signed_tid = "00000000-0000-0000-0000-000000000000"
    key.signed_start, key.signed_expiry = "2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z"
    key.signed_service, key.signed_version, key.value = "b", "2024-11-04", "aHVudGVyMg=="
    asked = []
    monkeypatch.setattr(
        azure_accounts._Account,
        "get_user_delegation_key",
        lambda self, expiry: asked.append(expiry) or key,
    )

    class Token:
        def get_token(self, *scopes, **options):
            raise AssertionError("no request is needed")

    storage = SmartS3Storage(
        "m", backend="azure", bucket_name=container, account_name="acme", token_credential=Token()
    )
    url = storage.url("a.txt")
    assert url.startswith(f"https://acme.blob.core.windows.net/{container}/a.txt?")
    assert f"skoid={key.signed_oid}" in url
    assert len(asked) == 1
    assert asked[0].tzinfo is None


def test_blocks_of_two_writers_are_never_mixed(options):
    storage = SmartS3Storage("media", **options)
    failed = []

    def write(number):
        try:
            save(storage, "one.bin", b"%d" % number * 20 * MEBIBYTE)
        except S3Error as error:
            failed.append(error)

    for _ in range(3):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        content = read(storage, "one.bin")
        assert content == content[:1] * 20 * MEBIBYTE
    # Whoever was overtaken is told; nobody is told that a file was saved which was not.
    assert all("Another writer saved the file meanwhile" in str(error) for error in failed)


@pytest.mark.parametrize(
    "options",
    [
        {"account_name": "acme", "account_key": "hunter2!"},
        {"account_name": "acme", "account_key": "hunter2!", "client_options": {"nonsense": 1}},
        {"account_name": "a/b?c", "account_key": "hunter2!", "endpoint_suffix": "://["},
        {"connection_string": "AccountName=acme;AccountKey=hunter2!;EndpointSuffix=x"},
        {"client_options": {"proxies": {"https": "http://joe:hunter2@proxy:3128"}}},
    ],
)
def test_no_debug_page_shows_a_key(options):
    storage = SmartS3Storage("media", backend="azure", bucket_name="acme", **options)
    for use in (lambda: storage.url("a.txt"), lambda: storage.exists("a.txt")):
        try:
            use()
        except Exception as error:
            trace = error.__traceback__.tb_next.tb_next  # without the frames of this test
            page = ExceptionReporter(None, type(error), error, trace).get_traceback_html()
            assert "hunter2" not in page


def test_a_compressed_file_stays_so_on_its_way_to_s3_and_back(
    settings, moto_server, moto_bucket, options
):
    lead_to(settings, moto_server)
    azure = SmartS3Storage("azure", gzip=True, **options)
    s3 = SmartS3Storage("s3", gzip=True, bucket_name=moto_bucket.name, provider="moto")
    content = b"x" * 5_000
    azure.save("a.css", ContentFile(content))
    azure.copy("a.css", "b.css", to=s3)
    s3.copy("b.css", "c.css", to=azure)
    for storage, name in ((azure, "a.css"), (s3, "b.css"), (azure, "c.css")):
        assert storage.stat(name).content_encoding == "gzip"
        assert storage.size(name) < 500
        assert read(storage, name) == content
