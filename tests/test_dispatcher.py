"""The dispatcher: a save is resolved once, names lead to their files, and it tells why."""

from __future__ import annotations

import copy

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import models

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ResolutionError, RoutingRefusedError
from smart_storages.fallback import FallbackStorage
from smart_storages.resolvers import (
    ByExtension,
    ByPathPrefix,
    BySize,
    ByTenant,
    RendezvousHash,
    StorageResolver,
)
from smart_storages.tenancy import use_tenant
from tests.routing_models import RecordingStorage, to_europe

# A save is resolved once


class Document(models.Model):
    file = models.FileField(upload_to="docs", storage=FileSystemStorage("/nowhere"))

    class Meta:
        app_label = "tests"


def save_through_field(storage, name, content, monkeypatch):
    field = Document._meta.get_field("file")
    monkeypatch.setattr(field, "storage", storage)
    document = Document()
    document.file.save(name, ContentFile(content), save=False)
    return document.file


def test_a_save_through_a_field_is_resolved_once(disk, monkeypatch):
    resolved = []
    turns = iter(["a", "b", "a", "b"])

    class RoundRobin(StorageResolver):
        def resolve(self, storages, method, filename, params):
            resolved.append((method, filename))
            return next(turns)

    stores = {"a": disk("a"), "b": disk("b")}
    file = save_through_field(
        StorageDispatcher(RoundRobin(), storages=stores), "x y.txt", b"x", monkeypatch
    )
    assert resolved == [("save", "docs/x y.txt")]
    assert file.name == "docs/x_y.txt"
    assert type(file.name) is str
    assert stores["a"].exists("docs/x_y.txt")
    assert not stores["b"].exists("docs/x_y.txt")


def test_name_and_write_go_to_the_storage_chosen(monkeypatch):
    inner = RecordingStorage()
    save_through_field(StorageDispatcher(lambda *args: inner), "a.txt", b"x", monkeypatch)
    assert [call[0] for call in inner.calls] == ["generate_filename", "save"]


def test_a_choice_by_content_waits_for_the_content(disk, monkeypatch):
    stores = {"small": disk("small"), "large": disk("large")}
    rule = BySize(limit=3, small="small", large="large")
    storage = StorageDispatcher(rule, storages=stores)
    assert save_through_field(storage, "a b.txt", b"123", monkeypatch).name == "small/docs/a_b.txt"
    file = save_through_field(storage, "a b.txt", b"1234", monkeypatch)
    assert file.name == "large/docs/a_b.txt"
    assert file.read() == b"1234"
    assert stores["large"].exists("docs/a_b.txt")


def test_a_resolver_that_swallows_errors_still_waits_for_the_content(disk, monkeypatch):
    def careless(storages, method, filename, params):
        try:
            return "small" if params["content"].size < 3 else "large"
        except Exception:
            return "small"

    storage = StorageDispatcher(careless, storages={"small": disk("s"), "large": disk("l")})
    save_through_field(storage, "a.txt", b"1234", monkeypatch)
    assert storage.storages["large"].exists("docs/a.txt")


@pytest.mark.parametrize(
    "look",
    [
        lambda params: params.get("content", None),
        lambda params: params.get("content"),
        lambda params: dict(params).get("content"),
        lambda params: {**params}.get("content"),
        lambda params: dict(params.items()).get("content"),
        lambda params: {key: params[key] for key in params}.get("content"),
        lambda params: params.copy().pop("content", None),
        lambda params: params["content"] if "content" in params.keys() else None,  # noqa: SIM118
        lambda params: next((each for each in params.values() if hasattr(each, "size")), None),
        lambda params: copy.copy(params).get("content"),
        lambda params: params["content"] if len(params) > 1 else None,
        lambda params: params["content"] if params != {"max_length": None} else None,
    ],
)
def test_every_way_of_asking_for_the_content_waits_for_it(disk, monkeypatch, look):
    def by_size(storages, method, filename, params):
        content = look(params)
        return "large" if content is not None and content.size > 3 else "small"

    storage = StorageDispatcher(by_size, storages={"small": disk("s"), "large": disk("l")})
    save_through_field(storage, "a.txt", b"1234", monkeypatch)
    assert storage.storages["large"].exists("docs/a.txt")


def test_asking_for_anything_else_waits_for_nothing(disk):
    def by_length(storages, method, filename, params):
        assert params["max_length"] is None
        assert params.get("mode") is None
        return "a" if "max_length" in params and "mode" not in params else None

    storage = StorageDispatcher(by_length, storages={"a": disk("a")})
    assert storage.generate_filename("a.txt").storage.alias == "a"


@pytest.mark.parametrize("around", ["fallback", "hash"])
def test_a_prepared_choice_outlives_a_name_that_is_taken(disk, around):
    current = ["a"]
    stores = {"a": disk("a"), "b": disk("b")}
    inner = StorageDispatcher(lambda *args: current[0], storages=stores)
    if around == "fallback":
        storage = FallbackStorage([inner])
    else:
        storage = StorageDispatcher(RendezvousHash(["inner"]), storages={"inner": inner})
    stores["b"].save("x.txt", ContentFile(b"b's"))
    prepared = storage.generate_filename("x.txt")
    current[0] = "b"
    name = storage.save(prepared, ContentFile(b"a's"))
    assert stores["a"].open(name).read() == b"a's"
    assert stores["b"].listdir("")[1] == ["x.txt"]


@pytest.mark.parametrize("record_alias", [True, False])
@pytest.mark.parametrize(
    "rule",
    [
        ByExtension({"pdf": "nope"}, default="a"),
        ByPathPrefix({"docs": "nope"}, default="a"),
        RendezvousHash(["a", "nope"]),
    ],
    ids=repr,
)
def test_a_list_of_an_alias_that_does_not_exist_is_an_error(disk, rule, record_alias):
    storage = StorageDispatcher(rule, storages={"a": disk("a")}, record_alias=record_alias)
    with pytest.raises(ResolutionError, match="'nope'"):
        storage.listdir("")


def test_nested_dispatchers_each_resolve_a_save_once(disk, monkeypatch):
    counts = {"outer": 0, "inner": 0}

    def counting(label, answer):
        def resolver(*args):
            counts[label] += 1
            return answer

        return resolver

    inner = StorageDispatcher(counting("inner", "a"), storages={"a": disk("a")})
    outer = StorageDispatcher(counting("outer", "inner"), storages={"inner": inner})
    save_through_field(outer, "a.txt", b"x", monkeypatch)
    assert counts == {"outer": 1, "inner": 1}


def test_a_name_prepared_by_another_dispatcher_is_only_a_name(disk):
    first = StorageDispatcher(lambda *args: "a", storages={"a": disk("a")})
    second = StorageDispatcher(lambda *args: "b", storages={"b": disk("b")})
    name = second.save(first.generate_filename("x.txt"), ContentFile(b"x"))
    assert second.storages["b"].exists(name)


# Rules that follow the name


def test_every_name_given_by_a_hash_leads_to_its_file(disk):
    buckets = {f"b{i}": disk(f"b{i}") for i in range(5)}
    storage = StorageDispatcher(RendezvousHash(list(buckets)), storages=buckets)
    names = [storage.save("docs/same name.txt", ContentFile(b"%d" % i)) for i in range(20)]
    for i, name in enumerate(names):
        assert storage.open(name).read() == b"%d" % i
    assert sorted(storage.listdir("docs")[1]) == sorted(name.split("/")[1] for name in names)


def test_a_hash_through_a_field_leads_to_its_file(disk, monkeypatch):
    buckets = {f"b{i}": disk(f"b{i}") for i in range(5)}
    storage = StorageDispatcher(RendezvousHash(list(buckets)), storages=buckets)
    for i in range(10):
        file = save_through_field(storage, f"x y {i}.txt", b"x", monkeypatch)
        assert storage.exists(file.name)


class RenamingStorage(FileSystemStorage):
    def get_available_name(self, name, max_length=None):
        return super().get_available_name(f"renamed/{name}", max_length)


def test_a_storage_that_renames_away_from_its_prefix_is_found_out(tmp_path):
    inner = RenamingStorage(str(tmp_path / "a"))
    stores = {"a": inner, "fallback": FileSystemStorage(str(tmp_path / "f"))}
    storage = StorageDispatcher(ByPathPrefix({"docs": "a"}), storages=stores)
    with pytest.raises(ResolutionError, match="record_alias"):
        storage.save("docs/a.txt", ContentFile(b"x"))
    assert inner.listdir("renamed/docs") == ([], [])
    recorded = StorageDispatcher(ByPathPrefix({"docs": "a"}), storages=stores, record_alias=True)
    assert recorded.open(recorded.save("docs/a.txt", ContentFile(b"x"))).read() == b"x"


# Tenants


def test_a_tenant_reads_its_own_file_or_none(disk):
    stores = {"tenant_a": disk("a"), "tenant_b": disk("b")}
    storage = StorageDispatcher(ByTenant(), storages=stores, record_alias=True)
    with use_tenant("a"):
        name = storage.save("x.txt", ContentFile(b"of a"))
        assert storage.open(name).read() == b"of a"
        assert storage.listdir("") == (["tenant_a"], [])
    with use_tenant("b"):
        storage.save("x.txt", ContentFile(b"of b"))
        for call in (storage.open, storage.delete, storage.exists, storage.size, storage.url):
            with pytest.raises(RoutingRefusedError):
                call(name)
    with pytest.raises(RoutingRefusedError):
        storage.open(name)


def test_no_tenant_is_no_fallback(disk):
    storage = StorageDispatcher(ByTenant(), storages={"fallback": disk("f")})
    with pytest.raises(RoutingRefusedError, match="use_tenant"):
        storage.save("x.txt", ContentFile(b"x"))


def test_an_unknown_tenant_is_no_fallback(disk):
    storage = StorageDispatcher(ByTenant(), storages={"fallback": disk("f")})
    with use_tenant("nobody"), pytest.raises(ResolutionError, match="tenant_nobody"):
        storage.save("x.txt", ContentFile(b"x"))


# Telling


def test_explain_names_the_storage_the_rule_and_the_reason(disk):
    stores = {"docs": disk("d"), "fallback": disk("f")}
    storage = StorageDispatcher(ByPathPrefix({"docs": "docs"}), storages=stores)
    told = storage.explain("docs/a.txt")
    assert told.alias == "docs"
    assert told.storage is stores["docs"]
    assert "ByPathPrefix" in told.rule
    assert "'docs/'" in told.reason
    assert str(told) == (
        "open('docs/a.txt') goes to 'docs' by ByPathPrefix({'docs': 'docs'}). "
        "'docs/a.txt' begins with 'docs/'."
    )
    assert "the fallback is used" in str(storage.explain("a.txt", "size"))


def test_explain_sees_recorded_aliases_and_nested_dispatchers(disk):
    inner = StorageDispatcher(ByPathPrefix({"x": "end"}), storages={"end": disk("e")})
    rule = BySize(limit=3, small="inner", large="inner")
    storage = StorageDispatcher(rule, storages={"inner": inner})
    told = storage.explain("inner/x/a.txt")
    assert (told.rule, told.inner_name, told.inner.alias) == ("recorded alias", "x/a.txt", "end")
    content = ContentFile(b"1234")
    assert "4 bytes" in storage.explain("x/a.txt", "save", content=content).reason


def test_explain_of_a_plain_function_names_it(disk):
    storage = StorageDispatcher(to_europe, storages={"europe": disk("e")})
    assert "to_europe" in str(storage.explain("a.txt"))


class ByKind(StorageResolver):
    def resolve(self, storages, method, filename, params):
        if filename.endswith(".bad"):
            raise ResolutionError("nobody takes these")
        return "europe" if filename.endswith(".txt") else None


def by_kind(storages, method, filename, params):
    return ByKind().resolve(storages, method, filename, params)


@pytest.mark.parametrize(("rule", "label"), [(ByKind(), "ByKind()"), (by_kind, "by_kind")])
def test_explain_tells_that_a_rule_returned_none(disk, rule, label):
    stores = {"europe": disk("e"), "fallback": disk("f")}
    storage = StorageDispatcher(rule, storages=stores)
    assert storage.explain("a.txt").reason == f"{label} returned it."
    told = storage.explain("a.pdf").reason
    assert told == f"{label} returned None. That selects no storage, so the fallback is used."
    told = storage.explain("a.bad").reason
    assert told.startswith(f"{label} raised ResolutionError: nobody takes these. That selects no")


def test_explain_tells_of_a_refusal(disk):
    stores = {"tenant_a": disk("a"), "tenant_b": disk("b")}
    storage = StorageDispatcher(ByTenant(), storages=stores, record_alias=True)
    told = storage.explain("a.txt")
    assert told.storage is None
    assert str(told).startswith(
        "open('a.txt') is refused by ByTenant(). There is no current tenant"
    )
    with use_tenant("a"):
        assert "asked for a file of 'tenant_b'" in str(storage.explain("tenant_b/x.txt"))
    outer = StorageDispatcher(lambda *call: "inner", storages={"inner": storage})
    assert "There, open('a.txt') is refused by ByTenant()" in str(outer.explain("a.txt"))
