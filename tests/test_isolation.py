"""Whatever the rule and the order of events: no tenant reaches another's file, no name a scope."""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.core.files.utils import validate_file_name
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.common.names import check_name, check_path
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import RoutingRefusedError
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.resolvers import (
    ByContentType,
    ByExtension,
    ByPathPrefix,
    ByRegion,
    BySize,
    ByTenant,
    FirstMatch,
    RendezvousHash,
)
from smart_storages.tenancy import use_region, use_tenant
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage
from tests.conftest import examples

TENANTS = ["acme", "globex", "initech"]

# Each rule over the two storages of one tenant.
RULES = {
    "extension": lambda: ByExtension({"txt": "a"}, default="b"),
    "prefix": lambda: ByPathPrefix({"docs": "a"}, default="b"),
    "type": lambda: ByContentType({"text/*": "a"}, default="b"),
    "size": lambda: BySize(limit=12, small="a", large="b"),
    "region": lambda: ByRegion({"eu": "a", "us": "b"}),
    "hash": lambda: RendezvousHash(["a", "b"]),
    "first": lambda: FirstMatch(ByPathPrefix({"docs": "a"}), ByExtension({"txt": "b"}, "a")),
    "tenant": lambda: ByTenant({each: each for each in TENANTS}),
}

NAMES = st.sampled_from(
    [
        "x.txt", "docs/x.txt", "docs/x.bin", "tenant_acme/x.txt", "tenant_globex/docs/x.txt",
        "a/x.txt", "b/docs/x.txt", "fallback/x.txt", "globex/x.txt",
        "docs/acme.txt", "docs/globex.txt", "docs/initech.txt",
    ]
)  # fmt: skip
PATHS = st.sampled_from(
    ["", "docs", "tenant_acme", "tenant_globex/docs", "globex", "a", "tenant_globex/a"]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["save", "prepare"]), NAMES, st.integers(0, 8)),
        st.tuples(st.just("save_prepared"), st.integers(0, 20), st.integers(0, 8)),
        st.tuples(st.sampled_from(["open", "delete", "exists", "size", "url"]),
                  st.one_of(NAMES, st.integers(0, 20)), st.just(0)),
        st.tuples(st.just("listdir"), st.one_of(PATHS, st.integers(0, 20)), st.just(0)),
        st.tuples(st.just("tenant"), st.sampled_from([*TENANTS, None]), st.just(0)),
        st.tuples(st.just("region"), st.sampled_from(["eu", "us"]), st.just(0)),
    ),
    max_size=30,
)  # fmt: skip

#: Every look at another's file.
LOOKS = [
    *[(action, "docs/globex.txt", 0) for action in ("exists", "size", "open", "url", "delete")],
    *[("listdir", path, 0) for path in ("docs", "")],
]

#: What stands around the dispatcher by tenant; each call of ``make`` gives one with own disks.
SHAPES = {
    "alone": lambda make: make("one"),
    "fallback": lambda make: FallbackStorage([make("one"), make("two")]),
    "fallback_copying": lambda make: FallbackStorage([make("one"), make("two")], copy_on_read=True),
    "mirror": lambda make: MirrorStorage(make("one"), [make("two")]),
    "scoped": lambda make: ScopedStorage(make("one"), "scope"),
    "mirror_of_fallback": lambda make: MirrorStorage(
        FallbackStorage([make("one"), make("two")]), [make("three")]
    ),
}
#: A scope goes below what records its alias, not around it.
CASES = [
    (shape, rule, is_recorded)
    for shape in SHAPES
    for rule in RULES
    for is_recorded in (True, False)
    if shape != "scoped" or not (is_recorded or getattr(RULES[rule](), "records", False))
]


def labels_of(rule):
    return TENANTS if rule == "tenant" else ["a", "b", "fallback"]


def tenant_storage(root, rule, tenant, group="one"):
    def disk(label):
        directory = root / tenant / group / label
        directory.mkdir(parents=True)
        return FileSystemStorage(str(directory), base_url=f"/{tenant}/{label}/")

    storages = {each: disk(each) for each in labels_of(rule)}
    return StorageDispatcher(RULES[rule](), storages=storages)


def shaped(shape, root, rule, is_recorded):
    def make(group):
        storages = {f"tenant_{each}": tenant_storage(root, rule, each, group) for each in TENANTS}
        return StorageDispatcher(ByTenant(), storages=storages, record_alias=is_recorded)

    return SHAPES[shape](make)


def snapshot(root, tenant):
    files = (path for path in (root / tenant).rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def play_over(case, steps):
    shape, rule, is_recorded = case
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        play(Stage(shaped(shape, root, rule, is_recorded), root, rule), steps)


def test_a_tenant_that_looks_at_anothers_file_does_not_find_it():
    for case in CASES:  # chance finds each look only in some of them
        try:
            play_over(case, LOOKS)
        except Exception as error:
            raise AssertionError(f"{case}: {error!r}") from error


@given(case=st.sampled_from(CASES), steps=STEPS)
@examples(150)
def test_a_tenant_never_sees_or_changes_anothers_file(case, steps):
    play_over(case, steps)


@pytest.mark.soak
@pytest.mark.parametrize("case", CASES, ids=str)
@given(steps=STEPS)
@examples(50)
def test_over_a_long_time_no_tenant_sees_or_changes_anothers_file(case, steps):
    play_over(case, steps)


class Stage:
    """A storage, what was saved and prepared in it so far, and where each tenant's files are."""

    def __init__(self, storage, root, rule):
        self.storage, self.root, self.rule = storage, root, rule
        self.saved = []
        self.prepared = []
        for tenant in TENANTS:  # something of each to be seen by the others
            with use_tenant(tenant), use_region("eu"):
                save(self, tenant, f"docs/{tenant}.txt", 2)

    def own(self, tenant):
        """Names and directories of a tenant's own, as its disks have them."""
        files, directories = set(), set()
        for disk in (self.root / tenant).glob("*/*"):
            for path in disk.rglob("*"):
                (files if path.is_file() else directories).add(path.relative_to(disk).as_posix())
        return files, directories


def content_of(tenant, size):
    """Content by which bytes and size tell whose it is."""
    start = f"{tenant}:".encode()
    length = len(start) + 3 * size
    length += (TENANTS.index(tenant) - length) % len(TENANTS)
    return start.ljust(length, b"x")


def play(stage, steps):
    tenant, region = "acme", "eu"
    for action, argument, size in steps:
        if action == "tenant":
            tenant = argument
        elif action == "region":
            region = argument
        elif action == "save_prepared" and not stage.prepared:
            continue
        else:
            chosen = choose_argument(stage, action, argument)
            # Who asked for the name, whoever is current now.
            owner = chosen[0] if action == "save_prepared" else tenant
            others = [each for each in TENANTS if each != owner]
            before = [snapshot(stage.root, each) for each in others]
            with use_tenant(tenant), use_region(region):
                act(stage, (action, chosen, size), tenant)
            assert [snapshot(stage.root, each) for each in others] == before


def choose_argument(stage, action, argument):
    if not isinstance(argument, int):
        return argument
    if action == "save_prepared":
        return stage.prepared.pop(argument % len(stage.prepared))
    name = stage.saved[argument % len(stage.saved)] if stage.saved else "x.txt"
    return os.path.dirname(name) if action == "listdir" else name


def act(stage, step, tenant):
    action, name, size = step
    storage = stage.storage
    try:
        if action == "prepare":
            stage.prepared.append((tenant, storage.generate_filename(name)))
        elif action == "save":
            save(stage, tenant, name, size)
        elif action == "save_prepared":
            save(stage, *name, size)
        else:
            look(stage, tenant, name, action, getattr(storage, action)(name))
    except RoutingRefusedError:
        return
    except OSError:  # not there, or a directory
        assert action in ("open", "size", "listdir", "delete")


def save(stage, owner, name, size):
    content = content_of(owner or TENANTS[0], size)
    stage.saved.append(stage.storage.save(name, ContentFile(content)))
    with use_tenant(owner), stage.storage.open(stage.saved[-1]) as file:
        assert file.read() == content


def look(stage, tenant, name, action, answer):
    assert tenant is not None, "no tenant, no file"
    files, directories = stage.own(tenant)
    if action == "open":
        with answer:
            assert answer.read().startswith(f"{tenant}:".encode())
    elif action == "url":
        assert answer.startswith(f"/{tenant}/")
    elif action == "size":
        assert answer % len(TENANTS) == TENANTS.index(tenant)
    elif action == "exists":
        is_own = [each for each in files if is_same(each, name)]
        assert not answer or is_own
    elif action == "listdir":
        labels = [tenant] if stage.rule == "tenant" else labels_of(stage.rule)
        own = {os.path.basename(each) for each in directories} | {f"tenant_{tenant}", *labels}
        assert {*answer[0]} <= own
        assert {*answer[1]} <= {os.path.basename(each) for each in files}


def is_same(stored, name):
    """Whether a name is that of a stored file, behind recorded aliases or in front of a scope."""
    return f"/{name}".endswith(f"/{stored}") or stored == f"scope/{name}"


@pytest.mark.parametrize("method", ["save", "asave"])
@pytest.mark.parametrize(("shape", "is_recorded"), sorted({(c[0], c[2]) for c in CASES}))
def test_a_name_prepared_by_one_tenant_is_saved_as_its_own(shape, is_recorded, method, tmp_path):
    storage = shaped(shape, tmp_path, "hash", is_recorded)
    stage = Stage(storage, tmp_path, "hash")
    for tenant in ("acme", "globex"):
        with use_tenant(tenant):
            save(stage, tenant, "x.txt", 0)
    before = snapshot(tmp_path, "globex")
    with use_tenant("acme"):
        prepared = storage.generate_filename("x.txt")
    with use_tenant("globex"):
        put = async_to_sync(storage.asave) if method == "asave" else storage.save
        name = put(prepared, ContentFile(b"acme's own"))
    assert snapshot(tmp_path, "globex") == before
    with use_tenant("acme"), storage.open(name) as file:
        assert file.read() == b"acme's own"


# Hostile names

SEEDS = [
    "..", "../", "../../etc/passwd", "/etc/passwd", "//etc/passwd", "\\", "..\\", "\\\\host\\x",
    "C:\\x", "a/../../b", "a\\..\\..\\b", "./../x", "\0", "a\0b", "a/\0/../..", ".", "./", "a/..",
    "...", "....//....//x", "%2e%2e/x", "..%2fx", "..;/x", "\u2025/x", "\uff0e\uff0e/x",
    "..\u2215x", "\u202e/..",
    "x" * 2000, "d/" * 800 + "x", "../" * 500 + "x", " /..", "../ ", "\n../x", "~/x", "$HOME/../x",
    "file:///etc/passwd", "http://x/../y", "CON", "a:b", "*", "|x", "\udcff", "ä/../ö", "a//../b",
    "scope", "../scope", "../scope2/x", "scope/../../x", "..//scope/x",
]  # fmt: skip
PIECES = [
    *SEEDS, "/", "\\", ".", "..", "a", "b.txt", "\0", "scope", "//", "\\..\\", "/../",
    "\u2024\u2024",
]  # fmt: skip


def hostile_names(count):
    rng = random.Random(20261121)  # noqa: S311 - names, not keys
    yield from SEEDS
    for _ in range(count - len(SEEDS)):
        name = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 6)))
        if rng.random() < 0.3:
            position = rng.randrange(len(name) + 1)
            name = name[:position] + chr(rng.choice([0, 9, 10, 46, 47, 92, 127, 0x2025, 0x2044]))
        yield name


class Landing(Storage):
    """Keeps where each call would land, as a disk and as S3 would understand the name."""

    def __init__(self):
        self.names = []

    def exists(self, name):
        self.names.append(name)
        return False

    def open(self, name, mode="rb"):
        self.names.append(name)

    def delete(self, name):
        self.names.append(name)

    def listdir(self, path):
        self.names.append(path)
        return [], []

    def size(self, name):
        self.names.append(name)
        return 0

    def url(self, name):
        self.names.append(name)
        return name

    def path(self, name):
        self.names.append(name)
        return name

    def get_available_name(self, name, max_length=None):
        self.names.append(name)
        return name

    def generate_filename(self, filename):
        self.names.append(filename)
        return filename

    def get_accessed_time(self, name):
        self.names.append(name)

    get_created_time = get_modified_time = get_accessed_time

    def save(self, name, content, max_length=None):
        self.names.append(name)
        return name


OTHER_METHODS = [
    "size", "url", "path", "get_available_name", "generate_filename", "get_accessed_time",
    "get_created_time", "get_modified_time",
]  # fmt: skip


def leaves(name):
    """Whether a name that arrived below leads out of ``scope``, read as any layer may read it."""
    if "\0" in name:
        return True
    for reading in (name, name.replace("\\", "/")):
        landed = os.path.normpath(os.path.join("/root", reading))
        if landed != "/root/scope" and not landed.startswith("/root/scope/"):
            return True
    return False


@pytest.mark.parametrize(
    "compose",
    [
        lambda inner: ScopedStorage(inner, "scope"),
        lambda inner: ScopedStorage(ReadOnlyStorage(inner), "scope"),
        lambda inner: FallbackStorage([ScopedStorage(inner, "scope")]),
        lambda inner: MirrorStorage(ScopedStorage(inner, "scope"), [ScopedStorage(inner, "scope")]),
        lambda inner: StorageDispatcher(
            lambda *args: "a", storages={"a": ScopedStorage(inner, "scope")}, record_alias=True
        ),
    ],
    ids=["scoped", "scoped-readonly", "fallback-scoped", "mirror-scoped", "dispatcher-scoped"],
)
@pytest.mark.parametrize("count", [1_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_hostile_names_never_leave_a_scope(compose, count):
    inner = Landing()
    storage = compose(inner)
    refused = 0
    tried = Counter()
    for number, name in enumerate(hostile_names(count)):
        # Every name tries these five, and two of the others by turns.
        others = (OTHER_METHODS[(number + turn) % len(OTHER_METHODS)] for turn in (0, 3))
        for method in ("exists", "open", "delete", "listdir", "save", *others):
            tried[method] += 1
            try:
                if method == "save":
                    storage.save(name, ContentFile(b"x"))
                else:
                    getattr(storage, method)(name)
            except (SuspiciousFileOperation, PermissionError):
                refused += 1
            except FileNotFoundError:
                pass
    assert refused > count / 10
    assert min(tried.values()) >= count / 4
    assert {*tried} >= {*OTHER_METHODS}
    assert inner.names
    escaped = [name for name in inner.names if leaves(name)]
    assert escaped == []


@given(st.text(alphabet=st.sampled_from("./\\a\0 %"), max_size=12))
@examples(1000)
def test_the_fast_check_is_never_laxer_than_djangos(name):
    try:
        check_name(name)
    except SuspiciousFileOperation:
        return
    validate_file_name(name.replace("\\", "/"), allow_relative_path=True)
    assert "\0" not in name


@given(st.text(alphabet=st.sampled_from("./\\a\0 %"), max_size=12))
@examples(1000)
def test_a_path_that_passes_stays_inside(name):
    try:
        check_path(name)
    except SuspiciousFileOperation:
        return
    assert not leaves(f"scope/{name}")


@given(st.text(min_size=1, max_size=30))
@examples(200)
def test_a_disk_confirms_where_scoped_names_land(name):
    with tempfile.TemporaryDirectory() as directory:
        storage = ScopedStorage(FileSystemStorage(directory), "scope")
        with suppress(SuspiciousFileOperation, OSError, ValueError):
            storage.save(name, ContentFile(b"x"))
        landed = [path for path in Path(directory).rglob("*") if path.is_file()]
        assert all("scope" in path.relative_to(directory).parts[:1] for path in landed)
