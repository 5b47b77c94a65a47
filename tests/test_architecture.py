"""The plan of the house holds: imports go down, one room reads settings, public names are real."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "smart_storages"


class Room(NamedTuple):
    """A floor, and the wing on it: same-floor imports stay within their wing."""

    floor: int
    wing: str


# The longest prefix of a module's path decides. Data comes in at the top and leaves at the bottom.
ROOMS: Dict[str, Room] = {
    "aio": Room(0, "basics"),
    "arguments": Room(0, "basics"),
    "background": Room(0, "basics"),
    "compat": Room(0, "basics"),
    "context_blocks": Room(0, "basics"),
    "distribution": Room(0, "basics"),
    "content": Room(0, "basics"),
    "exceptions": Room(0, "basics"),
    "names": Room(0, "basics"),
    "secrets": Room(0, "basics"),
    "signals": Room(0, "basics"),
    "config_errors": Room(1, "configuration"),
    "config": Room(1, "configuration"),
    "failures": Room(1, "health"),
    "health": Room(1, "health"),
    "modules": Room(1, "configuration"),
    "option_problems": Room(1, "configuration"),
    "option_values": Room(1, "configuration"),
    "spelling": Room(1, "configuration"),
    "options": Room(1, "configuration"),
    "providers": Room(1, "configuration"),
    "stand_ins": Room(1, "configuration"),
    "calls": Room(2, "forwarding"),
    "forwarding": Room(2, "forwarding"),
    "locks": Room(2, "forwarding"),
    "references": Room(2, "forwarding"),
    "resolvers": Room(2, "routing"),
    "s3": Room(2, "engine"),
    "tenancy": Room(2, "routing"),
    "many": Room(3, "storages"),
    "metadata_cache": Room(3, "storages"),
    "workspace": Room(3, "storages"),
    "reading": Room(3, "storages"),
    "configuring": Room(3, "storages"),
    "connecting": Room(3, "storages"),
    "portable": Room(3, "storages"),
    "signed_urls": Room(3, "storages"),
    "storages": Room(3, "storages"),
    "writing": Room(3, "storages"),
    "utils": Room(4, "utils"),
    "backend": Room(5, "routing"),
    "copy_on_read": Room(5, "routing"),
    "dispatcher": Room(5, "routing"),
    "fallback": Room(5, "routing"),
    "mirror": Room(5, "routing"),
    "resolving": Room(5, "routing"),
    "routing": Room(5, "routing"),
    "wrappers": Room(5, "routing"),
    "alias_checks": Room(6, "rim"),
    "apps": Room(6, "rim"),
    "checks": Room(6, "rim"),
    "debug": Room(6, "rim"),
    "connection_checks": Room(6, "rim"),
    "install_checks": Room(6, "rim"),
    "name_checks": Room(6, "rim"),
    "overlaps": Room(6, "rim"),
    "routing_checks": Room(6, "rim"),
    "tenant_checks": Room(6, "rim"),
    "queued": Room(6, "queue"),
    "queued.management": Room(7, "commands"),
    "management": Room(7, "commands"),
    "testing": Room(7, "testing"),
}

# The engine takes options: of configuration it may know the table of providers, nothing else.
ENGINE_MAY_IMPORT = {"providers"}

PUBLIC = [
    "checks",
    "config",
    "debug",
    "dispatcher",
    "exceptions",
    "fallback",
    "mirror",
    "queued.backends",
    "queued.fields",
    "queued.tasks",
    "queued.urls",
    "resolvers",
    "signals",
    "storages",
    "tenancy",
    "testing",
    "utils",
    "wrappers",
]


class Import(NamedTuple):
    target: str
    line: int
    at_run_time: bool


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}


def imports_of(source: str, module: str, is_package: bool) -> Iterator[Import]:
    """Every import in the source, in functions and for type checkers too, by absolute name."""
    tree = ast.parse(source)
    for_types: Set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for statement in node.body:
                for_types |= {id(child) for child in ast.walk(statement)}
    for node in ast.walk(tree):
        at_run_time = id(node) not in for_types
        for target in _targets(node, module, is_package):
            yield Import(target, getattr(node, "lineno", 0), at_run_time)


def _targets(node: ast.AST, module: str, is_package: bool) -> List[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = module.split(".")
            kept = len(parts) - node.level + (1 if is_package else 0)
            base = ".".join([*parts[:kept], *([node.module] if node.module else [])])
        # ``from package import name``: the name may be a module of it.
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and _called_name(node) in ("import_module", "import_string"):
        # Import by name counts when the name is written out.
        argument = node.args[0] if node.args else None
        value = getattr(argument, "value", None)
        return [value] if isinstance(value, str) else []
    return []


def _called_name(call: ast.Call) -> str:
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")


def own_module(target: str) -> Optional[str]:
    """The module of ours that a dotted name leads to, without the package's name; else None."""
    parts = target.split(".")
    if parts[0] != PACKAGE:
        return None
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts[1:])


def room_of(module: str) -> Room:
    """The room of a module, named without the package."""
    parts = module.split(".")
    while parts:
        room = ROOMS.get(".".join(parts))
        if room:
            return room
        parts.pop()
    raise AssertionError(
        f"{PACKAGE}/{module.replace('.', '/')} is in no room: add it to ROOMS in {__file__}"
    )


def climbs(importer: str, imported: str) -> Optional[str]:
    """Why an import is not allowed, or None when it is."""
    root = ""
    if root in (importer, imported) or importer == imported:
        return None
    mine, theirs = room_of(importer), room_of(imported)
    if theirs.floor > mine.floor:
        return f"climbs from floor {mine.floor} to {theirs.floor}"
    if theirs.floor == mine.floor and theirs.wing != mine.wing:
        return f"goes sideways from {mine.wing} to {theirs.wing}"
    if (
        mine.wing == "engine"
        and theirs.wing == "configuration"
        and imported not in ENGINE_MAY_IMPORT
    ):
        return "lets the engine know configuration"
    return None


def own_imports(module: str) -> Iterator[Tuple[str, Import]]:
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    for found in imports_of(source, module, path.name == "__init__.py"):
        target = own_module(found.target)
        if target is not None:
            yield target, found


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    inner = module.partition(".")[2]
    wrong = [
        f"{MODULES[module].relative_to(ROOT)}:{found.line}: {found.target}: {reason}"
        for target, found in own_imports(module)
        for reason in [climbs(inner, target)]
        if reason
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {
        module.partition(".")[2]: {
            target for target, found in own_imports(module) if found.at_run_time and target
        }
        - {module.partition(".")[2]}
        for module in MODULES
    }
    finished: Set[str] = set()

    def visit(module: str, path: List[str]) -> None:
        assert module not in path, "a circle: " + " -> ".join([*path, module])
        if module not in finished:
            for target in sorted(graph.get(module, ())):
                visit(target, [*path, module])
            finished.add(module)

    for module in graph:
        visit(module, [])


def test_only_config_reads_django_settings() -> None:
    readers = {
        module
        for module, path in MODULES.items()
        for found in imports_of(
            path.read_text(encoding="utf-8"), module, path.name == "__init__.py"
        )
        if found.target.startswith("django.conf")
        and not found.target.startswith("django.conf.urls")
    }
    assert readers <= {f"{PACKAGE}.config"}


def test_the_package_root_imports_nothing_heavy() -> None:
    code = (
        f"import sys, {PACKAGE}; "
        "print(sorted({'django', 'boto3', 'botocore', 'storages'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), stdout=subprocess.PIPE, check=True
    )
    assert result.stdout.decode().strip() == "[]"


# The test tests: what it must see, and what it must let pass


@pytest.mark.parametrize(
    "line",
    [
        "from smart_storages.storages import SmartS3Storage",
        "from smart_storages import storages",
        "import smart_storages.storages as s",
        "from .storages import SmartS3Storage",
        "from . import storages",
        "def f():\n    from smart_storages.storages import SmartS3Storage",
        "import_string('smart_storages.storages.SmartS3Storage')",
        "importlib.import_module('smart_storages.storages')",
        "if TYPE_CHECKING:\n    from smart_storages.storages import SmartS3Storage",
    ],
)
def test_a_climbing_import_is_seen(line: str) -> None:
    found = [own_module(found.target) for found in imports_of(line, f"{PACKAGE}.config", False)]
    assert "storages" in found
    assert climbs("config", "storages") == "climbs from floor 1 to 3"


@pytest.mark.parametrize(
    ("importer", "imported", "reason"),
    [
        ("storages", "config", None),
        ("storages", "s3.clients", None),
        ("s3.clients", "s3.credentials", None),
        ("s3.clients", "providers", None),
        ("s3.clients", "config", "lets the engine know configuration"),
        ("resolvers", "s3.clients", "goes sideways from routing to engine"),
        ("dispatcher", "queued.backends", "climbs from floor 5 to 6"),
        ("checks", "queued.models", "goes sideways from rim to queue"),
        ("queued.management.commands.sweep", "queued.models", None),
        ("queued.models", "queued.management.commands.sweep", "climbs from floor 6 to 7"),
    ],
)
def test_the_rules_are_those_of_the_plan(
    importer: str, imported: str, reason: Optional[str]
) -> None:
    assert climbs(importer, imported) == reason


def test_a_module_in_no_room_is_an_error() -> None:
    with pytest.raises(AssertionError, match="attic is in no room"):
        room_of("attic")


# Public names


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
def test_examples_in_docstrings_run(module: str) -> None:
    loaded = load(module)
    report: List[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for example in doctest.DocTestFinder().find(loaded, module):
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, textwrap.indent("".join(report), "    ")
