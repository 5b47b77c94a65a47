"""Whatever somebody writes as an option is told by name, or works: never a foreign traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest
from botocore.config import Config
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.test import override_settings

from smart_storages.checks import check_buckets
from smart_storages.config import merging
from smart_storages.config.options import OPTIONS
from smart_storages.config.problems import (
    find_entry_problems,
    find_problems,
    find_upstream_problems,
)
from smart_storages.exceptions import ConfigurationError, SmartStorageError
from smart_storages.storages import SmartS3Storage
from smart_storages.utils import create_storage_class
from tests.conftest import THOROUGH, Bucket, lead_to

# What a hand slips to: another type, nothing, a half, a paste with a line break.
VALUES: List[Any] = [
    None,
    "",
    0,
    -1,
    True,
    False,
    1.5,
    b"x",
    [],
    {},
    ["a"],
    {"a": 1},
    {1: 2},
    ("a", 1),
    "x",
    "x y",
    "a\n",
    "ümläut",
    object(),
    print,
    lambda one, two: None,
    Path("a"),
    "{module}",
    "{x}",
    "http://",
    "http://[",
    "http://h:notaport",
    "https://user:p@h",
    "/",
    "./a",
    "a//b",
    "a" * 300,
]

#: One of each kind. Whether a value is right is decided once for all places that it may stand in:
#: the other places are tried with these, in a thorough run with all.
SOME: List[Any] = [None, "", -1, True, b"x", ["a"], {"a": 1}, object(), "a\n", "{x}", "http://["]
OF_OTHER_PLACES = VALUES if THOROUGH else SOME

#: Where a value that is right leads to another server, a profile or a file of certificates.
ELSEWHERE = {"endpoint_url", "proxies", "role_arn", "session_profile", "verify", "use_ssl"}

REFUSALS = (ImproperlyConfigured, SmartStorageError)


NAMED = {
    "AWS_STORAGE_BUCKET_NAME": "acme",
    "AWS_S3_REGION_NAME": "us-east-1",
    "AWS_S3_ACCESS_KEY_ID": "key",
    "AWS_S3_SECRET_ACCESS_KEY": "secret",
}


@pytest.fixture
def _server(settings: Any, moto_bucket: Bucket) -> None:
    # Over HTTP: within this process, moto would stand in the way of every other test.
    lead_to(settings, moto_bucket.server, moto_bucket.name)


def use(storage: SmartS3Storage, *, over_the_wire: bool) -> None:
    assert repr(storage)
    try:
        assert storage.url("a.txt")
        if over_the_wire:
            name = storage.save("a.txt", ContentFile(b"content"))
            with storage.open(name) as file:
                assert file.read() == b"content"
            with storage.open("b.txt", "wb") as file:
                file.write(b"content")
    except REFUSALS:
        return


@pytest.mark.sampled(2)
@pytest.mark.usefixtures("_server")
@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_any_value_of_a_modules_option_is_refused_by_name_or_works(option: str) -> None:
    others = [value for value in VALUES if value not in SOME]
    # In a thorough run with all, else each with a third of the options.
    for value in VALUES if THOROUGH else [*SOME, *others[len(option) % 3 :: 3]]:
        with override_settings(SMART_STORAGE_BUCKETS={"media": {option: value}}):
            messages: List[CheckMessage] = check_buckets()
            use(SmartS3Storage("media"), over_the_wire=option not in ELSEWHERE)
        for message in messages:
            assert "media" in message.msg


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "option", [name for name, option in sorted(OPTIONS.items()) if option.setting]
)
def test_any_value_of_an_aws_setting_is_refused_by_name_or_works(option: str) -> None:
    setting = str(OPTIONS[option].setting)
    for value in OF_OTHER_PLACES:
        with override_settings(**{**NAMED, setting: value}):
            for message in check_buckets():
                assert message.msg.startswith((setting, f"The setting {setting} ", "AWS_"))
            use(SmartS3Storage("media"), over_the_wire=False)


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_any_value_of_an_argument_is_refused_at_once_or_works(option: str) -> None:
    for value in OF_OTHER_PLACES:
        options: Dict[str, Any] = {"bucket_name": "acme", option: value}
        for make in (SmartS3Storage, lambda **given: create_storage_class("m", **given)()):
            refusal = ""
            try:
                storage: Any = make(**options)
            except REFUSALS as error:
                refusal = str(error)
            else:
                use(storage, over_the_wire=False)
            assert not refusal or option in refusal


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("AWS_S3_ADDRESSING_STYLE", "pathstyle"),
        ("AWS_S3_PROXIES", "http://proxy:3128"),
        ("AWS_S3_SIGNATURE_VERSION", ["s3v4"]),
        ("AWS_S3_SIGNATURE_VERSION", "v4"),
        ("AWS_S3_CLIENT_CONFIG", {"read_timeout": 3}),
        ("AWS_S3_TRANSFER_CONFIG", {}),
        ("GZIP_CONTENT_TYPES", None),
        ("AWS_ACCESS_KEY_ID", 123),
        ("AWS_SECRET_ACCESS_KEY", "hunter2\n"),
        ("AWS_SESSION_TOKEN", ["t"]),
        ("AWS_S3_VERIFY", ["x"]),
        ("AWS_S3_USE_SSL", []),
        ("AWS_DEFAULT_ACL", "publik-read"),
        ("AWS_S3_FILE_OVERWRITE", "False"),
        ("AWS_STORAGE_BUCKET_NAME", "s3://acme"),
        ("AWS_STORAGE_BUCKET_NAME", "acme-{module}"),
        ("AWS_S3_OBJECT_PARAMETERS", {1: 2}),
    ],
)
def test_a_wrong_aws_setting_is_told_by_its_name(setting: str, value: Any) -> None:
    with override_settings(**{"AWS_STORAGE_BUCKET_NAME": "acme", setting: value}):
        (message,) = check_buckets()
        assert setting in message.msg
        storage = SmartS3Storage("media")
        with pytest.raises(ConfigurationError, match=setting) as caught:
            storage.url("a.txt")
    assert "hunter2" not in f"{message.msg} {message.hint} {caught.value}"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("AWS_S3_FILE_OVERWRITE", 0),
        ("AWS_QUERYSTRING_AUTH", None),
        ("AWS_QUERYSTRING_EXPIRE", "60"),
        ("AWS_S3_CLIENT_CONFIG", Config(read_timeout=3)),
        ("AWS_S3_SIGNATURE_VERSION", "s3v4"),
    ],
)
def test_what_works_with_django_storages_works(setting: str, value: Any) -> None:
    with override_settings(**{**NAMED, setting: value}):
        assert check_buckets() == []
        assert "a.txt" in SmartS3Storage("media").url("a.txt")


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("bucket_name", "acme/", "unknown-choice"),
        ("bucket_name", " acme", "unknown-choice"),
        ("role_arn", "nonsense", "unknown-choice"),
        ("endpoint_url", "http://h:notaport", "bad-endpoint"),
        ("public_endpoint_url", "http://[", "bad-endpoint"),
        ("location", "a//b", "bad-location"),
        ("location", "./a", "bad-location"),
        ("location", "http://h", "bad-location"),
    ],
)
def test_a_value_of_the_right_type_that_leads_nowhere(key: str, value: str, code: str) -> None:
    found = [(problem.code, problem.key) for problem in find_problems({key: value})]
    assert (code, key) in found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bucket_name", "acme.press_2-files"),
        ("bucket_name", "arn:aws:s3:eu-west-1:123456789012:accesspoint/press"),
        ("role_arn", "arn:aws:iam::123456789012:role/press"),
        ("role_arn", "arn:minio:iam:::role/press-office"),
        ("endpoint_url", "http://[::1]:9000/path"),
        ("location", ""),
        ("location", "a/b.c/"),
    ],
)
def test_a_value_that_leads_somewhere(key: str, value: str) -> None:
    assert list(find_problems({key: value})) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Metadata": {"a": "{user}"}}, ["unknown-placeholder"]),
        ({"Metadata": {"a": "{module}", "b": '{"json": 1}'}}, []),
        ({"Metadata": {"a": 3}}, ["wrong-type"]),
        ({"Metadata": "x"}, ["wrong-type"]),
        ({"ACL": "publicc"}, ["unknown-choice"]),
        ({"ACL": "public-read", "CacheControl": "max-age=60"}, []),
    ],
)
def test_what_is_within_object_parameters(value: Any, expected: List[str]) -> None:
    problems = find_entry_problems({"object_parameters": value})
    assert [problem.code for problem in problems] == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("location", 3), ("location", lambda self: "a"), ("object_parameters", {1: 2})],
)
def test_a_preset_that_is_wrong_is_told_at_first_use(name: str, value: Any) -> None:
    storage_class: Any = type("Wrong", (SmartS3Storage,), {name: value})
    storage = storage_class(bucket_name="acme")
    assert "misconfigured" in repr(storage)
    with pytest.raises(ConfigurationError, match=f"Wrong.*{name}"):
        storage.url("a.txt")


# The AWS_* settings, read by django-storages


def told(upstream: Dict[str, Any]) -> List[str]:
    return [f"{each.key} {each.message}" for each in find_upstream_problems(upstream)]


def test_settings_that_are_not_there_are_no_problem() -> None:
    assert told({}) == []


def test_a_wrong_setting_is_told_after_others_that_pass_by_exception() -> None:
    wrong = {"default_acl": 7}
    assert told(wrong) == ["default_acl must be str, not int"]
    for fine in ({"file_overwrite": 1}, {"access_key": None}, {"querystring_expire": "60"}):
        assert told({**fine, **wrong}) == told(wrong)


def test_a_setting_without_a_value_is_told_where_it_needs_one() -> None:
    assert told({"location": None}) == ["location must be str, not NoneType"]


def test_the_setting_of_the_bucket_is_checked_as_a_name() -> None:
    assert told({"bucket_name": "no/slash"}) == [
        "bucket_name is 'no/slash', which is not a valid bucket name"
    ]
    assert told({"bucket_name": ""}) == told({"bucket_name": "acme"}) == []


@pytest.mark.parametrize(
    ("endpoint", "message", "hint"),
    [
        (
            "s3.example.com",
            "must start with http:// or https://",
            "Write the scheme: https://s3.example.com.",
        ),
        (
            "https://name:word@s3.example.com",
            "contains a user name or password",
            "Remove it: S3 has access_key and secret_key, and a URL shows it to everybody.",
        ),
        (
            "https://s3.example.com:0",
            "has no host, or a port that is not a number",
            "Write https://s3.example.com, or https://s3.example.com:9000.",
        ),
    ],
)
def test_a_wrong_endpoint_is_told_with_the_way_to_mend_it(
    endpoint: str, message: str, hint: str
) -> None:
    (problem,) = find_problems({"endpoint_url": endpoint})
    assert problem == ("bad-endpoint", "endpoint_url", message, hint)


def test_every_port_but_0_is_right() -> None:
    for port in (1, 443, 65535):
        assert list(find_problems({"endpoint_url": f"https://s3.example.com:{port}"})) == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["AWS_S3_ACCESS_KEY_ID"], "AWS_S3_ACCESS_KEY_ID"),
        (["AWS_ACCESS_KEY_ID"], "AWS_ACCESS_KEY_ID"),
        (["AWS_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"], "AWS_S3_ACCESS_KEY_ID"),
    ],
)
def test_of_two_names_for_a_setting_the_one_that_counts_is_told(
    settings: Any, given: List[str], named: str
) -> None:
    for name in ("AWS_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"):
        setattr(settings, name, None)
        delattr(settings, name)
    for name in given:
        setattr(settings, name, "key\n")
    with pytest.raises(ConfigurationError, match=f"The setting {named} contains a line break"):
        merging.get_default_bucket_config()


def test_without_any_of_the_two_names_the_first_is_told(settings: Any) -> None:
    for name in ("AWS_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"):
        setattr(settings, name, None)
        delattr(settings, name)
    assert merging._setting_of("access_key") == "AWS_S3_ACCESS_KEY_ID"
    assert merging._setting_of("location") == "AWS_LOCATION"


# Options that are wrong together, and places that lead elsewhere


_ALL_OF_THEM = (
    "A module that sets one credential takes none from the AWS_* defaults: set all of them."
)
_NAME_ALONE = (
    "Write the name alone, of letters, digits, '.', '-' and '_', or the ARN of an access point."
)
_LIFE = (
    "a signed URL is valid for more than 0 and, both together, at most 604800 seconds",
    "Choose values within these limits: 7 days are the limit of S3.",
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"location": "/media"},
            ("bad-location", "location", "begins with a slash: '/media'", "Use 'media'."),
        ),
        (
            {"location": "a\\..\\b"},
            (
                "bad-location",
                "location",
                "contains '..': 'a\\\\..\\\\b'",
                "Write the prefix itself, without '..'.",
            ),
        ),
        (
            {"location": "a//b/"},
            (
                "bad-location",
                "location",
                "contains '.' or an empty name between slashes: 'a//b/'",
                "Use 'a/b': django-storages would refuse every name in the other.",
            ),
        ),
        (
            {"custom_domain": "https://cdn.example.com"},
            (
                "bad-domain",
                "custom_domain",
                "must be a host, without a scheme and without a slash at its end",
                "Write cdn.example.com, and the scheme as url_protocol.",
            ),
        ),
        (
            {"querystring_expire": "soon"},
            (
                "bad-life",
                "querystring_expire",
                "is not a number of seconds",
                "Give a whole number of seconds.",
            ),
        ),
        (
            {"querystring_expire": 0},
            (
                "bad-life",
                "querystring_expire",
                f"is 0, and url_stable_for is 0: {_LIFE[0]}",
                _LIFE[1],
            ),
        ),
        (
            {"querystring_expire": 604_800, "url_stable_for": 1},
            (
                "bad-life",
                "querystring_expire",
                f"is 604800, and url_stable_for is 1: {_LIFE[0]}",
                _LIFE[1],
            ),
        ),
        (
            {"access_key": "a"},
            (
                "half-credentials",
                "secret_key",
                "is missing although 'access_key' is set",
                _ALL_OF_THEM,
            ),
        ),
        (
            {"security_token": "t"},
            (
                "half-credentials",
                "access_key",
                "is missing although 'security_token' is set",
                "A token goes with the access_key and secret_key it was issued with.",
            ),
        ),
        (
            {"session_profile": "p", "credentials": print},
            (
                "mixed-credentials",
                "session_profile",
                "is set together with 'credentials'",
                "Use one kind of credentials for a module: keys, a profile, or a callable.",
            ),
        ),
        (
            {"role_arn": "press"},
            (
                "unknown-choice",
                "role_arn",
                "is 'press', which is not the ARN of a role",
                "Write arn:aws:iam::123456789012:role/name.",
            ),
        ),
        (
            {"external_id": "e"},
            (
                "half-credentials",
                "role_arn",
                "is missing although 'external_id' is set",
                "An external id is only used to assume a role.",
            ),
        ),
        (
            {"bucket_name": "no/slash"},
            (
                "unknown-choice",
                "bucket_name",
                "is 'no/slash', which is not a valid bucket name",
                _NAME_ALONE,
            ),
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_problem_says_what_is_wrong_and_how_to_mend_it(options: Any, expected: Any) -> None:
    assert list(find_problems(options)) == [expected]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"location": ""},
        {"location": "a/b/"},
        {"location": "a..b"},
        {"custom_domain": "cdn.example.com"},
        {"querystring_expire": "60", "url_stable_for": 30},
        {"querystring_expire": 1},
        {"querystring_expire": 604_799, "url_stable_for": 1},
        {"querystring_expire": 604_801, "querystring_auth": False},
        {"querystring_expire": 604_801, "custom_domain": "cdn.example.com"},
        {"access_key": "a", "secret_key": "s", "security_token": "t"},
        {"session_profile": "p"},
        {"role_arn": "arn:aws:iam::123456789012:role/press", "external_id": "e"},
        {"bucket_name": "arn:aws:s3:eu-west-1:123456789012:accesspoint/press"},
        {"bucket_name": "a" * 255},
    ],
)
def test_options_that_go_together_are_no_problem(options: Any) -> None:
    assert list(find_problems(options)) == []


# Layers


def test_an_external_id_stays_with_the_role_that_it_was_given_with(settings: Any) -> None:
    role, other = (f"arn:aws:iam::123456789012:role/{name}" for name in ("one", "other"))
    settings.SMART_STORAGE_BUCKETS = {"m": {"role_arn": role, "external_id": "of one"}}
    assert merging.merge_options("m")["external_id"] == "of one"
    assert "external_id" not in merging.merge_options("m", arguments={"role_arn": other})
    mine = {"role_arn": other, "external_id": "of other"}
    assert merging.merge_options("m", arguments=mine)["external_id"] == "of other"


def test_settings_that_were_read_already_are_not_read_again() -> None:
    upstream = {**merging.get_upstream_options(), "bucket_name": "read-before"}
    assert merging.merge_options("m", upstream=upstream)["bucket_name"] == "read-before"
