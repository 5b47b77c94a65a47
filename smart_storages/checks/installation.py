"""System check of the installation: whether the imported package is the installed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

from django.core import checks

import smart_storages
from smart_storages.common.distribution import describe_strangers, find_claims

__all__ = ["check_installation"]

_HINT = (
    "Another project has this name on the public index. Uninstall what is installed under it, "
    "then install from a checkout or a wheel: pip install --force-reinstall dist/*.whl."
)


def check_installation(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that the imported package is the installed distribution, if there is one."""
    package = Path(smart_storages.__file__).parent
    return [
        checks.Warning(text, hint=_HINT, id="smart_storages.W011")
        for text in describe_strangers(find_claims(), package, smart_storages.__version__)
    ]
