"""Secrets among the options: which they are, and that none of them is printed."""

from __future__ import annotations

import pytest

from smart_storages.common.secrets import Secret, reveal
from smart_storages.config.options import (
    OPTIONS,
    Option,
    default_of,
    guard,
    guard_parameters,
    holds_secret,
)

SECRETS = [
    *("access_key", "secret_key", "security_token", "cloudfront_key"),
    *("account_key", "connection_string", "sas_token"),
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_prints_as_stars_and_keeps_its_value(name):
    guarded = guard({name: "hunter2", "bucket_name": "acme"})
    assert "hunter2" not in repr(guarded)
    assert guarded == {name: "hunter2", "bucket_name": "acme"}
    assert type(guarded[name]) is Secret
    assert type(guarded["bucket_name"]) is str
    assert guard(guarded)[name] is guarded[name]


def test_a_key_of_bytes_is_kept_as_text_whatever_bytes_these_are():
    assert guard({"cloudfront_key": b"-----BEGIN"})["cloudfront_key"] == "-----BEGIN"
    assert guard({"cloudfront_key": b"\xff1"})["cloudfront_key"] == "\ufffd1"
    assert type(guard({"cloudfront_key": b"x"})["cloudfront_key"]) is Secret
    assert guard({"secret_key": None, "access_key": 5}) == {"secret_key": None, "access_key": 5}


def test_proxies_and_customer_keys_print_as_stars():
    options = {
        "proxies": {"https": "http://ada:hunter2@proxy:3128"},
        "object_parameters": {"SSECustomerKey": "hunter2", "CacheControl": "no-store"},
    }
    guarded = guard(options)
    assert "hunter2" not in repr(guarded)
    assert guarded == options
    assert "no-store" in repr(guarded)
    assert guard({"proxies": "nonsense", "object_parameters": 5}) == {
        "proxies": "nonsense",
        "object_parameters": 5,
    }


def test_what_azures_client_is_given_prints_as_stars_at_any_depth():
    options = {"client_options": {"proxies": {"https": "http://ada:hunter2@proxy:3128"}, "n": 5}}
    guarded = guard(options)
    assert repr(guarded) == "{'client_options': {'proxies': {'https': ***}, 'n': 5}}"
    assert guarded == options
    assert type(reveal(guarded["client_options"])["proxies"]["https"]) is str


@pytest.mark.parametrize(
    ("options", "is_secret"),
    [
        ({"proxies": {"https": "http://ada:hunter2@proxy:3128"}}, True),
        ({"retry_total": 1, "headers": {"Authorization": "hunter2"}}, True),
        ({"retry_total": 1, "read_timeout": 1.5, "logging_enable": False}, False),
        ({}, False),
        ("nonsense", False),
    ],
)
def test_what_azures_client_is_given_stays_out_of_migrations_unless_it_is_numbers(
    options, is_secret
):
    assert holds_secret("client_options", options) is is_secret


def test_a_dict_that_holds_no_secret_stays_as_it_is():
    given = {"https": "http://proxy:3128", "SSECustomerKey": "shown"}
    assert guard({"transfer_config": given})["transfer_config"] is given


def test_of_a_requests_parameters_the_customer_keys_are_secret():
    parameters = {"SSECustomerKey": "hunter2", "CopySourceSSECustomerKey": "hunter3", 5: "five"}
    guarded = guard_parameters({**parameters, "SSECustomerAlgorithm": "AES256"})
    assert guarded == {**parameters, "SSECustomerAlgorithm": "AES256"}
    assert "hunter" not in repr(guarded)
    assert "AES256" in repr(guarded)
    assert "five" in repr(guarded)


@pytest.mark.parametrize("name", [*SECRETS, "credentials", "cloudfront_signer", "proxies"])
def test_what_must_stay_out_of_migrations(name):
    assert holds_secret(name, "x") is True
    assert holds_secret(name, None) is False


@pytest.mark.parametrize("name", ["role_arn", "session_profile", "location", "bucket_name"])
def test_what_may_be_in_a_migration(name):
    assert holds_secret(name, "x") is False


def test_parameters_may_be_in_a_migration_unless_they_hold_a_customer_key():
    assert holds_secret("object_parameters", {"SSECustomerKey": "x"}) is True
    assert holds_secret("object_parameters", {"CacheControl": "x"}) is False
    assert holds_secret("object_parameters", {}) is False
    assert holds_secret("object_parameters", "SSECustomerKey") is False


def test_an_option_that_is_switched_off_has_its_default():
    for name, option in OPTIONS.items():
        assert default_of(name) == option.default
    assert default_of("an_option_of_a_newer_django_storages") is None


def test_an_option_says_what_it_accepts():
    flag, number, text = Option((bool,), False), Option((int,), 0), Option((str, bytes), None)
    assert [flag.accepts(each) for each in (True, None, 1, "x")] == [True, True, False, False]
    assert [number.accepts(each) for each in (1, None, True, "1")] == [True, True, False, False]
    assert Option((), None).accepts(True)
    assert Option((bool, str), None).accepts(True)
    assert text.expected == "str or bytes"
    assert Option((Secret,), None).expected == "smart_storages.common.secrets.Secret"
