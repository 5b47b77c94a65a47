"""Which names an older package documents, and where each of them has gone.

A module of tests lists them as ``DOCUMENTED``. A test that does what a name promises is decorated
with `shows`; a name that is something else here stands in the table of the page about moving in.
"""

from __future__ import annotations

import importlib
import re
from typing import Any, Callable, Dict, List, Set, TypeVar

from django.utils.module_loading import import_string

from tests import documentation

Test = TypeVar("Test", bound=Callable[..., Any])

_shown: Dict[str, Set[str]] = {}


def shows(*names: str) -> Callable[[Test], Test]:
    """Say which documented names a test shows to work."""

    def note(test: Test) -> Test:
        _shown.setdefault(test.__module__, set()).update(names)
        return test

    return note


def shown_by(module: str) -> Set[str]:
    """The names that the tests of a module show."""
    importlib.import_module(module)
    return _shown.get(module, set())


def stands_in(page: str, name: str) -> bool:
    """Whether a page names something as code, outside of its examples."""
    prose = documentation.without_blocks(page)
    return any(
        re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", code) or code.endswith(f".{name}")
        for code in re.findall(r"`([^`\n]+)`", prose)
    )


def with_the_old(ours: str, theirs: str) -> List[str]:
    """The path of ours, and of theirs where that package is installed and imports."""
    try:
        import_string(theirs)
    except Exception:
        return [ours]
    return [ours, theirs]
