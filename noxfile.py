"""``make matrix``: the suite on the oldest, a middle and the newest pair of Python and Django.

``--tags ends`` takes the two ends. ``--session NAME`` takes any other pair, or ``newest``: the
newest releases, pre-releases too, of what the package stands on. CI runs each in a job of its own.
An interpreter that is missing is skipped, and named in the summary, or with
``--error-on-missing-interpreters`` a failure; nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Iterator, Optional

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["python3.8-django3.2", "python3.11-django5.2", "python3.13-django6.1"]
nox.options.reuse_venv = "yes"
# nox would change this default by itself where the environment says CI.
nox.options.error_on_missing_interpreters = False
if hasattr(nox.options, "download_python"):  # newer nox
    nox.options.download_python = "never"

#: The least that setup.py asks for.
OLDEST = ("boto3==1.36.0", "django-storages==1.14.4")

PAIRS = [
    ("3.8", "3.2", OLDEST, ["ends"]),
    ("3.9", "4.2", (), []),
    ("3.10", "5.2", (), []),
    ("3.11", "5.2", (), []),
    ("3.12", "6.0", (), []),
    ("3.13", "6.1", (), ["ends"]),
    ("3.14", "6.1", (), []),
]

#: What ``newest`` takes the newest releases of, and the Pythons it may use, first choice first.
NEWEST = ("Django", "boto3", "botocore", "django-storages", "s3transfer", "urllib3")
NEWEST_PYTHONS = ("3.14", "3.13", "3.12")


def candidates(version: str) -> Iterator[Path]:
    """Where an interpreter may be: along the path, then in pyenv's own directory."""
    name = f"python{version}"
    for directory in os.get_exec_path():
        if shutil.which(name, path=directory):
            yield Path(directory) / name
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}*/bin/{name}"), reverse=True)


@lru_cache(maxsize=None)
def find_interpreter(version: str) -> Optional[str]:
    """An interpreter that really runs: a shim of pyenv may be on the path and still refuse."""
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates(version):
        try:
            result = subprocess.run(
                [str(candidate), "-c", code],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=False,
            )
        except OSError:
            continue
        if result.returncode == 0 and result.stdout.strip() == version:
            return str(candidate)
    return None


def find_first_of(*versions: str) -> str:
    """An interpreter of a version; else a name that nox misses, and puts into its summary."""
    found = filter(None, map(find_interpreter, versions))
    return next(found, None) or f"Python {' or '.join(versions)} with venv"


def run_suite(session: nox.Session) -> None:
    session.run(
        "python",
        "-m",
        "pytest",
        *("-n", "auto", "--dist", "worksteal"),
        *("-m", "not slow and not soak and not real_s3"),
        *session.posargs,
    )


def add_session(python: str, django: str, pins: tuple[str, ...], tags: list[str]) -> None:
    name = f"python{python}-django{django}"

    @nox.session(name=name, python=find_first_of(python), tags=tags)
    def suite(session: nox.Session) -> None:
        session.install("--editable", ".[test,celery,tasks]", f"Django~={django}.0", *pins)
        session.run(
            "python",
            "-c",
            f"import django; assert django.VERSION[:2] == {tuple(map(int, django.split('.')))}",
        )
        run_suite(session)


for pair in PAIRS:
    add_session(*pair)


@nox.session(python=find_first_of(*NEWEST_PYTHONS))
def newest(session: nox.Session) -> None:
    session.install("--editable", ".[test,celery,tasks]")
    # All at once, so that pip chooses releases that agree with each other.
    session.install("--pre", "--upgrade", *NEWEST)
    session.run("python", "-m", "pip", "list")
    run_suite(session)
