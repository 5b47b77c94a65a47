"""The plan on docs/architecture.md holds; public paths and names are what they are said to be."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pickle
import re
import subprocess
import sys
import textwrap
from pickletools import genops
from typing import Any, Dict, List, Set

import pytest

import smart_storages.exceptions
from tests import architecture
from tests.architecture import (
    MODULES,
    PACKAGE,
    PAGE,
    ROOT,
    all_imports,
    imports_of,
    own_imports,
    own_module,
)

#: A module with more lines than this should be two.
_MOST_LINES = 400

# The engine takes options: of configuration it may know the table of providers, nothing else.
ENGINE_MAY_IMPORT = {"config.providers"}

#: Modules that a project imports from, or names in its settings.
PUBLIC = [
    "checks",
    "config",
    "dispatcher",
    "exceptions",
    "fallback",
    "mirror",
    "monitoring.debug_page",
    "monitoring.opentelemetry",
    "monitoring.prometheus",
    "queued.backends",
    "queued.fields",
    "queued.tasks",
    "resolvers",
    "serve",
    "serve.rest_framework",
    "signals",
    "storages",
    "storages.fields",
    "tenancy",
    "uploads.adopting",
    "uploads.fields",
    "uploads.forms",
    "uploads.middleware",
    "uploads.targets",
    "uploads.views",
    "utils",
    "wrappers",
]

#: What may stand in settings, migrations, pickles, rows and messages: it never goes away.
PATHS_THAT_STAY = [
    # BACKEND of STORAGES, FileField(storage=...), migrations
    "smart_storages.DocumentStorage",
    "smart_storages.FallbackStorage",
    "smart_storages.ManifestStaticStorage",
    "smart_storages.MediaStorage",
    "smart_storages.MirrorStorage",
    "smart_storages.PrivateStorage",
    "smart_storages.PublicStorage",
    "smart_storages.ReadOnlyStorage",
    "smart_storages.ScopedStorage",
    "smart_storages.SmartFileField",
    "smart_storages.SmartImageField",
    "smart_storages.SmartS3Storage",
    "smart_storages.StaticStorage",
    "smart_storages.StorageDispatcher",
    "smart_storages.dispatcher.StorageDispatcher",
    "smart_storages.fallback.FallbackStorage",
    "smart_storages.mirror.MirrorStorage",
    "smart_storages.mirror.ReadOnlyStorage",
    "smart_storages.mirror.ScopedStorage",
    "smart_storages.queued.backends.DelayedStorage",
    "smart_storages.queued.backends.QueuedStorage",
    "smart_storages.queued.fields.QueuedFileField",
    "smart_storages.storages.DocumentStorage",
    "smart_storages.storages.ManifestStaticStorage",
    "smart_storages.storages.MediaStorage",
    "smart_storages.storages.PrivateStorage",
    "smart_storages.storages.PublicStorage",
    "smart_storages.storages.SmartS3Storage",
    "smart_storages.storages.StaticStorage",
    "smart_storages.storages.fields.SmartFileField",
    "smart_storages.storages.fields.SmartImageField",
    "smart_storages.uploads.fields.DirectFileField",
    "smart_storages.uploads.fields.DirectImageField",
    "smart_storages.utils.create_storage",
    "smart_storages.utils.create_storage_class",
    "smart_storages.wrappers.ReadOnlyStorage",
    "smart_storages.wrappers.ScopedStorage",
    # resolvers in settings and migrations
    "smart_storages.resolvers.ByContentType",
    "smart_storages.resolvers.ByExtension",
    "smart_storages.resolvers.ByPathPrefix",
    "smart_storages.resolvers.ByRegion",
    "smart_storages.resolvers.BySize",
    "smart_storages.resolvers.ByTenant",
    "smart_storages.resolvers.FirstMatch",
    "smart_storages.resolvers.RendezvousHash",
    # pickles: storages, errors, and the files of rows that a cache keeps
    "smart_storages.exceptions._rebuild_s3_error",
    "smart_storages.queued.backends._rebuild",
    "smart_storages.queued.fields.QueuedFieldFile",
    "smart_storages.resolvers.base._rebuild",
    "smart_storages.storages.fields.SmartFieldFile",
    "smart_storages.storages.fields.SmartImageFieldFile",
    "smart_storages.uploads.fields.DirectFieldFile",
    "smart_storages.uploads.fields.DirectImageFieldFile",
    "smart_storages.utils._create_class",
    "smart_storages.utils._recreate",
    # MIDDLEWARE, INSTALLED_APPS, SMART_STORAGE_TASKS, task=, and other settings
    "smart_storages.apps.SmartStoragesConfig",
    "smart_storages.monitoring.apps.MonitoringConfig",
    "smart_storages.monitoring.debug_page.StorageExceptionReporterFilter",
    "smart_storages.queued.apps.QueuedConfig",
    "smart_storages.queued.engines.Engine",
    "smart_storages.queued.tasks.Transfer",
    "smart_storages.queued.tasks.TransferAndDelete",
    "smart_storages.tenancy.TenantMiddleware",
    "smart_storages.uploads.apps.UploadsConfig",
    "smart_storages.uploads.middleware.DirectUploadMiddleware",
    # what migrations of the uploads and of the queue import
    "smart_storages.uploads.models.new_id",
    "smart_storages.queued.models.QueuedFile",
    "smart_storages.queued.models.new_identity",
    # rows of QueuedPage
    "smart_storages.management.moving.pages.copy_page",
    # include() in the project's URLs
    "smart_storages.local.urls.urlpatterns",
    "smart_storages.queued.urls.urlpatterns",
    "smart_storages.uploads.async_urls.urlpatterns",
    "smart_storages.uploads.urls.urlpatterns",
]


@pytest.fixture(scope="module")
def plans() -> Dict[str, Dict[str, int]]:
    found = architecture.read_floors(PAGE.read_text("utf-8"))
    rooms = {"", "backends.s3", "management", "queued", "storages", "uploads", "wrappers"}
    assert set(found) == rooms
    return found


# The plan


@pytest.mark.documentation
def test_imports_go_down_as_the_page_says(plans: Any) -> None:
    wrong = []
    for module, path in MODULES.items():
        importer = module.partition(".")[2]
        if not importer:
            continue
        for found in own_imports(module):
            for room, plan in plans.items():
                units = [architecture.unit_of(each, room) for each in (importer, found.target)]
                if None in units:
                    continue
                reason = architecture.why_wrong(plan, *units)
                if reason:
                    wrong.append(f"{path.relative_to(ROOT)}:{found.line}: {reason}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.documentation
def test_every_module_stands_on_a_floor(plans: Any) -> None:
    for room, plan in plans.items():
        units = {
            architecture.unit_of(module.partition(".")[2], room)
            for module in MODULES
            if module != PACKAGE
        } - {None}
        assert units == set(plan), f"docs/architecture.md, floors {room or 'of the package'}"


def test_the_engine_knows_no_configuration() -> None:
    known = {
        found.target
        for module in MODULES
        if module.startswith(f"{PACKAGE}.backends.s3")
        for found in own_imports(module)
        if found.target.partition(".")[0] == "config"
    }
    assert known <= ENGINE_MAY_IMPORT


def test_the_engine_knows_no_other_backend() -> None:
    known = {
        found.target
        for module in MODULES
        if module.startswith(f"{PACKAGE}.backends.s3")
        for found in own_imports(module)
        if found.target.partition(".")[0] == "backends"
    }
    assert known
    assert all(f"{target}.".startswith("backends.s3.") for target in known), known


def test_the_ledger_knows_no_storage() -> None:
    known = {
        found.target.partition(".")[0]
        for module in MODULES
        if module.startswith(f"{PACKAGE}.queued.ledger")
        for found in own_imports(module)
    }
    assert known <= {"common", "config", "exceptions", "queued"}


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {
        module.partition(".")[2]: {
            found.target for found in own_imports(module) if found.at_run_time and found.target
        }
        - {module.partition(".")[2]}
        for module in MODULES
    }
    finished: Set[str] = set()

    def visit(module: str, path: List[str]) -> None:
        # A package hands on what its modules hold, and they may name the package.
        circle = [*path[path.index(module) :], module] if module in path else []
        package = module.partition(".")[0]
        assert not circle or all(each.startswith(package) for each in circle), " -> ".join(circle)
        if module not in finished and not circle:
            for target in sorted(graph.get(module, ())):
                visit(target, [*path, module])
            finished.add(module)

    for module in graph:
        visit(module, [])


def test_only_config_reads_django_settings() -> None:
    readers = {
        module
        for module in MODULES
        for found in all_imports(module)
        if found.target.startswith("django.conf")
        and not found.target.startswith("django.conf.urls")
    }
    assert readers
    assert all(module.startswith(f"{PACKAGE}.config") for module in readers)


def test_no_module_is_too_long_to_read_at_once() -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in MODULES.values()}
    assert max(lines.values()) > _MOST_LINES // 2  # they are counted
    long = [
        f"{path.relative_to(ROOT)}: {count}" for path, count in lines.items() if count > _MOST_LINES
    ]
    assert not long, f"over {_MOST_LINES} lines: make two modules of each of {', '.join(long)}"


def test_private_names_of_botocore_and_urllib3_stand_in_one_module() -> None:
    here = MODULES[f"{PACKAGE}.backends.s3.private_names"]
    theirs = {name for name, _ in architecture.private_names(here)}
    assert {"_credentials", "_put_conn", "_make_api_call", "_lookup_cache"} <= theirs
    wrong = []
    for module, path in MODULES.items():
        in_engine = module.startswith(f"{PACKAGE}.backends.s3.")
        for name, node in architecture.private_names(path):
            # The engine uses nobody's private names; a method of such a name is a hook of theirs.
            if isinstance(node, ast.FunctionDef):
                is_theirs = in_engine and name in theirs
            else:
                is_theirs = in_engine or name in theirs
            if is_theirs and path != here:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert not wrong, "\n".join(wrong)


def test_the_package_root_imports_nothing_heavy() -> None:
    code = (
        f"import sys, {PACKAGE}; "
        "print(sorted({'django', 'boto3', 'botocore', 'storages'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), stdout=subprocess.PIPE, check=True
    )
    assert result.stdout.decode().strip() == "[]"


# The page


@pytest.mark.documentation
def test_the_table_of_rooms_is_what_the_source_says() -> None:
    page = PAGE.read_text("utf-8")
    assert page == architecture.with_rooms(page), "run `make architecture`"


def test_the_root_holds_public_paths_and_rooms_only(plans: Any) -> None:
    modules = {
        path.stem for path in (ROOT / PACKAGE).glob("*.py") if path.name not in ("__init__.py",)
    }
    assert modules <= {*PUBLIC, "apps"}
    rooms = {path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    assert rooms | modules == set(plans[""])


def test_a_listing_of_the_package_has_20_public_paths_and_rooms() -> None:
    # Python and Django look for these five by their names.
    theirs = {"__init__.py", "apps.py", "py.typed", "management", "templatetags"}
    # What git leaves of a folder that has moved holds nothing but bytecode.
    listed = {
        entry.name
        for entry in (ROOT / PACKAGE).iterdir()
        if entry.name != "__pycache__"
        and (entry.is_file() or any(path.name != "__pycache__" for path in entry.iterdir()))
    }
    assert theirs <= listed
    assert len(listed - theirs) <= 20, sorted(listed - theirs)


def test_every_room_says_what_comes_in_and_what_it_may_not_know() -> None:
    for room in architecture.rooms():
        doc = inspect.cleandoc(
            ast.get_docstring(ast.parse(MODULES[f"{PACKAGE}.{room}"].read_text("utf-8"))) or ""
        )
        assert re.search(r"\bin\b.*\bout\b", doc, re.S), room
        assert re.search(r"may\s+not", doc), room


@pytest.mark.documentation
def test_every_file_that_the_page_names_exists() -> None:
    page = PAGE.read_text("utf-8")
    for name in re.findall(r"`([\w./]+(?:\.py|\.md|/))`", page):
        places = [ROOT / name, ROOT / PACKAGE / name]
        assert any(place.exists() for place in places), name


# The test tests: what it must see, and what it must let pass


@pytest.mark.parametrize(
    "line",
    [
        "from smart_storages.storages import SmartS3Storage",
        "from smart_storages import storages",
        "import smart_storages.storages as s",
        "from ..storages import SmartS3Storage",
        "from .. import storages",
        "def f():\n    from smart_storages.storages import SmartS3Storage",
        "import_string('smart_storages.storages.SmartS3Storage')",
        "importlib.import_module('smart_storages.storages')",
        "if TYPE_CHECKING:\n    from smart_storages.storages import SmartS3Storage",
    ],
)
def test_a_climbing_import_is_seen(line: str, plans: Any) -> None:
    module = f"{PACKAGE}.config.options"
    found = [own_module(found.target) for found in imports_of(line, module, False)]
    assert "storages" in found
    assert architecture.why_wrong(plans[""], "config", "storages") == "config climbs to storages"


@pytest.mark.documentation
def test_the_rules_are_those_of_the_page(plans: Any) -> None:
    for importer, imported, reason in [
        ("storages", "config", None),
        ("backends", "backends", None),
        ("resolvers", "backends", "resolvers goes sideways to backends"),
        ("dispatcher", "queued", "dispatcher climbs to queued"),
        ("checks", "queued", "checks goes sideways to queued"),
        ("attic", "config", "attic stands on no floor of docs/architecture.md"),
    ]:
        assert architecture.why_wrong(plans[""], importer, imported) == reason


# Public paths and names


@pytest.mark.parametrize("path", PATHS_THAT_STAY)
def test_a_path_that_stands_in_projects_works(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert getattr(load(module), name)


@pytest.mark.parametrize(
    "path",
    [path for path in PATHS_THAT_STAY if path.count(".") > 1 and not path.endswith(".urlpatterns")],
)
def test_a_class_says_the_path_that_stays(path: str) -> None:
    module, _, name = path.rpartition(".")
    value = getattr(load(module), name)
    said = f"{value.__module__}.{value.__qualname__}"
    assert said in PATHS_THAT_STAY, "migrations and pickles would hold this path"


def test_a_pickle_holds_no_other_path() -> None:
    from smart_storages import resolvers, utils

    generated = utils.create_storage_class("pickled", default_acl="private")
    rule = resolvers.FirstMatch(resolvers.ByExtension({"pdf": "documents"}))
    for value in [
        generated,
        generated(),
        smart_storages.ReadOnlyStorage("media"),
        smart_storages.FallbackStorage(["media", {"BACKEND": "smart_storages.MediaStorage"}]),
        smart_storages.MediaStorage(location="x"),
        smart_storages.StorageDispatcher(rule),
        smart_storages.exceptions.S3Error("It failed", bucket="a"),
    ]:
        pickled = pickle.dumps(value, protocol=2)  # whose paths are single words
        paths = {arg.replace(" ", ".") for code, arg, _ in genops(pickled) if code.name == "GLOBAL"}
        ours = {path for path in paths if path.startswith(PACKAGE)}
        assert ours <= {*PATHS_THAT_STAY, f"{PACKAGE}.exceptions.S3Error"}, value
        assert type(pickle.loads(pickled)) is type(value)  # noqa: S301 - our own


def load(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] != PACKAGE:
            pytest.skip(f"{module} needs {error.name}, which is not installed")
        raise


PUBLIC_MODULES = [name for name in MODULES if name == PACKAGE or name.partition(".")[2] in PUBLIC]


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_public_names_are_sorted_and_exist(module: str) -> None:
    loaded = load(module)
    assert hasattr(loaded, "__all__"), f"{module} is public and has no __all__"
    names = list(loaded.__all__)
    ordinary = [name for name in names if not name.startswith("__")]
    assert ordinary == sorted(ordinary)
    assert len(set(names)) == len(names)
    missing = [name for name in names if not hasattr(loaded, name)]
    assert not missing


@pytest.mark.parametrize("module", PUBLIC_MODULES)
@pytest.mark.documentation
def test_public_names_have_docstrings(module: str) -> None:
    loaded = load(module)
    assert inspect.getdoc(loaded), f"{module} has no docstring"
    bare = []
    for name in getattr(loaded, "__all__", []):
        value = getattr(loaded, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        # An inherited docstring describes another class.
        if not (vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__):
            bare.append(name)
    assert not bare


WITH_EXAMPLES = [name for name, path in MODULES.items() if ">>>" in path.read_text("utf-8")]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
@pytest.mark.documentation
def test_examples_in_docstrings_run(module: str) -> None:
    loaded = load(module)
    report: List[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for example in doctest.DocTestFinder().find(loaded, module):
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, textwrap.indent("".join(report), "    ")
