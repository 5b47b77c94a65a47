"""Every Python block in the documentation of routing runs, in order, as a reader would run it."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
from django.test import override_settings

DOCS = Path(__file__).resolve().parents[1] / "docs"


def of_request(request):
    return None


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project directory, and the modules that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    for name in ("myproject", "myproject.routing", "myproject.tenants"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["myproject"].routing = sys.modules["myproject.routing"]


@pytest.mark.parametrize("page", ["routing.md", "fallback.md", "moving-providers.md"])
def test_every_example_runs(page, project, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.M | re.S)
    assert len(blocks) >= 4
    names: dict = {}
    in_force = []
    try:
        for number, block in enumerate(blocks):
            code = compile(block, f"{page}, example {number + 1}", "exec")
            if block.startswith("# settings.py"):
                exec(code, names)  # noqa: S102 - our own documentation
                changed = {name: value for name, value in names.items() if name.isupper()}
                in_force.append(override_settings(**changed))
                in_force[-1].enable()
            elif block.startswith("# myproject/"):
                module = block.splitlines()[0][2:-3].replace("/", ".")
                exec(code, sys.modules[module].__dict__)  # noqa: S102 - our own documentation
            else:
                exec(code, names)  # noqa: S102 - our own documentation
    finally:
        for override in reversed(in_force):
            override.disable()
    if page == "fallback.md":
        assert "open old.txt by far after 1" in capsys.readouterr().out
