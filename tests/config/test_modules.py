"""Patterns of SMART_STORAGE_BUCKETS: which one a name matches, and what its {module} becomes."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.config import get_bucket_config, merge_options
from smart_storages.config.modules import (
    find_hidden_problem,
    find_key_problems,
    sample_name,
    validate_module_name,
)
from smart_storages.config.values import Problem
from smart_storages.exceptions import ConfigurationError, InvalidModuleNameError


def test_the_name_fills_the_placeholder_also_in_nested_values():
    entry = {
        "location": "{module}/",
        "object_parameters": {"Metadata": {"owner": "{module}"}},
        "gzip_content_types": ["text/{module}"],
    }
    with override_settings(SMART_STORAGE_BUCKETS={"tenant_*": entry}):
        filled = get_bucket_config("tenant_x")
    assert filled["location"] == "tenant_x/"
    assert filled["object_parameters"] == {"Metadata": {"owner": "tenant_x"}}
    assert filled["gzip_content_types"] == ["text/tenant_x"]


def test_an_exact_key_wins_over_every_pattern():
    entries = {
        "tenant_*": {"location": "pattern"},
        "tenant_x": {"location": "exact"},
        "tenant_x*": {"location": "longer pattern"},
    }
    with override_settings(SMART_STORAGE_BUCKETS=entries):
        assert get_bucket_config("tenant_x")["location"] == "exact"


def test_the_longest_pattern_wins():
    entries = {name: {"location": name.strip("*")} for name in ("*", "tenant_*", "tenant_eu*")}
    with override_settings(SMART_STORAGE_BUCKETS=entries):
        assert get_bucket_config("tenant_eu1")["location"] == "tenant_eu"
        assert get_bucket_config("tenant_us")["location"] == "tenant_"
        assert get_bucket_config("media")["location"] == ""


def test_only_the_star_is_special():
    with override_settings(SMART_STORAGE_BUCKETS={"a.b[*]": {"location": "matched"}}):
        assert get_bucket_config("a.b[c]")["location"] == "matched"
        assert get_bucket_config("axb[c]")["location"] == ""


@pytest.mark.parametrize("name", [None, 3, ("tenant_x",)])
@pytest.mark.parametrize("pattern", ["tenant_*", "*"])
def test_a_name_that_is_no_text_is_refused(name, pattern):
    with override_settings(SMART_STORAGE_BUCKETS={pattern: {}}):
        with pytest.raises(TypeError, match="module_name must be the name of a module"):
            get_bucket_config(name)


@pytest.mark.parametrize(
    "name",
    [
        "tenant_a/b", "tenant_../b", "tenant_..", "tenant_a\\b", "tenant_", "tenant_a\0",
        "tenant_a\n", "tenant_a/../../b",
    ],
)  # fmt: skip
def test_a_name_that_could_climb_is_refused(name):
    with override_settings(SMART_STORAGE_BUCKETS={"tenant_*": {"location": "{module}/"}}):
        with pytest.raises(InvalidModuleNameError) as raised:
            get_bucket_config(name)
    assert isinstance(raised.value, ImproperlyConfigured)
    assert isinstance(raised.value, SuspiciousFileOperation)
    assert "tenant_*" in str(raised.value)


@pytest.mark.parametrize("name", ["", ".", "..", " ", "/"])
def test_a_name_of_nothing_is_refused_by_the_pattern_for_all(name):
    with override_settings(SMART_STORAGE_BUCKETS={"*": {"location": "{module}"}}):
        with pytest.raises(InvalidModuleNameError):
            get_bucket_config(name)


@given(name=st.text(max_size=30).map("tenant_".__add__))
def test_whatever_the_name_the_location_is_one_segment(name):
    with override_settings(SMART_STORAGE_BUCKETS={"tenant_*": {"location": "{module}/"}}):
        try:
            location = get_bucket_config(name)["location"]
        except ConfigurationError:
            return
    assert location == f"{name}/"
    assert location.count("/") == 1
    assert location.strip("/") not in ("", ".", "..")


def test_an_unknown_placeholder_is_refused():
    with override_settings(SMART_STORAGE_BUCKETS={"tenant_*": {"location": "{tenant}/"}}):
        with pytest.raises(ConfigurationError, match=r"\{tenant\}"):
            get_bucket_config("tenant_x")


def test_a_placeholder_outside_a_pattern_is_filled_and_validated_too():
    assert merge_options("a", presets={"location": "{module}/"})["location"] == "a/"
    with pytest.raises(InvalidModuleNameError):
        merge_options("../a", presets={"location": "{module}/"})


def test_secrets_are_taken_to_the_letter():
    keys = {"access_key": "{module}", "secret_key": "{x}"}
    with override_settings(SMART_STORAGE_BUCKETS={"t*": keys}):
        assert get_bucket_config("tx")["access_key"] == "{module}"
        assert get_bucket_config("tx")["secret_key"] == "{x}"


def test_why_the_options_of_a_key_cannot_be_read():
    error = ConfigurationError("its bucket is odd")
    problem = find_hidden_problem("a_*", "a_*", error)
    assert problem == Problem(
        "bad-setting", "", "cannot be used: its bucket is odd", "Correct its options."
    )
    hidden = find_hidden_problem("a_*", "a_**", error)
    assert (hidden.code, hidden.key) == ("bad-setting", "")
    assert "also matches the longer 'a_**'" in hidden.message
    assert hidden.hint == "Write patterns that do not match the same names."


def test_keys_that_no_module_can_use():
    assert list(find_key_problems("tenant_*", {})) == []
    assert list(find_key_problems("media", {"location": "{module}"})) == []
    (problem,) = find_key_problems("a/*", {})
    assert (problem.code, problem.key) == ("bad-setting", "")
    assert problem.message.startswith("matches no module: ")
    (problem,) = find_key_problems("a/b", {"location": "{module}"})
    assert (problem.code, problem.key) == ("bad-setting", "")
    assert problem.message.startswith(
        "cannot fill in {module}: The module name 'a/b' contains a sl"
    )
    assert list(find_key_problems("a/b", {"location": "x"})) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        (" . ", "is empty"),
        ("a/b", "contains a slash"),
        ("a\\b", "contains a slash"),
        ("a..b", "contains '..'"),
        ("a\nb", "contains a control character"),
        ("a{b", "contains a brace"),
        ("a}b", "contains a brace"),
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused_with_the_reason(name: str, reason: str):
    where = "a {module} placeholder"
    told = f"The module name {name!r} {reason}; it was used for {where}. Use letters, digits, "
    with pytest.raises(InvalidModuleNameError) as caught:
        validate_module_name(name)
    assert str(caught.value).startswith(told)


def test_a_name_of_letters_that_a_placeholder_has_is_no_placeholder():
    for name in ("X", "X.X", "module", "a-b_c.d", "ä b"):
        validate_module_name(name)


def test_a_pattern_needs_something_in_each_place():
    validate_module_name("a_b", "a_*")
    validate_module_name("b", "a_*-*b")  # does not match, so nothing is missing
    for name, pattern in (("a_", "a_*"), ("a_-b", "a_*-*")):
        with pytest.raises(InvalidModuleNameError) as caught:
            validate_module_name(name, pattern)
        assert caught.value.text == (
            f"The module name {name!r} has nothing in the place of '*'; it was used for "
            f"SMART_STORAGE_BUCKETS[{pattern!r}]. Use letters, digits, '-' and '_'."
        )


def test_the_sample_name_of_a_pattern_is_one_that_nobody_types():
    assert sample_name("tenant_*-*") == "tenant_\u2217-\u2217"
    assert sample_name("media") == "media"
