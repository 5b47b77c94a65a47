"""Each setting of django-s3-storage, as an option."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest

from smart_storages.management.of_django_s3_storage import options_of

pytestmark = pytest.mark.usefixtures("django_s3_storage")

PRIVATE = {"CacheControl": "private,max-age=3600"}


def translate(is_static: bool = False, given: Any = None, **settings: Any) -> Tuple[Any, List[str]]:
    return options_of(given or {}, is_static, settings.get)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"AWS_REGION": "eu-west-1"}, {"region_name": "eu-west-1"}),
        ({}, {"region_name": "us-east-1", "file_overwrite": False, "gzip": True, "location": ""}),
        ({"AWS_S3_BUCKET_NAME": "acme"}, {"bucket_name": "acme"}),
        ({"AWS_S3_ADDRESSING_STYLE": "virtual"}, {"addressing_style": "virtual"}),
        ({"AWS_S3_SIGNATURE_VERSION": "s3"}, {"signature_version": "s3"}),
        ({"AWS_S3_KEY_PREFIX": "/a/b/"}, {"location": "a/b"}),
        ({"AWS_S3_FILE_OVERWRITE": True}, {"file_overwrite": True}),
        ({"AWS_S3_GZIP": False}, {"gzip": False}),
        ({"AWS_S3_USE_THREADS": False}, {"use_threads": False}),
        (
            {"AWS_S3_MAX_AGE_SECONDS": 60},
            {
                "querystring_expire": 60,
                "object_parameters": {"CacheControl": "private,max-age=60"},
            },
        ),
        (
            {"AWS_S3_BUCKET_AUTH": False, "AWS_S3_MAX_AGE_SECONDS": 60},
            {
                "querystring_auth": False,
                "default_acl": "public-read",
                "object_parameters": {"CacheControl": "public,max-age=60"},
            },
        ),
        (
            {"AWS_S3_CONTENT_DISPOSITION": "attachment", "AWS_S3_CONTENT_LANGUAGE": "de"},
            {
                "object_parameters": {
                    **PRIVATE,
                    "ContentDisposition": "attachment",
                    "ContentLanguage": "de",
                }
            },
        ),
        (
            {"AWS_S3_METADATA": {"desk": "press"}, "AWS_S3_REDUCED_REDUNDANCY": True},
            {
                "object_parameters": {
                    **PRIVATE,
                    "Metadata": {"desk": "press"},
                    "StorageClass": "REDUCED_REDUNDANCY",
                }
            },
        ),
        (
            {"AWS_S3_ENCRYPT_KEY": True, "AWS_S3_KMS_ENCRYPTION_KEY_ID": "unused"},
            {"object_parameters": {**PRIVATE, "ServerSideEncryption": "AES256"}},
        ),
        (
            {"AWS_S3_ENCRYPT_KEY": "aws:kms", "AWS_S3_KMS_ENCRYPTION_KEY_ID": "k"},
            {
                "object_parameters": {
                    **PRIVATE,
                    "ServerSideEncryption": "aws:kms",
                    "SSEKMSKeyId": "k",
                }
            },
        ),
        (
            {"AWS_S3_PUBLIC_URL": "https://cdn.example.com/"},
            {"custom_domain": "cdn.example.com", "url_protocol": "https:"},
        ),
        (
            {"AWS_S3_PUBLIC_URL": "http://cdn.example.com/x/m/", "AWS_S3_KEY_PREFIX": "m"},
            {"custom_domain": "cdn.example.com/x", "url_protocol": "http:"},
        ),
        (
            {"AWS_S3_PUBLIC_URL": "https://cdn.example.com/files/"},
            {"custom_domain": "cdn.example.com/files"},
        ),
    ],
)
def test_a_setting_becomes_an_option(settings: Dict[str, Any], expected: Dict[str, Any]) -> None:
    options, notes = translate(**settings)
    assert {name: options.get(name) for name in expected} == expected
    assert notes == []


def test_what_is_no_option_is_said() -> None:
    options, notes = translate(
        AWS_S3_CONTENT_LANGUAGE=str.upper,
        AWS_S3_METADATA={"name": str.upper, "desk": "press"},
        AWS_S3_MAX_POOL_CONNECTIONS=50,
        AWS_S3_PUBLIC_URL="https://cdn.example.com/",
        AWS_S3_KEY_PREFIX="m",
    )
    assert options["object_parameters"] == {**PRIVATE, "Metadata": {"desk": "press"}}
    assert "custom_domain" not in options
    for said in ("CONTENT_LANGUAGE", "METADATA", "max_pool_connections=50)", "PUBLIC_URL"):
        assert [note for note in notes if said in note], said


def test_of_static_files_only_the_account_has_no_suffix() -> None:
    options, _ = translate(
        is_static=True,
        AWS_REGION="eu-west-1",
        AWS_S3_BUCKET_NAME="acme-media",
        AWS_S3_BUCKET_NAME_STATIC="acme-static",
        AWS_S3_KEY_PREFIX="m",
        AWS_S3_ENDPOINT_URL="https://s3.example.com",
        AWS_S3_GZIP_STATIC=False,
    )
    assert options == {
        "region_name": "eu-west-1",
        "bucket_name": "acme-static",
        "endpoint_url": None,  # the setting is read here too, and is that of the media
        "file_overwrite": False,
        "gzip": False,
        "location": "",
        "querystring_auth": False,
        "default_acl": "public-read",
        "object_parameters": {"CacheControl": "public,max-age=3600"},
    }


def test_arguments_of_a_storage_outrank_the_settings() -> None:
    given = {"aws_s3_bucket_name": "mine", "aws_access_key_id": "id", "aws_region": "eu-west-2"}
    options, _ = translate(given=given, AWS_S3_BUCKET_NAME="theirs", AWS_REGION="us-east-2")
    kept = ("bucket_name", "access_key", "region_name")
    assert [options[name] for name in kept] == ["mine", "id", "eu-west-2"]
