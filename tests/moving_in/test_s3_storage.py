"""What the README of django-s3-storage 0.15 says, done with it and with ours, side by side.

The settings are those of django-s3-storage. ``manage.py buckets adopt`` says what they are here.
"""

from __future__ import annotations

import io
import pickle
import urllib.request
from typing import Any, Callable, Dict
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.staticfiles.finders import get_finder
from django.contrib.staticfiles.management.commands import collectstatic
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.db import models

from smart_storages.management import adopting
from smart_storages.storages import ManifestStaticStorage, SmartS3Storage, StaticStorage
from tests.moving_in.documented import shows

old = pytest.importorskip("django_s3_storage.storage")

pytestmark = pytest.mark.usefixtures("django_s3_storage")

DOCUMENTED = (
    # Of the account
    "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    # Of files
    "AWS_S3_BUCKET_NAME", "AWS_S3_ADDRESSING_STYLE", "AWS_S3_ENDPOINT_URL", "AWS_S3_KEY_PREFIX",
    "AWS_S3_BUCKET_AUTH", "AWS_S3_MAX_AGE_SECONDS", "AWS_S3_PUBLIC_URL",
    "AWS_S3_REDUCED_REDUNDANCY", "AWS_S3_CONTENT_DISPOSITION", "AWS_S3_CONTENT_LANGUAGE",
    "AWS_S3_METADATA", "AWS_S3_ENCRYPT_KEY", "AWS_S3_KMS_ENCRYPTION_KEY_ID", "AWS_S3_GZIP",
    "AWS_S3_SIGNATURE_VERSION", "AWS_S3_FILE_OVERWRITE", "AWS_S3_USE_THREADS",
    "AWS_S3_MAX_POOL_CONNECTIONS", "AWS_S3_CONNECT_TIMEOUT",
    # Of static files: the same with a suffix, and
    "AWS_S3_BUCKET_NAME_STATIC", "AWS_S3_BUCKET_AUTH_STATIC",
    "AWS_S3_MAX_AGE_SECONDS_CACHED_STATIC",
    # Classes, methods and commands
    "django_s3_storage.storage.S3Storage", "StaticS3Storage", "ManifestStaticS3Storage",
    "DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE", "INSTALLED_APPS", "aws_s3_bucket_name",
    "extra_params", "client_method", "s3_sync_meta", "s3:PutObjectAcl",
)  # fmt: skip

TEXT = b"body { color: red }\n" * 50


@pytest.fixture
def configure(settings: Any, moto_bucket: Any) -> Callable[..., adopting.Plan]:
    """Puts settings of django-s3-storage in force; its names of the account are boto3's."""

    def configure(**more: Any) -> adopting.Plan:
        values = {
            "AWS_REGION": moto_bucket.region_name,
            "AWS_ACCESS_KEY_ID": moto_bucket.access_key,
            "AWS_SECRET_ACCESS_KEY": moto_bucket.secret_key,
            "AWS_S3_BUCKET_NAME": moto_bucket.name,
            "AWS_S3_ENDPOINT_URL": moto_bucket.endpoint_url,
            "AWS_S3_ADDRESSING_STYLE": "path",
            "SMART_STORAGE_PROVIDER": "moto",
        }
        for suffix in ("_STATIC", ""):
            for name, value in values.items():
                setattr(settings, name + suffix, value)
        for name, value in more.items():
            setattr(settings, name, value)
        settings.STORAGES = {
            "default": {"BACKEND": "django_s3_storage.storage.S3Storage"},
            "staticfiles": {"BACKEND": "django_s3_storage.storage.StaticS3Storage"},
        }
        # What `buckets adopt` prints is put into the settings.
        settings.SMART_STORAGE_BUCKETS = {}
        plan = adopting.make_plan()
        settings.SMART_STORAGE_BUCKETS = plan.buckets
        return plan

    return configure


@pytest.fixture
def pair(configure: Any) -> Callable[..., Any]:
    """Makes theirs and ours under the same settings."""

    def make(**more: Any) -> Any:
        configure(**more)
        return old.S3Storage(), SmartS3Storage("media")

    return make


def head(bucket: Any, key: str) -> Dict[str, Any]:
    answer = bucket.client.head_object(Bucket=bucket.name, Key=key)
    # Each notes something of its own: theirs the size before compression, ours the write.
    ignored = ("uncompressed_size", "write-id")
    answer["Metadata"] = {k: v for k, v in answer["Metadata"].items() if k not in ignored}
    names = (
        "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType",
        "Metadata", "ServerSideEncryption", "SSEKMSKeyId", "StorageClass",
    )  # fmt: skip
    return {name: answer[name] for name in names if name in answer}


def is_public(bucket: Any, key: str) -> bool:
    grants = bucket.client.get_object_acl(Bucket=bucket.name, Key=key)["Grants"]
    return any("AllUsers" in each["Grantee"].get("URI", "") for each in grants)


def save_with_both(pair: Any, bucket: Any, name: str, content: bytes = TEXT) -> Any:
    """What each makes of one file, by its key: the headers, and whether everybody may read."""
    seen = []
    for storage in pair:
        saved = storage.save(name, ContentFile(content))
        assert storage.open(saved).read() == content
        (key,) = bucket.keys()
        seen.append((key, head(bucket, key), is_public(bucket, key)))
        storage.delete(saved)
        assert bucket.keys() == []
    return seen


def shape(url: str) -> Any:
    parts = urlsplit(url)
    changing = ("X-Amz-Date", "X-Amz-Signature")
    query = {k: v for k, v in parse_qs(parts.query).items() if k not in changing}
    return parts.scheme, parts.netloc, parts.path, query


@shows("django_s3_storage.storage.S3Storage", "AWS_REGION", "AWS_ACCESS_KEY_ID",
       "AWS_SECRET_ACCESS_KEY", "AWS_S3_BUCKET_NAME", "AWS_S3_ENDPOINT_URL",
       "AWS_S3_ADDRESSING_STYLE", "INSTALLED_APPS")  # fmt: skip
def test_a_file_of_the_old_storage_is_read_by_ours_and_has_the_same_headers(
    pair: Any, moto_bucket: Any
) -> None:
    theirs, ours = pair()
    name = theirs.save("a b/ü.txt", ContentFile(TEXT))
    assert ours.open(name).read() == TEXT
    ours.delete(name)
    assert not theirs.exists(name)
    first, second = save_with_both((theirs, ours), moto_bucket, "a.css")
    assert first == second
    assert first[1]["CacheControl"] == "private,max-age=3600"
    assert first[2] is False


@pytest.mark.parametrize(
    "settings_of_files",
    [
        pytest.param(given, id=next(iter(given)))
        for given in (
            {"AWS_S3_KEY_PREFIX": "uploads"},
            {"AWS_S3_BUCKET_AUTH": False},
            {"AWS_S3_MAX_AGE_SECONDS": 60},
            {"AWS_S3_REDUCED_REDUNDANCY": True},
            {"AWS_S3_CONTENT_DISPOSITION": "attachment"},
            {"AWS_S3_CONTENT_LANGUAGE": "de"},
            {"AWS_S3_METADATA": {"desk": "press"}},
            {"AWS_S3_ENCRYPT_KEY": True},
            {"AWS_S3_KMS_ENCRYPTION_KEY_ID": "k1", "AWS_S3_ENCRYPT_KEY": "aws:kms"},
            {"AWS_S3_GZIP": False},
            {"AWS_S3_USE_THREADS": False},
            {"AWS_S3_SIGNATURE_VERSION": "s3v4"},
        )
    ],
)
@shows("AWS_S3_KEY_PREFIX", "AWS_S3_BUCKET_AUTH", "AWS_S3_MAX_AGE_SECONDS",
       "AWS_S3_REDUCED_REDUNDANCY", "AWS_S3_CONTENT_DISPOSITION", "AWS_S3_CONTENT_LANGUAGE",
       "AWS_S3_METADATA", "AWS_S3_ENCRYPT_KEY", "AWS_S3_KMS_ENCRYPTION_KEY_ID", "AWS_S3_GZIP",
       "AWS_S3_USE_THREADS", "AWS_S3_SIGNATURE_VERSION")  # fmt: skip
@pytest.mark.filterwarnings("ignore:The AWS_S3_USE_THREADS setting:DeprecationWarning")
def test_a_setting_does_what_it_did_after_adopting(
    settings_of_files: Dict[str, Any], pair: Any, moto_bucket: Any
) -> None:
    storages = pair(**settings_of_files)
    theirs, ours = save_with_both(storages, moto_bucket, "d/a.css")
    assert theirs == ours
    assert shape(storages[0].url("d/a.css")) == shape(storages[1].url("d/a.css"))


@shows("AWS_S3_PUBLIC_URL")
def test_urls_of_a_cdn_are_the_same(pair: Any) -> None:
    for url, prefix in (("https://cdn.example.com/", ""), ("https://cdn.example.com/m/", "m")):
        theirs, ours = pair(AWS_S3_PUBLIC_URL=url, AWS_S3_KEY_PREFIX=prefix)
        assert theirs.url("d/a b.txt") == ours.url("d/a b.txt")


@shows("AWS_S3_FILE_OVERWRITE")
def test_a_taken_name_is_kept_or_changed_as_before(pair: Any, moto_bucket: Any) -> None:
    for overwrite, expected in ((True, 1), (False, 2)):
        for storage in pair(AWS_S3_FILE_OVERWRITE=overwrite):
            names = [storage.save("a.txt", ContentFile(b"x")) for _ in range(2)]
            assert names[0] == "a.txt"
            assert len(set(names)) == len(moto_bucket.keys()) == expected
            for name in set(names):
                storage.delete(name)


@shows("AWS_SESSION_TOKEN")
def test_a_session_token_is_sent(pair: Any) -> None:
    theirs, ours = pair(AWS_SESSION_TOKEN="a-token")
    urls = [shape(each.url("a.txt"))[3]["X-Amz-Security-Token"] for each in (theirs, ours)]
    assert urls == [["a-token"], ["a-token"]]


@shows("AWS_S3_MAX_POOL_CONNECTIONS", "AWS_S3_CONNECT_TIMEOUT")
def test_what_the_client_is_given_is_said_by_adopt(configure: Any) -> None:
    plan = configure(AWS_S3_MAX_POOL_CONNECTIONS=50, AWS_S3_CONNECT_TIMEOUT=5)
    (note,) = plan.notes
    assert (
        "client_config=botocore.config.Config(max_pool_connections=50, connect_timeout=5)" in note
    )


@shows("extra_params")
def test_extra_params_of_a_url_are_parameters(pair: Any) -> None:
    theirs, ours = pair()
    theirs.save("bar.pdf", ContentFile(b"x"))
    for given in ({"ResponseContentDisposition": "attachment"}, {"VersionId": "null"}):
        urls = theirs.url("bar.pdf", extra_params=given), ours.url("bar.pdf", parameters=given)
        assert shape(urls[0]) == shape(urls[1])
        with urllib.request.urlopen(urls[1], timeout=10) as answer:
            assert answer.read() == b"x"


@shows("client_method")
def test_client_method_put_object_is_http_method_put(pair: Any) -> None:
    theirs, ours = pair()
    urls = theirs.url("a.bin", client_method="put_object"), ours.url("a.bin", http_method="PUT")
    assert shape(urls[0])[:3] == shape(urls[1])[:3]
    request = urllib.request.Request(urls[1], data=b"from a browser", method="PUT")
    request.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(request, timeout=10).close()
    assert theirs.open("a.bin").read() == b"from a browser"


class Car(models.Model):
    photo = models.FileField(storage=FileSystemStorage("/nowhere"))

    class Meta:
        app_label = "tests"


@shows("aws_s3_bucket_name")
def test_a_storage_of_a_field_has_a_bucket_of_its_own(
    configure: Any, settings: Any, moto_bucket: Any, monkeypatch: Any
) -> None:
    own = moto_bucket.server.create_bucket()
    configure()
    storage = old.S3Storage(aws_s3_bucket_name=own)
    name = storage.save("beetle.jpg", ContentFile(b"a photo"))
    fields = [("cars.Car.photo", storage)]
    monkeypatch.setattr(adopting, "iter_fields", lambda: iter(fields))
    settings.SMART_STORAGE_BUCKETS = adopting.make_plan().buckets
    field: Any = Car._meta.get_field("photo")
    monkeypatch.setattr(field, "storage", SmartS3Storage(module_name="car"))
    assert Car(photo=name).photo.read() == b"a photo"


@shows("StaticS3Storage", "ManifestStaticS3Storage", "AWS_S3_BUCKET_NAME_STATIC",
       "AWS_S3_BUCKET_AUTH_STATIC")  # fmt: skip
@pytest.mark.parametrize("kind", ["Static", "ManifestStatic"])
def test_static_files_are_collected_to_the_same_names(
    kind: str, configure: Any, settings: Any, tmp_path: Any, moto_bucket: Any
) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    settings.STATICFILES_DIRS = [str(tmp_path)]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    (tmp_path / "a.css").write_text("body { background: url(b.svg) }")
    (tmp_path / "b.svg").write_text("<svg/>")
    get_finder.cache_clear()
    static = moto_bucket.server.create_bucket()
    configure(AWS_S3_BUCKET_NAME_STATIC=static)
    ours = {"Static": StaticStorage, "ManifestStatic": ManifestStaticStorage}[kind]
    seen = []
    for cls in (getattr(old, f"{kind}S3Storage"), ours):
        storage = cls()
        command = collectstatic.Command()
        command.storage = storage
        call_command(command, interactive=False, stdout=io.StringIO())
        keys = storage.listdir("")[1]
        plain = moto_bucket.client.head_object(Bucket=static, Key="b.svg")["CacheControl"]
        names = sorted(set(keys) - {".staticfiles-uploads.json"})  # of compressed files
        seen.append((names, storage.url("a.css"), plain))
        for key in keys:
            storage.delete(key)
    get_finder.cache_clear()
    assert seen[0] == seen[1]
    assert "?" not in seen[0][1]


def test_a_pickled_storage_goes_on_reading(pair: Any) -> None:
    theirs, ours = pair()
    name = theirs.save("a.txt", ContentFile(b"x"))
    assert pickle.loads(pickle.dumps(ours)).open(name).read() == b"x"  # noqa: S301
