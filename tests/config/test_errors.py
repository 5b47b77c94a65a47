"""Errors of a configuration name who is at fault: a module's entry, or the setting behind it."""

from __future__ import annotations

import pytest

from smart_storages.config.errors import (
    Sources,
    describe_missing_entry,
    find_setting,
    missing_bucket_error,
    raise_for_problems,
    raise_for_unknown_options,
    unknown_module_error,
)
from smart_storages.config.problems import find_problems
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import SmartS3Storage
from smart_storages.utils import create_storage_class


def test_a_modules_own_mistake_is_told_with_module_and_key():
    with pytest.raises(ConfigurationError) as raised:
        raise_for_problems("media", {"endpoint_url": "s3.example.com"}, {"endpoint_url": None})
    assert str(raised.value).startswith("SMART_STORAGE_BUCKETS['media']['endpoint_url'] must start")


def test_a_mistake_in_a_setting_is_told_with_the_setting_and_who_uses_it():
    with pytest.raises(ConfigurationError) as raised:
        raise_for_problems("media", {}, {"endpoint_url": "s3.example.com"})
    assert str(raised.value).startswith(
        "The setting AWS_S3_ENDPOINT_URL, which the module 'media' uses, must start"
    )


def test_of_credentials_the_whole_set_is_at_fault():
    upstream = {"access_key": "default"}
    (problem,) = find_problems(upstream)
    assert problem.key == "secret_key"
    assert find_setting(problem, {}, upstream) == "AWS_S3_SECRET_ACCESS_KEY"
    assert find_setting(problem, {"access_key": "own"}, upstream) is None


def test_an_unknown_option_is_told_with_the_one_that_was_meant():
    with pytest.raises(ConfigurationError, match=r"MediaStorage: .*'bucket'.*'bucket_name'"):
        raise_for_unknown_options("MediaStorage", {"bucket": "acme"})


def test_a_missing_bucket_is_told_with_both_places_to_name_it():
    message = str(missing_bucket_error("media"))
    assert "SMART_STORAGE_BUCKETS['media']['bucket_name']" in message
    assert "AWS_STORAGE_BUCKET_NAME" in message


def test_a_missing_bucket_hints_at_the_module_that_was_meant():
    ending = "or AWS_STORAGE_BUCKET_NAME."
    assert missing_bucket_error("mediaa").text.endswith(ending)
    assert missing_bucket_error("mediaa", ["media"]).text.endswith(
        f"{ending} Did you mean 'media'?"
    )
    assert missing_bucket_error("x", ["b", "a"]).text.endswith(f"{ending} Known are: 'a', 'b'.")


def test_a_missing_entry_is_told_with_what_happens_instead():
    text, hint = describe_missing_entry("mediaa", "acme", ["media"])
    told = "The module 'mediaa' has no entry in SMART_STORAGE_BUCKETS, so that "
    assert text == told + "its files go to 'acme', the bucket of AWS_STORAGE_BUCKET_NAME."
    assert hint == (
        "Did you mean 'media'? If the module is meant to use the AWS_* settings, add an empty "
        "entry: {'mediaa': {}}."
    )
    assert describe_missing_entry("mediaa", None, [])[0] == told + "it has no bucket."
    error = unknown_module_error("mediaa", "acme", ["media"])
    assert error.text == f"{text} SMART_STORAGE_STRICT does not allow that. {hint}"


BAD = {"location": "/a"}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda: SmartS3Storage("m", **BAD),
            (
                "The option 'location' of the module 'm', given to SmartS3Storage (by its "
                "constructor, or as OPTIONS in STORAGES), begins with a slash"
            ),
        ),
        (
            create_storage_class("m", **BAD),
            "The option 'location' given to create_storage_class('m') begins with a slash",
        ),
        (
            type("Reports", (SmartS3Storage,), {"module_name": "m", **BAD}),
            "The attribute Reports.location, of the module 'm', begins with a slash",
        ),
        (
            type(
                "Reports",
                (SmartS3Storage,),
                {
                    "module_name": "m",
                    "get_default_settings": lambda self: {
                        **SmartS3Storage.get_default_settings(self),
                        **BAD,
                    },
                },
            ),
            "Reports.get_default_settings(): the option 'location' begins with a slash",
        ),
        (
            lambda: SmartS3Storage("tenant_x"),
            "SMART_STORAGE_BUCKETS['tenant_*']['location'] begins with a slash",
        ),
        (
            lambda: SmartS3Storage("m"),
            "The setting AWS_LOCATION, which the module 'm' uses, begins with a slash",
        ),
        (
            lambda: SmartS3Storage("m", location="a", secret_key="s"),
            (
                "The option 'access_key' of the module 'm', given to SmartS3Storage (by its "
                "constructor, or as OPTIONS in STORAGES), is missing"
            ),
        ),
        (
            lambda: SmartS3Storage("m", location="a", url_stable_for=604_800),
            "The option 'querystring_expire' of the module 'm', given to SmartS3Storage",
        ),
    ],
)
def test_a_wrong_value_is_told_with_the_place_it_comes_from(settings, make, expected):
    settings.AWS_STORAGE_BUCKET_NAME = "acme"
    settings.AWS_LOCATION = "/from-settings"
    settings.SMART_STORAGE_BUCKETS = {"tenant_*": dict(BAD), "m": {}}
    with pytest.raises(ConfigurationError) as raised:
        make().url("a.txt")
    assert str(raised.value).startswith(expected)


PLACES = ["arguments", "defaults", "entry", "presets"]


@pytest.mark.parametrize("place", PLACES)
def test_the_first_place_that_sets_an_option_is_its_owner(place):
    sources = Sources(**{place: frozenset({"location"})})
    assert sources.owner_of("location") == place
    assert sources.owner_of("bucket_name") is None
    later = PLACES[PLACES.index(place) :]
    assert Sources(**dict.fromkeys(later, frozenset({"location"}))).owner_of("location") == place


@pytest.mark.parametrize("named", ["access_key", "external_id", "role_arn"])
@pytest.mark.parametrize("asked", ["secret_key", "external_id"])
def test_credentials_have_one_owner(named, asked):
    sources = Sources(entry=frozenset({named}), presets=frozenset({asked}))
    assert sources.owner_of(asked) == "entry"


def test_an_external_id_without_a_role_is_told_where_it_is_set():
    options = {"external_id": "x"}
    with pytest.raises(ConfigurationError, match=r"^The option 'role_arn' .* given to Mine"):
        raise_for_problems(
            "media", options, {}, lambda: Sources("Mine", arguments=frozenset(options))
        )


@pytest.mark.parametrize("named", ["querystring_expire", "url_stable_for"])
def test_a_life_that_is_too_long_is_told_where_a_part_of_it_is_set(named):
    options = {"querystring_expire": 600_000, "url_stable_for": 600_000}
    with pytest.raises(ConfigurationError, match=r"^The attribute Mine"):
        raise_for_problems(
            "media", options, {}, lambda: Sources("Mine", presets=frozenset({named}))
        )
