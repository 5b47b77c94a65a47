"""What is imported when: declaring a storage costs little more than with django-storages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Set

import pytest

from smart_storages import checks, config
from smart_storages.backends import s3
from smart_storages.common.on_demand import importing_on_demand

ROOT = Path(__file__).resolve().parents[2]

#: What a model's file field needs. Each module here is paid for by every process of a project.
DECLARING = {
    "smart_storages",
    "smart_storages.backends",
    "smart_storages.backends.s3",
    "smart_storages.common",
    "smart_storages.common.aio",
    "smart_storages.common.compat",
    "smart_storages.common.documentation",
    "smart_storages.common.on_demand",
    "smart_storages.common.parts",
    "smart_storages.common.recording",
    "smart_storages.common.reporting",
    "smart_storages.common.secrets",
    "smart_storages.config",
    "smart_storages.exceptions",
    "smart_storages.signals",
    "smart_storages.storages",
    "smart_storages.storages.async_calls",
    "smart_storages.storages.configuring",
    "smart_storages.storages.connecting",
    "smart_storages.storages.copying",
    "smart_storages.storages.free_names",
    "smart_storages.storages.many",
    "smart_storages.storages.metadata_cache",
    "smart_storages.storages.multipart_uploads",
    "smart_storages.storages.operations",
    "smart_storages.storages.portable",
    "smart_storages.storages.reading",
    "smart_storages.storages.ready_made",
    "smart_storages.storages.signed_urls",
    "smart_storages.storages.smart",
    "smart_storages.storages.workspace",
    "smart_storages.storages.writing",
}

PROGRAM = """
import json, sys
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["smart_storages"], AWS_STORAGE_BUCKET_NAME="acme")
import storages.backends.s3
steps = {"theirs": set(sys.modules)}
import smart_storages.storages
steps["declared"] = set(sys.modules)
smart_storages.storages.MediaStorage()
steps["made"] = set(sys.modules)
django.setup()
steps["ready"] = set(sys.modules)
from django.core.checks import run_checks
run_checks()
steps["checked"] = set(sys.modules)
print(json.dumps({step: sorted(modules) for step, modules in steps.items()}))
"""


@pytest.fixture(scope="module")
def steps() -> Dict[str, Set[str]]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=str(ROOT), stdout=subprocess.PIPE, check=True
    )
    return {step: set(modules) for step, modules in json.loads(result.stdout).items()}


def ours(modules: Set[str], room: str = "") -> Set[str]:
    prefix = f"smart_storages.{room}"
    return {each for each in modules if f"{each}.".startswith(prefix)}


def test_declaring_a_storage_imports_few_modules(steps: Any) -> None:
    added = steps["declared"] - steps["theirs"]
    assert ours(added) == DECLARING
    # The old name of their module, which is an alias; else nothing that they do not import too.
    assert added - ours(added) <= {"storages.backends.s3boto3"}


def test_making_a_storage_imports_no_engine(steps: Any) -> None:
    assert ours(steps["made"], "config.") > ours(steps["declared"], "config.")
    engines = {"smart_storages.backends", "smart_storages.backends.s3"}
    assert ours(steps["made"], "backends.") == engines


def test_a_process_that_runs_no_check_imports_none(steps: Any) -> None:
    assert ours(steps["ready"], "checks.") == {"smart_storages.checks"}
    assert "smart_storages.monitoring.debug_page" not in steps["ready"]
    assert "smart_storages.checks.routing" in steps["checked"]
    assert "smart_storages.monitoring.debug_page" in steps["checked"]
    # Its app is not in INSTALLED_APPS.
    assert "smart_storages.monitoring.models" not in steps["checked"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "made_for_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from smart_storages.common.on_demand import importing_on_demand\n"
        "__getattr__ = importing_on_demand(__name__, {'colours': ['RED']})\n"
    )
    (folder / "colours.py").write_text("RED = object()\n")
    (folder / "broken.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import made_for_a_test

    yield made_for_a_test
    for name in [name for name in sys.modules if name.startswith("made_for_a_test")]:
        del sys.modules[name]


def test_a_module_is_imported_when_it_is_asked_for(package: Any) -> None:
    assert "made_for_a_test.colours" not in sys.modules
    red = package.RED
    assert red is package.colours.RED is sys.modules["made_for_a_test.colours"].RED
    assert vars(package)["RED"] is red, "the second time costs nothing"


def test_what_is_not_there_is_an_ordinary_error(package: Any) -> None:
    for name in ("nothing", "_private", "__wrapped__"):
        with pytest.raises(AttributeError, match=f"'made_for_a_test' has no attribute '{name}'"):
            getattr(package, name)
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from made_for_a_test import nothing  # noqa: F401


def test_an_error_inside_of_a_module_stays_what_it_is(package: Any) -> None:
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        _ = package.broken


def test_every_name_that_a_package_hands_on_is_there() -> None:
    for package in (checks, config):
        for names in package._NAMES_IN.values():
            for name in names:
                assert getattr(package, name).__class__
    assert s3.reading.reader.S3Reader.__module__ == "smart_storages.backends.s3.reading.reader"
    assert callable(importing_on_demand("smart_storages.backends.s3"))
