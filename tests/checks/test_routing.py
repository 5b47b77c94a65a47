"""What is wrong with storages made of storages is told before anybody uploads a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import models
from django.test.utils import isolate_apps

from smart_storages.checks import in_use, routing
from smart_storages.checks.routing import check_routing
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import (
    ByExtension,
    ByPathPrefix,
    ByRegion,
    BySize,
    ByTenant,
    FirstMatch,
)
from smart_storages.wrappers import ReadOnlyStorage

FILES = "django.core.files.storage.FileSystemStorage"
DISPATCHER = "smart_storages.dispatcher.StorageDispatcher"
FALLBACK = "smart_storages.fallback.FallbackStorage"
MIRROR = "smart_storages.mirror.MirrorStorage"
READ_ONLY = "smart_storages.wrappers.ReadOnlyStorage"
SCOPED = "smart_storages.wrappers.ScopedStorage"
TO_EUROPE = "tests.routing_models.to_europe"


class Foreign(FileSystemStorage):
    """Somebody else's storage, which a check leaves alone."""

    def __init__(self, *args, **kwargs):
        raise AssertionError("a check built it")


class InMemoryStorage(Foreign):
    """Named as Django's, which Django before 4.2 does not have."""


def short(messages):
    return sorted(message.id.split(".")[1] for message in messages)


@pytest.fixture
def check(settings):
    def check_aliases(**aliases):
        settings.STORAGES = {
            "disk": {"BACKEND": FILES, "OPTIONS": {"location": "/nowhere/disk"}},
            "other": {"BACKEND": "tests.checks.test_routing.Foreign"},
            **{key: {"BACKEND": path, "OPTIONS": opts} for key, (path, opts) in aliases.items()},
        }
        return check_routing()

    return check_aliases


# One mistake, one message


@pytest.mark.parametrize(
    ("backend", "options", "expected", "words"),
    [
        (DISPATCHER, {"resolver": "no.such.Rule"}, "E014", "no.such.Rule"),
        (DISPATCHER, {"resolver": "os.sep"}, "E014", "'os.sep' is not a resolver"),
        (DISPATCHER, {"resolver": "smart_storages.resolvers.BySize"}, "E014", "needs arguments"),
        (DISPATCHER, {"resolver": FirstMatch("media")}, "E014", "'media' cannot be imported"),
        (DISPATCHER, {"resolver": lambda storages: "a"}, "E014", "storages, method, filename"),
        (DISPATCHER, {}, "E014", "no resolver"),
        (DISPATCHER, {"resolver": BySize(5, "disk", "nowhere")}, "E015", "'nowhere'"),
        (DISPATCHER, {"resolver": ByTenant({"acme": "nowhere"})}, "E015", "'nowhere'"),
        (
            DISPATCHER,
            {"resolver": FirstMatch(ByExtension({"a": "disk"}), ByRegion({"eu": "nowhere"}))},
            "E015",
            "'nowhere'",
        ),
        (
            DISPATCHER,
            {"resolver": TO_EUROPE, "unknown_alias": "fallback"},
            "E015",
            "no storage of that alias",
        ),
        (
            DISPATCHER,
            {"resolver": BySize(5, "a", "b"), "storages": {"a": "disk"}},
            "E015",
            "'b'",
        ),
        (DISPATCHER, {"resolver": TO_EUROPE, "storages": {"a": "nowhere"}}, "E016", "'a'"),
        (DISPATCHER, {"resolver": TO_EUROPE, "unknown_alias": "ignore"}, "E013", "'ignore'"),
        (DISPATCHER, {"resolver": TO_EUROPE, "record_alais": True}, "E013", "'record_alias'"),
        (DISPATCHER, {"resolver": TO_EUROPE, "record_alias": "yes"}, "E013", "record_alias"),
        (FALLBACK, {}, "E013", "FALLBACK_STORAGES"),
        (FALLBACK, {"backends": ["disk", "nowhere"]}, "E016", "'nowhere'"),
        (FALLBACK, {"backends": ["disk", "no.such.Storage"]}, "E016", "cannot be imported"),
        (FALLBACK, {"backends": ["disk", {"BACKEND": "no.such"}]}, "E016", "cannot be imported"),
        (FALLBACK, {"backends": ["disk", {"OPTIONS": {}}]}, "E016", "without BACKEND"),
        (FALLBACK, {"backends": ["disk", 5]}, "E016", "is not a storage"),
        (FALLBACK, {"backends": ["disk"], "write_to": ["other"]}, "E013", "write_to"),
        (FALLBACK, {"backends": ["disk"], "delete_from": [1]}, "E013", "delete_from"),
        (FALLBACK, {"backends": ["disk"], "fall_through": ["nowhere"]}, "E013", "'nowhere'"),
        (FALLBACK, {"backends": ["disk"], "fall_through": ["no.Error"]}, "E013", "'no.Error'"),
        (FALLBACK, {"backends": ["disk"], "timeout": "2"}, "E013", "timeout"),
        (FALLBACK, {"backends": ["disk", "disk"]}, "E013", "twice"),
        (MIRROR, {"primary": "nowhere", "mirrors": ["disk"]}, "E016", "'nowhere'"),
        (MIRROR, {"primary": "disk", "mirrors": ["nowhere"]}, "E016", "'nowhere'"),
        (MIRROR, {"primary": "disk", "mirrors": []}, "E013", "mirrors"),
        (MIRROR, {"primary": "disk"}, "E013", "mirrors"),
        (MIRROR, {"primary": "disk", "miror": ["x"]}, "E013", "did you mean 'mirrors'"),
        (READ_ONLY, {"inner": "nowhere"}, "E016", "'nowhere'"),
        (READ_ONLY, ["x"], "E013", "OPTIONS must be a dict"),
        (SCOPED, {"inner": "disk", "prefix": "../a"}, "E013", "../a"),
        (SCOPED, {"inner": "nowhere", "prefix": "a"}, "E016", "'nowhere'"),
    ],
)
def test_each_mistake_has_its_id(check, backend, options, expected, words):
    (message,) = check(mine=(backend, options))
    assert message.id == f"smart_storages.{expected}"
    assert message.msg.startswith("STORAGES['mine']: ")
    assert words in message.msg
    assert message.hint


def test_a_mistake_within_a_nested_storage_is_told(check):
    (message,) = check(
        mine=(FALLBACK, {"backends": ["disk", {"BACKEND": READ_ONLY, "OPTIONS": {"innr": "x"}}]})
    )
    assert message.id == "smart_storages.E013"
    assert "ReadOnlyStorage has no option 'innr'; did you mean 'inner'" in message.msg
    (message,) = check(mine=(READ_ONLY, {"inner": MirrorStorage("disk", ["nowhere"])}))
    assert message.id == "smart_storages.E016"


def test_a_mistake_is_told_once_however_many_refer_to_it(check):
    assert short(
        check(
            mine=(READ_ONLY, {"inner": "nowhere"}),
            one=(READ_ONLY, {"inner": "mine"}),
            two=(MIRROR, {"primary": "mine", "mirrors": ["one"]}),
        )
    ) == ["E016"]


def test_the_backends_of_the_setting_are_checked(check, settings):
    settings.FALLBACK_STORAGES = ("disk", "nowhere")
    assert short(check(mine=(FALLBACK, {}))) == ["E016"]
    settings.FALLBACK_STORAGES = ("disk", "disk")
    assert short(check(mine=(FALLBACK, {}))) == ["W005"]


# Circles


@pytest.mark.parametrize(
    ("aliases", "circle"),
    [
        ({"default": (FALLBACK, {"backends": ["disk", "default"]})}, "default -> default"),
        ({"default": (MIRROR, {"primary": "default", "mirrors": ["disk"]})}, "default -> default"),
        ({"default": (READ_ONLY, {"inner": default_storage})}, "default -> default"),
        (
            {
                "default": (FALLBACK, {"backends": ["disk", "b"]}),
                "b": (SCOPED, {"inner": "default", "prefix": "a"}),
            },
            "default -> b -> default",
        ),
        (
            {"default": (FALLBACK, {"backends": ["disk", {"BACKEND": READ_ONLY,
                                                          "OPTIONS": {"inner": "default"}}]})},
            f"default -> {READ_ONLY} -> default",
        ),
        (
            {"default": (DISPATCHER, {"resolver": ByExtension({"pdf": "default"})})},
            "default -> default",
        ),
        (
            {
                "default": (DISPATCHER, {"resolver": ByExtension({"pdf": "b"}, "disk")}),
                "b": (FALLBACK, {"backends": ["disk", "default"]}),
            },
            "default -> b -> default",
        ),
    ],
)  # fmt: skip
def test_a_circle_is_told_once_with_its_names(check, aliases, circle):
    (message,) = check(**aliases)
    assert message.id == "smart_storages.E017"
    assert message.msg.endswith(f"refer to each other in a circle: {circle}.")


def test_the_class_that_takes_its_backends_from_the_setting_it_stands_in(check, settings):
    settings.FALLBACK_STORAGES = ("disk", FALLBACK)
    assert short(check(mine=(FALLBACK, {}))) == ["E017"]


def test_a_way_that_another_name_or_rule_leads_out_of_is_no_circle(check):
    by_prefix = ByPathPrefix({"a": "b"}, "disk")
    assert not check(
        default=(DISPATCHER, {"resolver": by_prefix}),
        b=(SCOPED, {"inner": "default", "prefix": "elsewhere"}),
    )
    assert not check(
        default=(DISPATCHER, {"resolver": by_prefix}),
        b=(DISPATCHER, {"resolver": ByExtension({"pdf": "default"}, "disk")}),
    )


# The same storage twice


def test_two_references_to_one_place_are_warned_of(check):
    options = {"location": "/nowhere/disk"}
    (message,) = check(
        again=(FILES, dict(options)), mine=(MIRROR, {"primary": "disk", "mirrors": ["again"]})
    )
    assert message.id == "smart_storages.W005"
    assert "'disk' and 'again'" in message.msg
    nested = {"BACKEND": FILES, "OPTIONS": options}
    assert short(check(mine=(FALLBACK, {"backends": ["disk", nested]}))) == ["W005"]
    assert not check(
        mine=(FALLBACK, {"backends": ["disk", {**nested, "OPTIONS": {"location": "/b"}}]})
    )


def test_storages_in_memory_share_nothing(check):
    memory = {"BACKEND": "tests.checks.test_routing.InMemoryStorage"}
    assert not check(mine=(MIRROR, {"primary": memory, "mirrors": [dict(memory)]}))


# What is right


def test_what_is_right_raises_nothing(check, settings):
    settings.SMART_STORAGE_BUCKETS = {"tenant_*": {"bucket_name": "a", "location": "{module}/"}}
    settings.FALLBACK_STORAGES = ("disk", "other")
    assert not check(
        default=(DISPATCHER, {"resolver": ByExtension({"pdf": "disk"})}),
        tenants=(DISPATCHER, {"resolver": ByTenant(), "record_alias": True}),
        own=(DISPATCHER, {"resolver": BySize(3, "a", "b"), "storages": {"a": "disk", "b": FILES}}),
        wide=(DISPATCHER, {"resolver": BySize(3, "a", "b"),
                           "storages": {"a": "disk", "b": "tenant_x", "c": FILES}}),
        some=(FALLBACK, {}),
        mine=(FALLBACK, {"backends": ["disk", "tenant_b", "media", FILES], "write_to": [0, "media"],
                         "fall_through": ["denied", "builtins.KeyError"], "timeout": 2}),
        mirror=(MIRROR, {"primary": "mine", "mirrors": ["other", {"BACKEND": FILES}]}),
        kept=(READ_ONLY, {"inner": FileSystemStorage}),
        scoped=(SCOPED, {"inner": ReadOnlyStorage("mirror"), "prefix": "a"}),
        lazy=(READ_ONLY, {"inner": default_storage}),
    )  # fmt: skip
    assert not check(
        forgiving=(DISPATCHER, {"resolver": BySize(3, "a", "b"), "unknown_alias": "fallback"}),
        fallback=(FILES, {}),
    )


def test_a_wrong_bucket_setting_is_left_to_its_own_check(check, settings):
    settings.SMART_STORAGE_BUCKETS = "media"
    assert not check(mine=(READ_ONLY, {"inner": "nowhere"}))


# Fields


@isolate_apps("tests")
def test_the_storages_of_fields_are_checked(check, monkeypatch):
    broken = FallbackStorage(["disk", "nowhere"])

    class Report(models.Model):
        file = models.FileField(storage=broken)
        again = models.FileField(storage=broken)
        routed = models.FileField(storage=StorageDispatcher("no.such.Rule"))
        plain = models.FileField(storage=MirrorStorage("disk", [FILES]))

        class Meta:
            app_label = "tests"

    monkeypatch.setattr(in_use.apps, "get_models", lambda: [Report])
    messages = check()
    assert short(messages) == ["E014", "E016"]
    assert [message.msg.split(":")[0] for message in messages] == [
        "tests.Report.file",
        "tests.Report.routed",
    ]


@isolate_apps("tests")
def test_a_field_with_the_storage_of_an_alias_tells_nothing_again(check, monkeypatch):
    from smart_storages.utils import resolve_storage

    def check_with_field():
        class Report(models.Model):
            file = models.FileField(storage=resolve_storage("mine"))

            class Meta:
                app_label = "tests"

        monkeypatch.setattr(in_use.apps, "get_models", lambda: [Report])

    check(mine=(FALLBACK, {"backends": ["disk", "nowhere"]}))
    check_with_field()
    assert short(check_routing()) == ["E016"]


# Safety


def test_no_message_shows_a_secret(check):
    secret = {"BACKEND": FILES, "OPTIONS": {"secret_key": "hunter2"}}
    messages = check(
        mine=(FALLBACK, {"backends": ["disk", secret, dict(secret), "nowhere"]}),
        two=(READ_ONLY, {"inner": {"OPTIONS": {"secret_key": "hunter2"}}}),
        three=(READ_ONLY, {"inner": secret, "secret": "hunter2"}),
    )
    assert short(messages) == ["E013", "E016", "E016", "W005"]
    assert "hunter2" not in " ".join(f"{message.msg} {message.hint}" for message in messages)


def test_django_runs_them(check):
    check(mine=(READ_ONLY, {"inner": "nowhere"}))
    assert "smart_storages.E016" in [message.id for message in run_checks()]


@pytest.mark.documentation
def test_every_id_is_documented():
    page = Path(__file__).parents[2].joinpath("docs", "checks.md").read_text("utf-8")
    numbers = [number for number, _ in routing._IDS.values()]
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        assert f"## smart_storages.{number}" in page
