"""The ready-made rules: what each gives, how it spreads, and how it travels."""

from __future__ import annotations

import mimetypes
import pickle
from collections import Counter

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.migrations.writer import MigrationWriter
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import ConfigurationError, ResolutionError, RoutingRefusedError
from smart_storages.resolvers import (
    ByContentType,
    ByExtension,
    ByPathPrefix,
    ByRegion,
    BySize,
    ByTenant,
    FirstMatch,
    RendezvousHash,
    StorageResolver,
)
from smart_storages.resolvers.base import as_resolver
from smart_storages.tenancy import use_region, use_tenant
from tests.conftest import examples, shown
from tests.routing_models import ByCountry, to_europe


def give(rule, name, method="open", **params):
    return rule({}, method, name, params)


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("a.pdf", "docs"),
        ("a.PDF", "docs"),
        ("d.x/a.b.pdf", "docs"),
        ("a.tar.gz", "archives"),
        ("a.gz", "packed"),
        ("a.b.tar.gz", "archives"),
        ("pdf", "rest"),
        ("d.pdf/a", "rest"),
        ("a.pdf.exe", "rest"),
    ],
)
def test_an_extension_leads_to_its_alias(name, alias):
    table = {"pdf": "docs", ".tar.gz": "archives", "GZ": "packed"}
    assert give(ByExtension(table, default="rest"), name) == alias
    if alias in ("docs", "rest"):
        assert give(ByExtension({"pdf": "docs"}, default="rest"), name) == alias


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("reports/a.txt", "reports"),
        ("reports/public/a.txt", "public"),
        ("reports/publicity.txt", "reports"),
        ("reports", "reports"),
        ("reports2/a.txt", None),
        ("x/reports/a.txt", None),
        ("reports//public/a.txt", "public"),
        ("./reports/public/a.txt", "public"),
        ("reports/./public/a.txt", "public"),
    ],
)
def test_the_longest_prefix_wins_at_a_segment(name, alias):
    assert give(ByPathPrefix({"reports": "reports", "reports/public/": "public"}), name) == alias


@pytest.mark.parametrize(
    ("claimed", "name", "alias"),
    [
        ("image/png", "a.txt", "media"),
        ("application/pdf; x=y", "a", "docs"),
        (None, "a.jpg", "media"),
        ("", "a.pdf", "docs"),
        (None, "a.unknown", "rest"),
    ],
)
def test_a_content_type_is_claimed_or_guessed(claimed, name, alias):
    rule = ByContentType({"image/*": "media", "Application/PDF": "docs"}, default="rest")
    content = SimpleUploadedFile(name, b"x", content_type=claimed)
    assert give(rule, name, "save", content=content) == alias


@given(
    st.one_of(
        st.text(alphabet=st.sampled_from("ab./:?#;,%\\"), max_size=8),
        st.sampled_from(["x", "d/x", "a.b", "", ".", "..", "d/.", "C:x", "data:,x", "x.tar"]),
    ),
    st.sampled_from(
        [".png", ".PNG", ".tgz", ".gz", ".svgz", ".Z", ".tar.gz", ".txt", ".none", "", ".", ".png/",
         ".png/x", ".png?x", ".jpg:x", ".new"]
    ),
)  # fmt: skip
@examples(1000)
def test_a_type_guessed_the_short_way_is_that_of_mimetypes(start, end):
    mimetypes.init()
    name = start + end
    rule = ByContentType({"image/*": "i", "text/plain": "t", "application/x-tar": "x"}, "other")
    wanted = mimetypes.guess_type(name)[0] or "application/octet-stream"
    for _ in range(2):
        assert give(rule, name) == give(
            rule, "no-name", content=SimpleUploadedFile("a", b"", wanted)
        )


def test_a_type_that_is_added_later_counts():
    rule = ByContentType({"image/*": "i"}, "other")
    assert give(rule, "a.late") == "other"
    mimetypes.add_type("image/late", ".late")
    try:
        assert give(rule, "a.late") == "i"
    finally:
        mimetypes.init()


def test_content_is_small_up_to_the_limit():
    rule = BySize(limit=3, small="s", large="l")
    assert give(rule, "a", "save", content=ContentFile(b"123")) == "s"
    assert give(rule, "a", "save", content=ContentFile(b"1234")) == "l"
    assert give(rule, "a", "save", content=object()) == "l"
    assert give(rule, "a") is None


def test_a_tenant_has_an_alias_by_pattern_or_by_table():
    with use_tenant("acme"):
        assert give(ByTenant(), "a") == "tenant_acme"
        assert give(ByTenant("files-{tenant}-eu"), "a") == "files-acme-eu"
        assert give(ByTenant({"acme": "x"}), "a") == "x"
        with pytest.raises(RoutingRefusedError, match="'acme'"):
            give(ByTenant({"globex": "x"}), "a")
    with pytest.raises(RoutingRefusedError):
        give(ByTenant(), "a")
    assert give(ByTenant(strict=False), "a") is None


@pytest.mark.parametrize("alias", ["shared", "{tenant}{tenant}", {"a": "x", "b": "x"}])
def test_tenants_cannot_share_an_alias(alias):
    with pytest.raises(ConfigurationError, match="ByTenant"):
        ByTenant(alias)


def by_header(method, filename, params):
    return "us"


def test_a_region_comes_from_the_block_or_a_function():
    table = {"eu": "files_eu", "us": "files_us"}
    with use_region("eu"):
        assert give(ByRegion(table), "a") == "files_eu"
        assert give(ByRegion(table, by_header), "a") == "files_us"
        assert give(ByRegion(table, "tests.test_resolvers.by_header"), "a") == "files_us"
    with pytest.raises(RoutingRefusedError, match="None"):
        give(ByRegion(table), "a")
    assert give(ByRegion(table, strict=False), "a") is None


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("no.such", "'no.such' cannot be imported"),
        (".such", "'.such' cannot be imported"),
        ("tests.test_resolvers.NAMES", "is not one"),
        (lambda method, filename, params: ["eu"], r"returned \['eu'\]; a region is a string"),
        (lambda method, filename, params: 5, "returned 5; a region is a string"),
    ],
)
def test_what_is_no_region_is_named(region, expected):
    with pytest.raises(ConfigurationError, match=f"ByRegion: .*{expected}"):
        give(ByRegion({"eu": "files_eu"}, region=region), "a")


@pytest.mark.parametrize("tenant", ["default", "fallback", "staticfiles"])
@pytest.mark.parametrize("strict", [True, False])
def test_a_template_gives_no_tenant_what_is_everybodys(tenant, strict):
    rule = ByTenant("{tenant}", strict=strict)
    with use_tenant(tenant):
        for _ in range(2):
            with pytest.raises(RoutingRefusedError, match=f"alias '{tenant}'"):
                give(rule, "a")
            with pytest.raises(RoutingRefusedError, match=f"alias '{tenant}'"):
                rule.accepts({}, tenant, f"{tenant}/a")
        assert give(ByTenant({tenant: tenant}), "a") == tenant
        assert give(ByTenant(), "a") == f"tenant_{tenant}"
    with use_tenant("acme"):
        assert give(rule, "a") == "acme"
        assert rule.accepts({}, tenant, f"{tenant}/a") is (tenant == "fallback" and not strict)


def test_no_tenant_is_given_what_another_got_before():
    rule = ByTenant()
    for tenant in ("acme", "globex", "acme"):
        with use_tenant(tenant):
            assert give(rule, "a") == f"tenant_{tenant}"
            assert rule.accepts({}, f"tenant_{tenant}", "a")
            with pytest.raises(RoutingRefusedError):
                rule.accepts({}, "tenant_initech", "a")
    with pytest.raises(RoutingRefusedError):
        rule.accepts({}, "tenant_acme", "a")
    with pytest.raises(RoutingRefusedError):
        give(rule, "a")


NAMES = [f"docs/{number}/file-{number * 7}.txt" for number in range(20_000)]


def test_a_hash_spreads_names_evenly():
    counts = Counter(give(RendezvousHash([f"b{i}" for i in range(8)]), name) for name in NAMES)
    assert len(counts) == 8
    for count in counts.values():
        assert 0.9 < count / (len(NAMES) / 8) < 1.1


@pytest.mark.parametrize("n", [2, 5, 9])
def test_a_new_bucket_takes_its_share_and_nothing_else_moves(n):
    before = RendezvousHash([f"b{i}" for i in range(n - 1)])
    after = RendezvousHash([f"b{i}" for i in range(n)])
    moved = [name for name in NAMES if give(before, name) != give(after, name)]
    assert 0.85 < len(moved) / (len(NAMES) / n) < 1.15
    assert {give(after, name) for name in moved} == {f"b{n - 1}"}


def test_a_hash_is_the_same_in_every_process_and_order():
    rule = RendezvousHash(["a", "b", "c"])
    assert [give(rule, name) for name in ("x", "y", "z", "docs/ä.txt")] == ["a", "a", "b", "b"]
    assert [give(RendezvousHash(["c", "b", "a"]), n) for n in NAMES[:50]] == [
        give(rule, n) for n in NAMES[:50]
    ]


@given(st.text(min_size=1))
def test_any_text_has_a_bucket(name):
    assert give(RendezvousHash(["a", "b"]), name) in ("a", "b")
    assert give(ByExtension({"pdf": "x"}, default="y"), name) in ("x", "y")
    assert give(ByPathPrefix({"pdf": "x"}, default="y"), name) in ("x", "y")


def test_a_hash_needs_buckets():
    for buckets in ([], "files"):
        with pytest.raises(ConfigurationError):
            RendezvousHash(buckets)


def test_the_first_match_wins_and_errors_leave_it_to_the_next():
    def refuse(*args):
        raise ResolutionError("not mine")

    rule = FirstMatch(refuse, ByCountry, ByExtension({"pdf": "docs"}), default_rule)
    assert give(rule, "eu/a.pdf") == "europe"
    assert give(rule, "us/a.pdf") == "docs"
    assert give(rule, "us/a.txt") == "default"
    assert give(FirstMatch(ByCountry), "us") is None
    with pytest.raises(RoutingRefusedError):
        give(FirstMatch(ByTenant(), to_europe), "a")


def default_rule(storages, method, filename, params):
    return "default"


def test_a_first_match_hears_every_refusal_of_a_recorded_alias():
    rule = FirstMatch(ByCountry(), ByTenant())
    with use_tenant("a"):
        assert rule.accepts({"tenant_a": 1}, "tenant_a", "tenant_a/x")
        with pytest.raises(RoutingRefusedError):
            rule.accepts({"tenant_b": 1}, "tenant_b", "tenant_b/x")


RULES = [
    ByCountry(),
    ByExtension({"pdf": "docs"}, default="rest"),
    ByPathPrefix({"a/": "b"}),
    ByContentType({"image/*": "media"}),
    BySize(limit=5, small="s", large="l"),
    ByTenant("t-{tenant}", strict=False),
    ByRegion({"eu": "x"}, "tests.test_resolvers.by_header"),
    RendezvousHash(["a", "b"]),
    FirstMatch(ByCountry(), "tests.routing_models.to_europe", default_rule),
]


@pytest.mark.parametrize("rule", RULES, ids=shown)
def test_a_rule_travels_in_migrations_and_pickles(rule):
    twin = pickle.loads(pickle.dumps(rule))  # noqa: S301 - our own
    assert twin == rule
    assert hash(twin) == hash(rule)
    text, imports = MigrationWriter.serialize(rule)
    assert MigrationWriter.serialize(twin) == (text, imports)
    assert text.startswith(f"{type(rule).__module__}.{type(rule).__name__}(")


@pytest.mark.parametrize("rule", RULES, ids=shown)
def test_a_rule_can_be_explained(rule):
    with use_region("eu"):
        told = rule.explain({}, "save", "a.pdf", {"content": ContentFile(b"x")})
    assert told.endswith(".")


def test_rules_that_differ_are_not_equal():
    assert ByExtension({"a": "b"}) != ByExtension({"a": "c"})
    assert ByExtension({"a": "b"}) != ByPathPrefix({"a": "b"})


def test_a_rule_must_define_resolve():
    with pytest.raises(NotImplementedError, match="StorageResolver must define"):
        give(StorageResolver(), "a")


def test_as_resolver_says_what_a_resolver_is():
    assert as_resolver(to_europe) is to_europe
    with pytest.raises(ConfigurationError, match="its type is dict"):
        as_resolver({})


# What a dispatcher takes for a resolver


def three(storages, method, filename):
    return "media"


class Three(StorageResolver):
    def resolve(self, storages, method, filename):
        return "media"


class NeedsArguments(StorageResolver):
    def __init__(self, table):
        self.table = table


@pytest.mark.parametrize("resolver", [three, Three(), Three, f"{__name__}.three"])
def test_a_resolver_of_other_arguments_is_named_with_those_it_gets(resolver):
    with pytest.raises(ConfigurationError, match=r"[tT]hree.*storages, method, filename, params"):
        StorageDispatcher(resolver).open("a.txt")
    with pytest.raises(ConfigurationError, match=r"[tT]hree.*storages, method, filename, params"):
        FirstMatch(resolver).resolve({}, "open", "a.txt", {})


@pytest.mark.parametrize(
    ("resolver", "expected"),
    [
        ("media", "'media' cannot be imported"),
        ("os.sep", "'os.sep' is not a resolver"),
        (5, "'int' is not a resolver"),
        (NeedsArguments, "NeedsArguments.*needs arguments"),
        (f"{__name__}.NeedsArguments", "NeedsArguments.*needs arguments"),
    ],
)
def test_what_is_no_resolver_is_named(resolver, expected):
    with pytest.raises(ConfigurationError, match=expected):
        FirstMatch(resolver).resolve({}, "open", "a.txt", {})
    with pytest.raises(ConfigurationError, match=expected):
        StorageDispatcher(resolver).open("a.txt")
