from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest

from smart_storages.management.explaining import explain
from smart_storages.management.places import Place
from smart_storages.storages import SmartS3Storage
from smart_storages.utils import create_storage_class
from tests import leaks
from tests.management.calls import call


def explained(*arguments: str) -> Dict[str, Any]:
    answer = call("explain", *arguments, "--json")
    assert answer.code == 0, answer
    return {each["option"]: (each["value"], each["source"]) for each in answer.json}


def explained_of(storage: SmartS3Storage) -> Dict[str, Any]:
    rows = explain(Place(storage.module_name, storage))
    return {each.option: (each.value, each.source) for each in rows}


def test_each_option_has_the_place_that_it_comes_from(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    settings.AWS_QUERYSTRING_EXPIRE = 60
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"bucket_name": "acme", "default_acl": "public-read"},
        "tenant_*": {"bucket_name": "acme", "location": "{module}/", "provider": "ceph"},
    }
    settings.STORAGES = {
        "default": {"BACKEND": "smart_storages.MediaStorage", "OPTIONS": {"gzip": True}},
    }
    entry = "SMART_STORAGE_BUCKETS['media']"
    shown = explained("default")
    for option, value, source in [
        ("bucket_name", "acme", entry),
        ("default_acl", "public-read", entry),
        ("gzip", True, "OPTIONS of STORAGES['default']"),
        ("location", "media", "preset of MediaStorage"),
        ("file_overwrite", False, "preset of MediaStorage"),
        ("querystring_expire", 60, "setting AWS_QUERYSTRING_EXPIRE"),
        ("querystring_auth", False, "implied by default_acl='public-read'"),
        ("region_name", "eu-north-1", "environment variable AWS_DEFAULT_REGION, read by boto3"),
        ("provider", "aws", "no endpoint_url"),
        ("signature_version", "s3v4", "preset of every bucket"),
        ("custom_domain", None, "default"),
    ]:
        assert shown[option] == (value, source), option
    tenant = explained("tenant_*")
    pattern = "SMART_STORAGE_BUCKETS['tenant_*'], a pattern"
    assert tenant["location"] == ("tenant_*/", pattern)
    assert tenant["addressing_style"] == ("path", "the provider 'ceph'")
    assert explained("tenant_x")["location"] == ("tenant_x/", pattern)


def test_classes_and_factories_are_places_too(settings: Any) -> None:
    class Reports(SmartS3Storage):
        module_name = "reports"

        def get_default_settings(self) -> Dict[str, Any]:
            return {**super().get_default_settings(), "location": "r/"}

        @property
        def default_acl(self) -> str:
            return "private"

    shown = explained_of(Reports())
    assert shown["location"] == ("r/", "Reports.get_default_settings()")
    assert shown["default_acl"] == ("private", "the property Reports.default_acl")
    made = create_storage_class("reports", location="f/")
    assert explained_of(made())["location"] == ("f/", "create_storage_class('reports')")


def test_only_options_that_somebody_set_if_asked_to(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme"}}
    assert "custom_domain" in explained("media")
    assert {"bucket_name", "location"} <= {*explained("media", "--set")}
    assert "custom_domain" not in explained("media", "--set")
    assert "preset of MediaStorage" in call("explain", "media").out


def test_credentials_are_one_set_and_never_shown(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxies = {"https": f"http://{leaks.PROXY_LOGIN}@proxy.example:3128"}
    settings.AWS_SESSION_TOKEN = leaks.TOKEN
    settings.SMART_STORAGE_BUCKETS = {
        "keys": {"bucket_name": "acme", **leaks.secrets_of_entry(), "proxies": proxies},
        "role": {"bucket_name": "acme", "role_arn": "arn:aws:iam::1:role/press"},
        "url": {"bucket_name": "acme", "endpoint_url": f"http://{leaks.PROXY_LOGIN}@s3.example"},
    }
    shown = explained("keys")
    entry = "SMART_STORAGE_BUCKETS['keys']"
    for option in ("access_key", "secret_key", "security_token"):
        assert shown[option] == ("***", entry)
    assert shown["proxies"] == ({"https": "***"}, entry)
    assert explained("role")["security_token"] == (None, "default")
    for module in ("keys", "role", "url"):
        for arguments in ([module], [module, "--json"]):
            answer = call("explain", *arguments)
            assert not leaks.find_in(answer.out + answer.err)
            assert "AKIDEXAMPLE" not in answer.out


def test_keys_that_boto3_finds_are_told_of_with_their_place(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"bucket_name": "acme", "access_key": None},
        "named": {"bucket_name": "acme", "session_profile": "press"},
    }
    assert explained("media")["access_key"][1].startswith("not in files or environment")
    file = tmp_path / "credentials"
    keys = f"aws_access_key_id=AKIDEXAMPLE\naws_secret_access_key={leaks.SECRET_KEY}\n"
    file.write_text(f"[default]\n{keys}[press]\n{keys}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for module in ("media", "named"):
        shown = explained(module)["access_key"]
        assert shown == ("***", "found by boto3: shared-credentials-file")


def test_keys_of_the_environment_are_those_of_django_storages(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme"}}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", leaks.SECRET_KEY)
    shown = explained("media")
    assert shown["access_key"] == ("***", "environment variable AWS_ACCESS_KEY_ID")
    assert shown["secret_key"] == ("***", "environment variable AWS_SECRET_ACCESS_KEY")


def test_what_is_wrong_with_a_module_is_told(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {"half": {"bucket_name": "acme", "access_key": "AKIDEXAMPLE"}}
    answer = call("explain", "half")
    assert (answer.code, answer.out) == (1, "")
    assert "secret_key" in answer.err


def test_a_name_that_means_no_bucket_is_a_mistake_of_usage(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {"media": {"bucket_name": "acme"}}
    settings.STORAGES = {"disk": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
    for name, told in [("meda", "Did you mean 'media'?"), ("disk", "is a FileSystemStorage")]:
        answer = call("explain", name)
        assert answer.code == 2
        assert told in answer.err
