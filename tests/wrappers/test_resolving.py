"""What a resolver's answer means, what a resolver is given, and aliases recorded in names."""

from __future__ import annotations

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage

from smart_storages.common.compat import HAS_STORAGES
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError, ResolutionError, RoutingRefusedError
from smart_storages.resolvers import (
    ByContentType,
    ByPathPrefix,
    ByRegion,
    BySize,
    FirstMatch,
)
from smart_storages.tenancy import use_region
from smart_storages.utils import storages as all_storages
from tests.conftest import shown
from tests.routing_models import ByCountry, RecordingStorage, to_europe

DISPATCHER = "smart_storages.dispatcher.StorageDispatcher"


@pytest.fixture
def aliases(settings, tmp_path):
    """Sets STORAGES to these aliases, disks unless described otherwise."""

    def set_storages(*names, **described):
        settings.STORAGES = {
            **{
                name: {
                    "BACKEND": "django.core.files.storage.FileSystemStorage",
                    "OPTIONS": {"location": str(tmp_path / name), "base_url": f"/{name}/"},
                }
                for name in names
            },
            **described,
        }

    return set_storages


def dispatching(resolver, **options):
    return {"BACKEND": DISPATCHER, "OPTIONS": {"resolver": resolver, **options}}


# What a resolver's answer means


def test_the_file_goes_to_the_alias(aliases, tmp_path):
    aliases("europe", "fallback", default=dispatching("tests.routing_models.ByCountry"))
    name = all_storages["default"].save("eu/a.txt", ContentFile(b"x"))
    assert (tmp_path / "europe" / name).read_bytes() == b"x"


@pytest.mark.parametrize(
    "resolver", [ByCountry(), ByCountry, to_europe, "tests.routing_models.ByCountry"], ids=shown
)
def test_a_resolver_is_an_instance_a_class_a_callable_or_a_path(aliases, resolver):
    aliases("europe", "fallback")
    storage = StorageDispatcher(resolver).resolve("open", "eu/a.txt", {})
    assert storage is all_storages["europe"]


def test_none_means_the_fallback(aliases):
    aliases("europe", "fallback")
    assert StorageDispatcher(ByCountry()).resolve("open", "a.txt", {}) is all_storages["fallback"]


def test_a_resolution_error_means_the_fallback(aliases):
    def refuse(*args):
        raise ResolutionError("no idea")

    aliases("europe", "fallback")
    assert StorageDispatcher(refuse).resolve("open", "a.txt") is all_storages["fallback"]


def test_no_fallback_is_a_resolution_error(aliases):
    aliases("europe")
    with pytest.raises(ResolutionError, match="'fallback'"):
        StorageDispatcher(ByCountry()).open("a.txt")


def test_the_own_alias_is_a_resolution_error(aliases):
    aliases("fallback", default=dispatching(lambda *args: "default"))
    with pytest.raises(ResolutionError, match="'default'"):
        all_storages["default"].exists("a.txt")
    with pytest.raises(ResolutionError):
        default_storage.exists("a.txt")
    with pytest.raises(ResolutionError):
        all_storages["default"].resolve("open", "a.txt", {})


def test_a_dispatcher_as_its_own_fallback_is_a_resolution_error(aliases):
    aliases(fallback=dispatching(lambda *args: None))
    with pytest.raises(ResolutionError):
        all_storages["fallback"].exists("a.txt")


@pytest.mark.parametrize("method", ["open", "exists", "size", "generate_filename", "listdir"])
def test_a_circle_of_dispatchers_is_a_resolution_error(aliases, method):
    aliases(
        default=dispatching(lambda *args: "second"),
        second=dispatching(lambda *args: "third"),
        third=dispatching(lambda *args: "default"),
    )
    with pytest.raises(ResolutionError, match="circle"):
        getattr(all_storages["default"], method)("a.txt")
    with pytest.raises(ResolutionError):
        all_storages["default"].resolve(method, "a.txt", {})
    with pytest.raises(ResolutionError, match="circle"):
        all_storages["default"].save("a.txt", ContentFile(b"x"))


def test_a_circle_through_other_storages_is_a_resolution_error(aliases):
    scoped = "smart_storages.wrappers.ScopedStorage"
    aliases(
        default=dispatching(lambda *args: "scoped"),
        scoped={"BACKEND": scoped, "OPTIONS": {"inner": "default", "prefix": "deeper"}},
    )
    with pytest.raises(ResolutionError, match="circle"):
        all_storages["default"].exists("a.txt")


def test_dispatchers_in_a_row_are_no_circle(aliases):
    aliases(
        "end",
        default=dispatching(lambda *args: "second"),
        second=dispatching(lambda *args: "end"),
    )
    assert all_storages["default"].exists("a.txt") is False
    name = all_storages["default"].save("a.txt", ContentFile(b"x"))
    assert all_storages["end"].exists(name)


def test_content_read_from_the_same_dispatcher_is_no_circle(aliases):
    aliases("end", default=dispatching(lambda *args: "second"), second=dispatching(to_end))
    storage = all_storages["default"]
    storage.save("a.txt", ContentFile(b"x"))
    with storage.open("a.txt") as content:
        assert storage.save("b.txt", content) == "b.txt"
    assert storage.size("b.txt") == 1


def to_end(storages, method, filename, params):
    return "end"


def test_an_unknown_alias_names_itself_and_the_known_ones(aliases):
    aliases("europe", "fallback")
    with pytest.raises(ResolutionError, match="'atlantis'") as caught:
        StorageDispatcher(lambda *args: "atlantis").open("a.txt")
    assert "europe" in str(caught.value)
    assert "fallback" in str(caught.value)


def test_an_unknown_alias_can_mean_the_fallback(aliases):
    aliases("fallback")
    storage = StorageDispatcher(lambda *args: "atlantis", unknown_alias="fallback")
    assert storage.resolve("open", "a.txt", {}) is all_storages["fallback"]


def test_a_dotted_path_from_a_resolver_is_not_imported(aliases):
    aliases("fallback")
    with pytest.raises(ResolutionError):
        StorageDispatcher(lambda *args: "tests.routing_models.RecordingStorage").open("a.txt")


@pytest.mark.parametrize("answer", [5, object(), FileSystemStorage, ["europe"]], ids=shown)
def test_an_answer_that_is_no_storage_is_a_resolution_error(aliases, answer):
    aliases("fallback")
    with pytest.raises(ResolutionError, match="a resolver returns an alias"):
        StorageDispatcher(lambda *args: answer).open("a.txt")


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), ConfigurationError("x")])
def test_other_exceptions_of_a_resolver_pass_unchanged(aliases, error):
    def fail(*args):
        raise error

    aliases("fallback")
    with pytest.raises(type(error)) as caught:
        StorageDispatcher(fail).open("a.txt")
    assert caught.value is error


def test_a_module_of_smart_storage_buckets_is_an_alias(aliases, settings):
    aliases("fallback")
    settings.SMART_STORAGE_BUCKETS = {
        "reports": {"bucket_name": "acme-reports"},
        "tenant_*": {"bucket_name": "acme-tenants", "location": "{module}/"},
    }
    for module, bucket in (("reports", "acme-reports"), ("tenant_x", "acme-tenants")):
        storage = StorageDispatcher(lambda *args, module=module: module)
        assert storage.resolve("open", "a.txt").bucket_name == bucket


def test_an_unknown_option_is_refused():
    with pytest.raises(ConfigurationError, match="unknown_alias"):
        StorageDispatcher(ByCountry(), unknown_alias="ignore")
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        StorageDispatcher("no.such.Resolver").open("a.txt")
    with pytest.raises(ConfigurationError, match="its type is int"):
        StorageDispatcher(5).open("a.txt")


def test_the_constructor_looks_nothing_up():
    StorageDispatcher("no.such.Resolver")
    StorageDispatcher()


def test_without_a_resolver_the_options_of_the_default_are_read(aliases):
    aliases("europe", "fallback", default=dispatching(ByCountry(), record_alias=True))
    storage = StorageDispatcher()
    assert storage.resolve("open", "eu/a.txt") is all_storages["europe"]
    assert storage.save("eu/a.txt", ContentFile(b"x")) == "europe/eu/a.txt"


def test_without_a_resolver_anywhere_the_error_says_where_to_put_one(aliases):
    aliases("fallback", "default")
    with pytest.raises(ConfigurationError, match=r'STORAGES\["default"\]\["OPTIONS"\]'):
        StorageDispatcher().open("a.txt")


@pytest.mark.skipif(HAS_STORAGES, reason="Django 4.2 reads STORAGES itself")
def test_before_django_4_2_default_file_storage_names_the_dispatcher(settings, aliases, tmp_path):
    from django.utils.functional import empty

    aliases("europe", default={"OPTIONS": {"resolver": to_europe}})
    settings.DEFAULT_FILE_STORAGE = DISPATCHER
    default_storage._wrapped = empty
    name = default_storage.save("a.txt", ContentFile(b"x"))
    assert (tmp_path / "europe" / name).exists()
    default_storage._wrapped = empty


# What a resolver is given


def test_the_storages_can_be_indexed_iterated_and_tested(aliases, settings):
    seen = {}

    def look(storages, method, filename, params):
        seen["iterated"] = list(storages)
        seen["in"] = ["europe" in storages, "tenant_a" in storages, "atlantis" in storages]
        seen["indexed"] = storages["europe"]
        seen["got"] = storages.get("atlantis", "nothing")
        with pytest.raises(KeyError):
            storages["atlantis"]
        return "europe"

    aliases("europe", "fallback")
    settings.SMART_STORAGE_BUCKETS = {"docs": {"bucket_name": "a"}, "tenant_*": {}}
    StorageDispatcher(look).exists("a.txt")
    assert {"europe", "fallback", "docs"} <= set(seen["iterated"])
    assert "tenant_*" not in seen["iterated"]
    assert seen["in"] == [True, True, False]
    assert seen["indexed"] is all_storages["europe"]
    assert seen["got"] == "nothing"


def test_a_missing_storage_indexed_by_a_resolver_is_not_the_fallback(aliases):
    aliases("fallback")
    storage = StorageDispatcher(lambda storages, *args: storages["atlantis"])
    with pytest.raises(KeyError, match="atlantis"):
        storage.open("a.txt")


def test_the_params_are_the_other_arguments():
    calls = []
    inner = RecordingStorage()

    def look(storages, method, filename, params):
        calls.append((method, filename, dict(params)))
        return inner

    storage = StorageDispatcher(look)
    content = ContentFile(b"x")
    storage.open("a.txt", "rt")
    storage.url("a.txt", {"x": "1"}, expire=5)
    storage.save("a.txt", content, max_length=9)
    assert calls == [
        ("open", "a.txt", {"mode": "rt"}),
        ("url", "a.txt", {"parameters": {"x": "1"}, "expire": 5}),
        ("save", "a.txt", {"content": content, "max_length": 9}),
    ]


def test_call_can_be_overridden(aliases):
    class Wrapped(ByCountry):
        def __call__(self, storages, method, filename, params):
            return super().__call__(storages, method, f"eu/{filename}", params)

    aliases("europe")
    assert StorageDispatcher(Wrapped()).resolve("open", "a.txt") is all_storages["europe"]


# Recorded aliases


def test_a_recorded_name_is_read_whoever_asks(disk):
    asking = ["europe"]
    stores = {"europe": disk("europe"), "us": disk("us")}
    storage = StorageDispatcher(lambda *args: asking[0], storages=stores, record_alias=True)
    name = storage.save("docs/a.txt", ContentFile(b"x"))
    assert name == "europe/docs/a.txt"
    asking[0] = "us"
    assert storage.exists(name)
    assert storage.open(name).read() == b"x"
    assert storage.url(name) == "/europe/docs/a.txt"
    assert storage.listdir("europe/docs") == ([], ["a.txt"])
    storage.delete(name)
    assert not stores["europe"].exists("docs/a.txt")


def test_a_first_segment_that_is_no_alias_is_part_of_the_name(disk):
    storage = StorageDispatcher(lambda *args: "a", storages={"a": disk("a")}, record_alias=True)
    storage.storages["a"].save("legacy/x.txt", ContentFile(b"x"))
    assert storage.open("legacy/x.txt").read() == b"x"


def test_a_save_does_not_take_a_directory_for_an_alias(disk):
    stores = {"a": disk("a"), "docs": disk("docs")}
    storage = StorageDispatcher(lambda *args: "a", storages=stores, record_alias=True)
    name = storage.save("docs/x.txt", ContentFile(b"x"))
    assert name == "a/docs/x.txt"
    assert stores["a"].exists("docs/x.txt")


def test_a_recorded_name_cannot_reach_what_the_rule_never_gives(disk):
    stores = {"small": disk("s"), "large": disk("l"), "secret": disk("x"), "fallback": disk("f")}
    stores["secret"].save("keys.txt", ContentFile(b"x"))
    storage = StorageDispatcher(BySize(limit=3, small="small", large="large"), storages=stores)
    assert not storage.exists("secret/keys.txt")


class Choosy(BySize):
    def accepts(self, storages, alias, filename):
        if filename.endswith("secret.txt"):
            raise RoutingRefusedError(filename)
        return super().accepts(storages, alias, filename)


def test_a_rule_of_ones_own_says_what_it_accepts(disk):
    storage = StorageDispatcher(Choosy(4, "a", "b"), storages={"a": disk("a"), "b": disk("b")})
    assert storage.exists("a/x.txt") is False
    with pytest.raises(RoutingRefusedError):
        storage.exists("a/secret.txt")


@pytest.mark.parametrize("name", ["a//etc/passwd", "a/..\\x", "a/./..", "a//../x"])
def test_what_follows_the_alias_is_checked_as_a_name(disk, name):
    storage = StorageDispatcher(lambda *args: "a", storages={"a": disk("a")}, record_alias=True)
    with pytest.raises(SuspiciousFileOperation):
        storage.exists(name)


def test_the_alias_counts_towards_max_length(disk):
    storage = StorageDispatcher(
        lambda *args: "europe", storages={"europe": disk("e")}, record_alias=True
    )
    for _ in range(3):
        assert len(storage.save("docs/abcdefgh.txt", ContentFile(b"x"), max_length=27)) <= 27
    with pytest.raises(SuspiciousFileOperation, match="max_length"):
        storage.save("a.txt", ContentFile(b"x"), max_length=6)


def test_an_instance_cannot_be_recorded():
    storage = StorageDispatcher(lambda *args: RecordingStorage(), record_alias=True)
    with pytest.raises(ConfigurationError, match="must return an alias"):
        storage.save("a.txt", ContentFile(b"x"))


@pytest.mark.parametrize("alias", ["a/b", "..", "a\\b", "."])
def test_an_alias_that_is_no_segment_cannot_be_recorded(disk, alias):
    storage = StorageDispatcher(lambda *args: alias, storages={alias: disk("a")}, record_alias=True)
    with pytest.raises(ConfigurationError, match="cannot be recorded"):
        storage.save("a.txt", ContentFile(b"x"))


def test_a_choice_that_cannot_be_repeated_is_recorded_by_itself(disk):
    stores = {"a": disk("a"), "b": disk("b"), "fallback": disk("f")}
    for rule in (
        BySize(limit=0, small="b", large="a"),
        ByContentType({"text/plain": "a"}),
        ByRegion({"eu": "a"}),
        FirstMatch(ByPathPrefix({"x": "b"}), ByRegion({"eu": "a"})),
    ):
        with use_region("eu"):
            name = StorageDispatcher(rule, storages=stores).save("d/a.txt", ContentFile(b"x"))
        assert name.startswith("a/d/a")


def test_the_fallback_is_recorded_too(disk):
    rule = ByContentType({"image/*": "media"})
    storage = StorageDispatcher(rule, storages={"media": disk("m"), "fallback": disk("f")})
    upload = ContentFile(b"x")
    upload.content_type = "text/plain"
    name = storage.save("a.png", upload)
    assert name == "fallback/a.png"
    assert storage.open(name).read() == b"x"


def test_the_root_of_recorded_names_holds_the_aliases(disk):
    rule = BySize(limit=3, small="small", large="large")
    storage = StorageDispatcher(rule, storages={"small": disk("s"), "large": disk("l")})
    storage.save("a.txt", ContentFile(b"x"))
    assert storage.listdir("") == (["large", "small"], [])
    assert storage.listdir("small") == ([], ["a.txt"])
