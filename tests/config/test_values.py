"""What is wrong with the value of one option, and what is said of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, List, Sequence, Tuple

import pytest
from botocore import UNSIGNED

from smart_storages.config import values
from smart_storages.config.values import did_you_mean, find_value_problems


def find(key: str, value: Any) -> List[Tuple[str, str]]:
    return [(problem.code, problem.key) for problem in find_value_problems(key, value)]


def supply() -> Any:
    raise AssertionError("a check calls nobody")


#: Options with a value that is right.
RIGHT: List[Tuple[str, Any]] = [
    *[("default_acl", acl) for acl in values._CANNED_ACLS],
    ("provider", "ceph"),
    ("addressing_style", "virtual"),
    ("secret_key", "secret key"),
    ("cloudfront_key", "-----BEGIN KEY-----\nabc\n"),
    ("bucket_name", "x\n"),  # names have checks of their own
    ("credentials", supply),
    ("credentials", "project.keys.supply"),
    ("credentials", "X.keys"),
    ("brotli", False),
    ("signature_version", "s3v4"),
    ("signature_version", "s3"),
    ("signature_version", UNSIGNED),
    ("cloudfront_signer", SimpleNamespace(generate_presigned_url=supply)),
    ("proxies", {}),
    ("proxies", {"https": "http://proxy:3128"}),
    ("object_parameters", {}),
    ("object_parameters", {"ACL": None}),
    ("object_parameters", {"ACL": "private", "CacheControl": "max-age=60"}),
    ("object_parameters", {"Metadata": {"department": "press"}}),
    *[(key, None) for key in ("default_acl", "secret_key", "credentials", "signature_version")],
]

#: Options with a value that is wrong, the code, and the beginning of what is said and of the hint.
WRONG: List[Tuple[str, Any, str, str, str]] = [
    (
        "secret_key",
        "secret\n",
        "wrong-type",
        "contains a line break or another control character",
        "Strip the text when you read it from a file: files often end with a line break.",
    ),
    ("access_key", "AK\x7f", "wrong-type", "contains a line break", "Strip the text"),
    (
        "default_acl",
        "public-raed",
        "unknown-choice",
        "is 'public-raed', which is not one of private, public-read, public-read-write, ",
        "Did you mean 'public-read'?",
    ),
    (
        "addressing_style",
        "dns",
        "unknown-choice",
        "is 'dns', which is not one of auto, path, virtual",
        "Known are: auto, path, virtual.",
    ),
    ("provider", "cephh", "unknown-choice", "is 'cephh', which", "Did you mean 'ceph'?"),
    (
        "signature_version",
        "v4",
        "unknown-choice",
        "is 'v4', which is not one of s3v4, s3v4a, s3",
        "Did you mean 's3v4'?",
    ),
    ("signature_version", 4, "wrong-type", "must be str, not int", "Write 's3v4', or leave"),
    (
        "credentials",
        "supply",
        "wrong-type",
        "is a text that is no dotted path",
        "Give a function that returns access_key, secret_key and, optionally, security_token",
    ),
    ("credentials", ".supply.", "wrong-type", "is a text that is no dotted path", "Give"),
    ("credentials", "/etc/key.json", "wrong-type", "is a text that is no dotted path", "Give"),
    ("credentials", 7, "wrong-type", "must be a callable or a dotted path, not int", "Give"),
    (
        "cloudfront_signer",
        "key",
        "wrong-type",
        "must be a signer of botocore, not str",
        "Give a botocore.signers.CloudFrontSigner, or cloudfront_key_id and cloudfront_key.",
    ),
    (
        "proxies",
        {"https": 3128},
        "wrong-type",
        "must map schemes to URLs, both as text",
        "Write {'https': 'http://proxy.example.com:3128'}.",
    ),
    ("proxies", {1: "http://proxy"}, "wrong-type", "must map schemes to URLs", "Write {"),
    (
        "object_parameters",
        {7: "x"},
        "wrong-type",
        "has the key 7, which is not a string",
        "Name the parameters of put_object: {'CacheControl': 'max-age=60'}.",
    ),
    (
        "object_parameters",
        {"ACL": "everyone"},
        "unknown-choice",
        "is 'everyone', which is not one of private, ",
        "Known are: authenticated-read, aws-exec-read, ",
    ),
    (
        "object_parameters",
        {"Metadata": {"n": 1}},
        "wrong-type",
        "has Metadata that is not a dict of strings",
        "Write {'Metadata': {'department': 'press'}}.",
    ),
    ("object_parameters", {"Metadata": "x"}, "wrong-type", "has Metadata that", "Write {"),
]


def numbered(rows: Sequence[Tuple[Any, ...]]) -> List[str]:
    return [f"{number}-{row[0]}" for number, row in enumerate(rows)]


@pytest.mark.parametrize(("key", "value"), RIGHT, ids=numbered(RIGHT))
def test_nothing_is_said_of_a_value_that_is_right(key: str, value: Any) -> None:
    assert find(key, value) == []


@pytest.mark.parametrize(("key", "value", "code", "said", "hint"), WRONG, ids=numbered(WRONG))
def test_what_is_wrong_is_said_with_the_way_to_mend_it(
    key: str, value: Any, code: str, said: str, hint: str
) -> None:
    (problem,) = find_value_problems(key, value)
    assert (problem.code, problem.key) == (code, key)
    assert problem.message.startswith(said)
    assert problem.hint.startswith(hint)


def test_two_things_that_are_wrong_with_parameters_are_both_said() -> None:
    assert find("object_parameters", {"ACL": "everyone", "Metadata": []}) == [
        ("unknown-choice", "object_parameters"),
        ("wrong-type", "object_parameters"),
    ]


def test_brotli_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "has_brotli", lambda: False)
    (problem,) = find_value_problems("brotli", True)
    assert (problem.code, problem.key) == ("bad-setting", "brotli")
    assert problem.message == "needs the package brotli, which is not installed"
    assert problem.hint == "Run pip install 'django-smart-storages[brotli]'."
    assert find("brotli", False) == []


def test_a_secret_that_is_wrong_is_not_repeated() -> None:
    (problem,) = find_value_problems("secret_key", "hunter2\n")
    assert "hunter2" not in f"{problem}"


def test_a_hint_knows_the_names_of_the_settings_of_django_storages() -> None:
    known = ("bucket_name", "region_name")
    assert did_you_mean("AWS_S3_REGION_NAME", known) == "Did you mean 'region_name'?"
    assert did_you_mean("AWS_QUERYSTRING_AUTH", known).startswith("Known are: ")
    assert did_you_mean("Bucket_Nam", known) == "Did you mean 'bucket_name'?"
    assert (
        did_you_mean("AWS_S3_USE_SSL", ("aws_s3_use_ssk", "use_ssl")) == "Did you mean 'use_ssl'?"
    )
    assert did_you_mean("zzz", ("b", "a")) == "Known are: a, b."
    assert did_you_mean(7, ("b", "a")) == "Known are: a, b."
