"""Files in Google Cloud Storage: one connection, few requests, one version, no secret told."""

from __future__ import annotations

import json
import logging
import os
import threading
import urllib.request
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.views.debug import ExceptionReporter
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import RefreshError

from smart_storages.backends import gcs_requests
from smart_storages.checks.buckets import check_buckets
from smart_storages.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    ConfigurationError,
    ContentMismatchError,
    ObjectChangedError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import MediaStorage, SmartS3Storage
from smart_storages.utils import create_storage_class, get_storage
from tests.servers import S3Proxy
from tests.servers.gcs import service_account

MEBIBYTE = 1024**2


@pytest.fixture
def bucket(gcs):
    return gcs.create_bucket()


@pytest.fixture
def options(gcs, bucket):
    return {**gcs.options, "bucket_name": bucket}


@pytest.fixture
def storage(options):
    return SmartS3Storage("media", location="in", file_overwrite=False, **options)


@pytest.fixture
def proxy(gcs):
    with S3Proxy(gcs.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def watched(options, proxy):
    """A storage whose requests the proxy sees."""
    seen = {**options, "endpoint_url": proxy.endpoint_url}
    return SmartS3Storage("media", location="in", file_overwrite=False, **seen)


def save(storage, name, content=b"x"):
    return storage.save(name, ContentFile(content))


def read(storage, name):
    with storage.open(name) as file:
        return file.read()


# Requests


def test_each_operation_takes_one_request(watched, proxy):
    name = save(watched, "a.txt", b"hello")
    assert read(watched, name) == b"hello"
    assert watched.exists(name)
    assert watched.size(name) == 5
    assert watched.listdir("") == ([], ["a.txt"])
    watched.delete(name)
    sent = [request.method for request in proxy.requests]
    assert sent == ["POST", "GET", "GET", "GET", "GET", "DELETE"]


def test_a_url_takes_no_request(watched, proxy):
    watched.url("a.txt")
    assert proxy.requests == []


def test_a_large_file_is_read_in_few_ranges_and_only_where_it_is_needed(watched, proxy):
    content = os.urandom(20 * MEBIBYTE)
    name = save(watched, "big.bin", content)
    proxy.reset()
    assert read(watched, name) == content
    assert len(proxy.requests) == 3
    proxy.reset()
    with watched.open(name) as file:
        file.seek(-10, 2)
        assert file.read() == content[-10:]
    asked = [request.headers["range"] for request in proxy.requests]
    assert asked == ["bytes=0-4194303", "bytes=20971510-20971519"]


def test_a_large_file_is_written_in_few_requests_of_which_each_has_the_condition(watched, proxy):
    save(watched, "big.bin", b"x" * 20 * MEBIBYTE)
    begun, *parts = proxy.requests
    assert begun.query["uploadType"] == "resumable"
    assert begun.query["ifGenerationMatch"] == "0"
    assert [part.headers["content-range"] for part in parts] == [
        "bytes 0-8388607/*",
        "bytes 8388608-16777215/*",
        "bytes 16777216-20971519/20971520",
    ]
    proxy.reset()
    save(watched, "a.txt")
    assert [request.query["ifGenerationMatch"] for request in proxy.requests] == ["0"]


def test_parts_have_the_size_of_the_option(options, proxy):
    seen = {**options, "endpoint_url": proxy.endpoint_url, "blob_chunk_size": 262_144}
    storage = SmartS3Storage("media", **seen)
    save(storage, "a.bin", b"x" * 600_000)
    assert len(proxy.requests) == 4
    assert read(storage, "a.bin") == b"x" * 600_000


def test_more_files_than_a_page_has_are_listed_in_order(gcs, storage, monkeypatch):
    names = sorted(f"{number % 3}/{number:03}.txt" for number in range(10))
    for name in names:
        save(storage, name)
    ask = gcs_requests.GoogleConnection.send

    def in_small_pages(self, method, path, query=None, **more):
        if query and "pageToken" in query:
            query = {**query, "maxResults": 2}
        return ask(self, method, path, query, **more)

    monkeypatch.setattr(gcs_requests.GoogleConnection, "send", in_small_pages)
    assert [name for name, _ in storage.iter_files()] == names
    assert storage.listdir("") == (["0", "1", "2"], [])


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
        assert read(storage, name) == b"%d" % number * size


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


def test_what_is_stored_compressed_is_read_as_it_is_stored(storage, options):
    packed = SmartS3Storage("media", location="in", gzip=True, **options)
    packed.save("a.css", ContentFile(b"body{}" * 1000))
    stat = storage.stat("a.css")
    assert stat.content_encoding == "gzip"
    assert stat.size < 6000
    assert read(packed, "a.css") == b"body{}" * 1000
    assert read(storage, "a.css")[:2] == b"\x1f\x8b"


def test_metadata_is_the_same_opened_and_asked_for(options):
    parameters = {"Metadata": {"By-Whom": "ada"}, "CacheControl": "max-age=60"}
    storage = SmartS3Storage("m", object_parameters=parameters, file_overwrite=False, **options)
    name = save(storage, "a.txt")
    opened = storage._open_key(storage.get_key(name)).stat
    assert opened == storage.stat(name)
    assert opened.metadata == {"by-whom": "ada"}
    assert opened.etag == "9dd4e461268c8034f5c8564e155c67a6"  # the MD5 of "x", as in S3


# Lost answers and servers that fail


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr("smart_storages.common.on_loop.sleep", lambda seconds: None)


def test_an_answer_that_is_lost_makes_no_second_file(watched, storage, proxy, at_once):
    proxy.inject(method="POST", lose_answer=True)
    assert save(watched, "a.txt", b"hello") == "a.txt"
    assert storage.listdir("") == ([], ["a.txt"])
    assert len(proxy.requests) == 3  # sent, sent again and refused, looked at
    assert storage.stat("a.txt").metadata == {}


@pytest.mark.parametrize(
    "harm", [{"status": 503}, {"lose_answer": True}, {"cut_after": 3}, {"truncate_to": 2}]
)
def test_a_download_that_breaks_is_asked_for_again(watched, proxy, at_once, harm):
    name = save(watched, "a.txt", b"hello")
    proxy.inject(method="GET", **harm)
    assert read(watched, name) == b"hello"


def test_a_download_with_other_bytes_is_an_error(watched, proxy):
    name = save(watched, "a.txt", b"hello")
    proxy.inject(method="GET", corrupt_at=2)
    with pytest.raises(ContentMismatchError, match="Other bytes came"):
        read(watched, name)


def test_a_service_that_goes_on_failing_is_asked_four_times(watched, proxy, at_once):
    proxy.inject(method="GET", status=503, times=None)
    with pytest.raises(OSError, match="asked to slow down"):
        watched.exists("a.txt")
    assert len(proxy.requests) == 4


def test_a_file_that_is_moved_onto_itself_under_another_address_stays(options, proxy):
    one = SmartS3Storage("one", **options)
    other = SmartS3Storage("other", **{**options, "endpoint_url": proxy.endpoint_url})
    for content in (b"small", os.urandom(9 * MEBIBYTE)):
        save(one, "a.bin", content)
        assert one.move("a.bin", "a.bin", to=other) == "a.bin"
        assert read(one, "a.bin") == content
        assert one.move("a.bin", "b.bin", to=other) == "b.bin"
        assert not one.exists("a.bin")


def test_a_file_that_is_moved_onto_itself_by_the_protocol_of_s3_stays(options, moto_server):
    gcs = SmartS3Storage("one", **options)
    moto_server.client().create_bucket(Bucket=gcs.bucket_name)
    for provider, stays in (("gcs", True), ("moto", False)):
        s3 = SmartS3Storage(
            "other",
            bucket_name=gcs.bucket_name,
            provider=provider,
            endpoint_url=moto_server.endpoint_url,
            access_key=moto_server.access_key,
            secret_key=moto_server.secret_key,
        )
        for source, target in ((gcs, s3), (s3, gcs)):
            save(source, "a.txt", b"hello")
            assert source.move("a.txt", "a.txt", to=target) == "a.txt"
            assert source.exists("a.txt") == stays


def test_no_log_shows_what_an_upload_is_known_by(storage, caplog):
    with caplog.at_level(logging.DEBUG):
        save(storage, "a.bin", bytes(9 * MEBIBYTE))
    texts = [logging.Formatter().format(record) for record in caplog.records]
    assert any("upload_id=***" in text for text in texts)
    assert not [text for text in texts if "upload_id=" in text.replace("upload_id=***", "")]


# Connections


def test_fifty_tenants_share_one_connection(settings, gcs, bucket):
    settings.GS_CREDENTIALS = service_account()
    settings.SMART_STORAGE_BUCKETS = {
        "tenant_*": {
            "backend": "gcs",
            "bucket_name": bucket,
            "endpoint_url": gcs.endpoint_url,
            "location": "{module}/",
        }
    }
    before = len(gcs_requests._connections)
    for number in range(50):
        save(create_storage_class(f"tenant_{number}")(), "a.txt", b"%d" % number)
    assert len(gcs_requests._connections) - before <= 1
    assert read(get_storage("tenant_7"), "a.txt") == b"7"


def test_a_forked_child_makes_a_connection_of_its_own(storage):
    save(storage, "a.txt", b"hello")
    assert gcs_requests._connections
    pid = os.fork()
    if pid == 0:
        fine = not gcs_requests._connections and read(storage, "a.txt") == b"hello"
        os._exit(0 if fine else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert read(storage, "a.txt") == b"hello"


def test_a_file_that_was_open_before_a_fork_is_read_over_another_connection(watched, proxy):
    content = os.urandom(13 * MEBIBYTE)
    save(watched, "a.bin", content)
    with watched.open("a.bin") as file:
        file.read(1)
        before = proxy.connections
        pid = os.fork()
        if pid == 0:
            os._exit(0 if file.read() == content[1:] else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert proxy.connections == before + 1
        assert file.read() == content[1:]
        assert proxy.connections == before + 1


def test_a_password_of_the_host_is_not_sent_in_place_of_the_token(
    watched, proxy, tmp_path, monkeypatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin ada\npassword hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    watched.exists("a.txt")
    assert proxy.requests[0].headers["authorization"].startswith("Bearer ")


# Where credentials come from


def test_the_settings_of_django_storages_are_the_defaults(settings, bucket):
    settings.SMART_STORAGE_BACKEND = "gcs"
    settings.AWS_STORAGE_BUCKET_NAME = "a-bucket-of-s3"
    settings.AWS_S3_ENDPOINT_URL = "http://127.0.0.1:9"
    settings.GS_BUCKET_NAME = bucket
    settings.GS_CREDENTIALS = service_account()
    settings.GS_PROJECT_ID = "press"
    settings.GS_CUSTOM_ENDPOINT = "https://cdn.example.com"
    media = MediaStorage()
    assert (media.bucket_name, media.project_id) == (bucket, "press")
    assert media.url("a.txt").startswith("https://cdn.example.com/media/a.txt?X-Goog-")
    assert MediaStorage(bucket_name="other").bucket_name == "other"
    assert MediaStorage(custom_endpoint=None).custom_endpoint == "https://cdn.example.com"


def test_the_emulator_of_the_environment_is_used_as_by_the_libraries_of_google(
    gcs, bucket, monkeypatch
):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint_url.partition("://")[2])
    storage = SmartS3Storage("media", backend="gcs", bucket_name=bucket)
    save(storage, "a.txt", b"hello")
    assert read(storage, "a.txt") == b"hello"


def test_a_module_with_credentials_takes_none_from_the_settings(settings):
    settings.GS_CREDENTIALS = service_account()
    settings.GS_SA_EMAIL = "signer@example.com"
    settings.GS_BUCKET_NAME = "acme"
    own = AnonymousCredentials()
    settings.SMART_STORAGE_BUCKETS = {
        "own": {"backend": "gcs", "credentials": own},
        "default": {"backend": "gcs"},
    }
    assert get_storage("own").credentials is own
    assert get_storage("own").sa_email is None
    assert get_storage("default").credentials is service_account()
    assert get_storage("default").sa_email == "signer@example.com"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "no credentials of Google, and the environment has none"),
        ({"bucket_name": None}, "has no bucket"),
        (
            {"credentials": "tests.no_such.function"},
            "Its credentials cannot be made: No module named",
        ),
        ({"credentials": dict}, "or a function that returns one, not dict"),
    ],
)
def test_what_is_missing_is_told(options, match):
    storage = SmartS3Storage("media", backend="gcs", **{"bucket_name": "acme", **options})
    with pytest.raises(ConfigurationError, match=rf"The module 'media'.*{match}"):
        storage.exists("a.txt")


def fail_for_a_file():
    return Path("/no/such/key.json").read_text("ascii")


def fail_with_a_secret():
    raise ValueError("-".join(("hunter", "two")))


class Failing(AnonymousCredentials):
    """Credentials whose token is in a file that is missing."""

    def before_request(self, *args):
        fail_for_a_file()


@pytest.mark.parametrize(
    ("credentials", "match"),
    [
        (fail_for_a_file, "cannot be made: No such file or directory: '/no/such/key.json'"),
        (fail_with_a_secret, r"cannot be made: ValueError \(raised in fail_with_a_secret"),
        (Failing(), r"not sent: FileNotFoundError \(raised in "),
    ],
    ids=["file", "text", "token"],
)
def test_credentials_that_fail_are_no_missing_file(bucket, gcs, credentials, match):
    storage = SmartS3Storage(
        "media",
        backend="gcs",
        bucket_name=bucket,
        endpoint_url=gcs.endpoint_url,
        credentials=credentials,
    )
    uses = [lambda: storage.exists("a.txt"), lambda: save(storage, "a.txt")]
    for use in uses:
        with pytest.raises((ConfigurationError, S3Error), match=match) as caught:
            use()
        assert not isinstance(caught.value, ObjectNotFoundError)
        assert "hunter-two" not in str(caught.value)


def test_a_file_of_the_environment_that_has_no_credentials_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    storage = SmartS3Storage("media", backend="gcs", bucket_name="acme")
    with pytest.raises(ConfigurationError, match=r"CREDENTIALS is '.*key\.json', and that is not"):
        storage.exists("a.txt")


def test_a_key_that_is_given_in_place_of_credentials_is_not_shown(settings):
    key = json.dumps({"private_key": "hunter2. {x}"})
    for credentials in (key, "/etc/key.json", json.loads(key)):
        settings.SMART_STORAGE_BUCKETS = {
            "media": {"backend": "gcs", "bucket_name": "acme", "credentials": credentials}
        }
        with pytest.raises(ConfigurationError, match="from_service_account_file") as caught:
            MediaStorage().exists("a.txt")
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in repr(check_buckets())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bucket_name": "Acme_Media"}, "'bucket_name'.* a bucket of Google Cloud has 3 to 63"),
        ({"root": "/files"}, "'root'.* is an option of the backend 'filesystem'"),
        ({"account_key": "k"}, "'account_key'.* is an option of the backend 'azure'"),
        ({"iam_sign_blob": "yes"}, "'iam_sign_blob'.* must be bool"),
        ({"blob_chunk_size": 1_000_000}, "'blob_chunk_size'.* multiples of 262,144.* 786432"),
        ({"custom_endpoint": "cdn.example.com"}, "'custom_endpoint'.* must start with http"),
        ({"custom_endpoint": "https://a:b@cdn.example.com"}, "'custom_endpoint'.* a user name"),
        ({"credentials": 5}, "'credentials'.* must be a callable or a dotted path"),
        ({"gs_bucket": "acme"}, "'gs_bucket'.* is not an option"),
    ],
)
def test_options_that_do_not_fit_are_refused(settings, options, match):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "gcs", "bucket_name": "acme", **options}}
    with pytest.raises(ConfigurationError, match=rf"SMART_STORAGE_BUCKETS\['media'\].*{match}"):
        MediaStorage().exists("a.txt")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"project_id": "press"}, "an option of the backend 'gcs'"),
        ({"credentials": AnonymousCredentials()}, "credentials of Google, and the backend .* 's3'"),
    ],
)
def test_what_belongs_to_google_is_refused_in_s3(settings, options, match):
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme", **options}}
    with pytest.raises(ConfigurationError, match=match):
        MediaStorage().exists("a.txt")


def test_a_setting_of_the_wrong_type_is_told(settings):
    settings.GS_PROJECT_ID = 5
    storage = SmartS3Storage("media", backend="gcs", bucket_name="acme")
    with pytest.raises(ConfigurationError, match="GS_PROJECT_ID must be str, not int"):
        storage.exists("a.txt")


def test_packages_that_are_missing_are_told(settings, monkeypatch):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "gcs", "bucket_name": "acme"}}
    monkeypatch.setattr("smart_storages.config.gcs_problems.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"\['backend'\] is 'gcs', which needs .*\[gcs\]"):
        MediaStorage().exists("a.txt")


# Errors


def test_the_errors_are_those_of_s3(options, monkeypatch, at_once):
    missing = SmartS3Storage("media", **{**options, "bucket_name": "no-such-bucket"})
    places = r"module 'media', bucket 'no-such-bucket', key 'a.txt'"
    for use in (
        lambda: missing.exists("a.txt"),
        lambda: save(missing, "a.txt"),
        lambda: save(missing, "a.txt", b"x" * 9 * MEBIBYTE),
        lambda: missing.open("a.txt"),
        lambda: missing.delete("a.txt"),
    ):
        with pytest.raises(BucketNotFoundError, match=places):
            use()
    with pytest.raises(BucketNotFoundError):
        list(missing.iter_files())
    silent = SmartS3Storage("media", **{**options, "endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(UnreachableError, match=r"did not answer \(ConnectionError\)"):
        silent.exists("a.txt")


class Refused(AnonymousCredentials):
    """Credentials for which Google gives no token."""

    hunter2 = "hunter2"

    def before_request(self, request, method, url, headers):
        headers["authorization"] = "Bearer hunter2"
        raise RefreshError("hunter2", {"error": "hunter2"})


class Wrong(AnonymousCredentials):
    """Credentials that fail in a way nobody foresaw."""

    def before_request(self, request, method, url, headers):
        headers["authorization"] = "Bearer hunter2"


def page_of(use):
    try:
        use()
    except Exception as error:
        trace = error.__traceback__.tb_next.tb_next  # without the frames of this test
        return ExceptionReporter(None, type(error), error, trace).get_traceback_html()
    raise AssertionError("no error")


def test_no_debug_page_shows_a_token(options, at_once):
    refused = SmartS3Storage("media", **{**options, "credentials": Refused()})
    with pytest.raises(AccessDeniedError, match=r"no token for the credentials \(RefreshError\)"):
        refused.exists("a.txt")
    nowhere = {"credentials": Wrong(), "endpoint_url": "http://127.0.0.1:9"}
    silent = SmartS3Storage("media", **{**options, **nowhere})
    for storage in (refused, silent):
        for use in (lambda: storage.exists("a"), lambda: storage.save("a", ContentFile(b"x"))):  # noqa: B023
            assert "hunter2" not in page_of(use)


def test_no_secret_is_printed_or_deconstructed(storage):
    given = SmartS3Storage("media", backend="gcs", credentials=service_account())
    for each in (storage, given):
        shown = f"{each!r} {vars(each)} {each.deconstruct()}"
        assert "PRIVATE KEY" not in shown
    assert "credentials" not in given.deconstruct()[2]


# URLs


def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.status, answer.read()


def test_a_signed_url_leads_to_the_file(storage):
    name = save(storage, "ä b.txt", b"hello")
    assert fetch(storage.url(name)) == (200, b"hello")


def test_parameters_of_the_url_are_those_that_google_has(storage):
    url = storage.url("a", parameters={"ResponseContentDisposition": "attachment; x"})
    assert "response-content-disposition=attachment%3B%20x" in url
    with pytest.raises(ValueError, match="VersionId"):
        storage.url("a.txt", parameters={"VersionId": "1"})
    with pytest.raises(ValueError, match="7 days"):
        storage.url("a.txt", expire=700_000)


def test_a_url_can_be_unsigned_stable_and_of_a_cdn(options):
    plain = SmartS3Storage("m", querystring_auth=False, **options)
    assert plain.url("a b.txt") == f"{options['endpoint_url']}/{plain.bucket_name}/a%20b.txt"
    cdn = SmartS3Storage(
        "m", querystring_auth=False, custom_endpoint="https://cdn.example.com/", **options
    )
    assert cdn.url("a b.txt") == "https://cdn.example.com/a%20b.txt"
    stable = SmartS3Storage("m", url_stable_for=86_400, **options)
    assert stable.url("a.txt") == stable.url("a.txt")


def test_a_url_needs_a_key_to_sign_with(options):
    storage = SmartS3Storage("media", **{**options, "credentials": AnonymousCredentials()})
    with pytest.raises(ConfigurationError, match=r"'media'.* private key of a service account"):
        storage.url("a.txt")
    asking = SmartS3Storage(
        "media", iam_sign_blob=True, **{**options, "credentials": AnonymousCredentials()}
    )
    with pytest.raises(ConfigurationError, match="Set sa_email or GS_SA_EMAIL"):
        asking.url("a.txt")


def test_a_put_of_a_browser_cannot_be_limited_there_and_a_form_can(storage):
    with pytest.raises(ConfigurationError, match=r"in Google Cloud Storage, .* Use presigned_post"):
        storage.presigned_put("a.png", size=5, content_type="image/png")
    form = storage.presigned_post("a.png", max_size=5, content_type="image/png")
    assert form["method"] == "POST"
    assert form["fields"]["key"] == "in/a.png"
    assert "acl" not in form["fields"]


# Who may read


def test_a_file_is_public_only_where_the_module_says_so(options, proxy):
    seen = {**options, "endpoint_url": proxy.endpoint_url}
    save(SmartS3Storage("m", **seen), "a.txt")
    save(SmartS3Storage("m", default_acl="private", **seen), "a.txt")
    save(SmartS3Storage("m", querystring_auth=False, **seen), "a.txt")
    assert not any("predefinedAcl" in request.query for request in proxy.requests)
    public = SmartS3Storage("m", default_acl="public-read", **seen)
    save(public, "a.txt")
    assert proxy.requests[-1].query["predefinedAcl"] == "publicRead"
    assert "?" not in public.url("a.txt")
    form = SmartS3Storage("m", default_acl="public-read", **seen).presigned_post(
        "a.png", max_size=5, content_type="image/png"
    )
    assert form["fields"]["acl"] == "public-read"
