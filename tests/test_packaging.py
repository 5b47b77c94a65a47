"""What is published installs in a clean environment and holds what it must, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Dict, List

import pytest

from tests.servers.keeper import exclusive, run_directory

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", ".nox", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", "run",
    "node_modules",
)  # fmt: skip


def run(*command: str, cwd: Path) -> str:
    # PYTHONPATH would let the source stand in for what was installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        command,
        cwd=str(cwd),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def archives() -> Dict[str, Path]:
    """sdist and wheel, built once for a run and from a copy: a build leaves files behind."""
    source = run_directory() / "packaging"
    with exclusive("packaging"):
        if not source.exists():
            shutil.copytree(str(ROOT), str(source), ignore=NOT_COPIED)
            # Whatever lies beside the package must not confuse its discovery.
            for name in ("example", "docs", "benchmarks"):
                (source / name).mkdir(exist_ok=True)
                (source / name / "__init__.py").touch()
            run(sys.executable, "-m", "build", ".", cwd=source)
    built = list((source / "dist").iterdir())
    return {"wheel" if path.suffix == ".whl" else "sdist": path for path in built}


def source_files() -> List[str]:
    """What git, or a plain walk where there is no git, calls part of the package."""
    package = ROOT / "smart_storages"
    return sorted(
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.suffix != ".pyc"
        # The script's sources; what is built from them is published.
        and package / "uploads" / "js" not in path.parents
    )


def test_the_wheel_holds_the_whole_package_and_nothing_else(archives: Dict[str, Path]) -> None:
    with zipfile.ZipFile(str(archives["wheel"])) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
    assert sorted(names) == source_files()
    assert "smart_storages/py.typed" in names


def test_the_sdist_holds_what_a_build_needs(archives: Dict[str, Path]) -> None:
    with tarfile.open(str(archives["sdist"])) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"LICENSE", "pyproject.toml", "setup.py", *source_files()} <= names
    foreign = [name for name in names if re.match(r"(example|benchmarks|docs|\.)", name)]
    assert not foreign


def test_the_metadata_says_what_is_promised(archives: Dict[str, Path]) -> None:
    with zipfile.ZipFile(str(archives["wheel"])) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        metadata = wheel.read(name).decode().split("\n\n")[0].splitlines()
    for line in (
        "Name: django-smart-storages",
        "License: MIT",
        "Requires-Python: >=3.8",
        "Requires-Dist: Django>=3.2",
        "Requires-Dist: boto3>=1.36",
        "Requires-Dist: django-storages>=1.14.4",
        "Provides-Extra: celery",
        "Provides-Extra: tasks",
    ):
        assert line in metadata


@pytest.mark.parametrize("archive", ["wheel", "sdist"])
def test_it_installs_and_imports_in_a_clean_environment(
    archive: str, archives: Dict[str, Path], tmp_path: Path
) -> None:
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = str(tmp_path / "venv" / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", str(archives[archive]), cwd=tmp_path)
    code = (
        "import django; from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['smart_storages'], SMART_STORAGE_BUCKETS={"
        "'media': {'bucket_name': 'b'}}); django.setup();"
        "import smart_storages; from smart_storages.storages import MediaStorage;"
        "print(smart_storages.__file__, MediaStorage().bucket_name)"
    )
    printed = run(python, "-c", code, cwd=tmp_path)
    assert str(tmp_path) in printed
    assert printed.split()[-1] == "b"


def test_it_is_built_under_another_name_by_one_variable(tmp_path: Path) -> None:
    source = tmp_path / "project"
    shutil.copytree(str(ROOT), str(source), ignore=NOT_COPIED)
    before = (source / "pyproject.toml").read_text("utf-8")
    run("env", "DIST_NAME=acme-files", sys.executable, "-m", "build", "--sdist", ".", cwd=source)
    assert (source / "pyproject.toml").read_text("utf-8") == before
    (sdist,) = (source / "dist").iterdir()
    assert re.match(r"acme[-_]files-", sdist.name)
    # The archive itself has the name: who builds a wheel of it knows of no variable.
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", str(sdist), cwd=tmp_path)
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(str(path)) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(next(n for n in names if n.endswith("/METADATA"))).decode()
    lines = metadata.split("\n\n")[0].splitlines()
    assert "Name: acme-files" in lines
    assert [n for n in sorted(names) if ".dist-info/" not in n] == source_files()
    own = [line for line in lines if line.startswith("Requires-Dist: acme-files[")]
    assert len(own) == before.count('"django-smart-storages[') > 0
    assert not [line for line in lines if line.startswith("Requires-Dist: django-smart-storages")]


def test_two_builds_of_one_commit_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    digests = []
    for name, moment in (("a", 1_600_000_000), ("b", 1_700_000_000)):
        source = tmp_path / name / "project"
        shutil.copytree(str(ROOT), str(source), ignore=NOT_COPIED)
        for path in source.rglob("*"):
            os.utime(path, (moment, moment))
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o600)
        run("env", "SOURCE_DATE_EPOCH=1790000000", sys.executable, "-m", "build", ".", cwd=source)
        built = sorted((source / "dist").iterdir())
        digests.append({each.name: sha256(each.read_bytes()).hexdigest() for each in built})
    assert len(digests[0]) == 2
    assert digests[0] == digests[1]


def test_the_index_will_take_the_metadata(archives: Dict[str, Path]) -> None:
    said = run(
        sys.executable, "-m", "twine", "check", "--strict", *map(str, archives.values()), cwd=ROOT
    )
    assert said.count("PASSED") == 2
