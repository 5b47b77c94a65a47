"""The rooms of the package and their imports, read from the source and from docs/architecture.md.

``python -m tests.architecture`` writes the table of rooms into that page.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "smart_storages"
PAGE = ROOT / "docs" / "architecture.md"

#: Names that a module's own attributes are reached by.
_OWN = ("self", "cls", "sys", "os")

_BEGIN, _END = "<!-- rooms -->", "<!-- /rooms -->"


Named = Union[ast.Attribute, ast.Call, ast.FunctionDef]


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


@lru_cache(maxsize=None)
def all_imports(module: str) -> Tuple[Import, ...]:
    """The imports of a module of ours."""
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    return tuple(imports_of(source, module, path.name == "__init__.py"))


def own_imports(module: str) -> Iterator[Import]:
    """The imports of a module that lead to others of ours; targets without the package's name."""
    for found in all_imports(module):
        target = own_module(found.target)
        if target is not None:
            yield found._replace(target=target)


def private_names(path: Path) -> Iterator[Tuple[str, Named]]:
    """The private names in a module: of attributes of other objects, and of methods."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name, owner = "", ""
        if isinstance(node, ast.Attribute):
            name, owner = node.attr, getattr(node.value, "id", "")
        elif isinstance(node, ast.FunctionDef):
            name = node.name
        elif isinstance(node, ast.Call) and _called_name(node) in ("getattr", "hasattr", "setattr"):
            name = str(getattr(node.args[1], "value", ""))
            owner = getattr(node.args[0], "id", "")
        else:
            continue
        if name.startswith("_") and not name.startswith("__") and owner not in _OWN:
            yield name, node


# The plan on the page


def read_floors(page: str) -> Dict[str, Dict[str, int]]:
    """The floor of each unit, counted from the top, by the room that the block is about."""
    plans = {}
    for room, block in re.findall(r"^```floors ?([\w.]*)\n(.*?)^```", page, re.M | re.S):
        lines = [line.split() for line in block.splitlines()]
        plans[room] = {unit: floor for floor, units in enumerate(lines) for unit in units}
    return plans


def unit_of(module: str, room: str) -> Optional[str]:
    """The unit of a plan that a module belongs to, its first name below the room, if any."""
    parts = module.split(".")
    # A command, which nothing imports, may use every floor.
    if parts[-1] == "__main__":
        return None
    above = room.split(".") if room else []
    if parts[: len(above)] != above:
        return None
    below = parts[len(above) :]
    return below[0] if below and below[0] else None


def why_wrong(plan: Dict[str, int], importer: str, imported: str) -> Optional[str]:
    """Why one unit of a plan may not import another, None where it may."""
    for unit in (importer, imported):
        if unit not in plan:
            return f"{unit} stands on no floor of docs/architecture.md"
    if importer == imported or plan[imported] > plan[importer]:
        return None
    if plan[imported] == plan[importer]:
        return f"{importer} goes sideways to {imported}"
    return f"{importer} climbs to {imported}"


# The table of rooms


#: Folders that stand where Django looks for them, and hold nothing but what it finds.
_BY_DJANGO = re.compile(r"migrations|\.management|management\.commands")


@lru_cache(maxsize=None)
def rooms() -> Tuple[str, ...]:
    """Folders of the package that hold code of their own, without the package's name."""
    found = []
    for module, path in MODULES.items():
        inner = module.partition(".")[2]
        if path.name == "__init__.py" and inner and not _BY_DJANGO.search(inner):
            found.append(inner)
    return tuple(found)


def room_of(module: str) -> str:
    """The folder that a module stands in; a public path of the root is one by itself."""
    known = rooms()
    parts = module.split(".")
    while parts and ".".join(parts) not in known:
        parts.pop()
    return ".".join(parts) or module


def describe_rooms() -> str:
    """The table of rooms as the page has it."""
    order = {}
    for room, plan in read_floors(PAGE.read_text("utf-8")).items():
        for unit, floor in plan.items():
            order[f"{room}.{unit}" if room else unit] = floor
    lines = ["| room | what it is for | imports |", "|---|---|---|"]

    def place(room: str) -> List[int]:
        parts = room.split(".")
        return [order.get(".".join(parts[: end + 1]), -1) for end in range(len(parts))]

    for room in sorted(rooms(), key=lambda room: (place(room), room)):
        doc = ast.get_docstring(ast.parse(MODULES[f"{PACKAGE}.{room}"].read_text("utf-8"))) or ""
        targets = set()
        for module in MODULES:
            inner = module.partition(".")[2]
            if unit_of(inner, "") and room_of(inner) == room:
                targets |= {room_of(found.target) for found in own_imports(module) if found.target}
        imported = ", ".join(f"`{each}`" for each in sorted(targets - {room}))
        first = doc.split("\n\n")[0].replace("\n", " ")
        lines.append(f"| `{room.replace('.', '/')}/` | {first} | {imported or '-'} |")
    return "\n".join(lines)


def with_rooms(page: str) -> str:
    """The page with the table of rooms as the source has it now."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{describe_rooms()}\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_rooms(PAGE.read_text("utf-8")), encoding="utf-8")
