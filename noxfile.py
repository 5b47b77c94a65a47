"""``make matrix``: the suite on the oldest, a middle and the newest pair of Python and Django.

``nox --tags ends`` takes the two ends. An interpreter that is missing is skipped, and named in the
summary; nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Optional

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"

#: The least that setup.py asks for.
OLDEST = ("boto3==1.36.0", "django-storages==1.14.4")

PAIRS = [
    ("3.8", "3.2", OLDEST, ["ends"]),
    ("3.11", "5.2", (), []),
    ("3.13", "6.1", (), ["ends"]),
]


def candidates(version: str) -> Iterator[Path]:
    """Where an interpreter may be: along the path, then in pyenv's own directory."""
    name = f"python{version}"
    for directory in os.get_exec_path():
        if shutil.which(name, path=directory):
            yield Path(directory) / name
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}*/bin/{name}"), reverse=True)


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


def add_session(python: str, django: str, pins: tuple[str, ...], tags: list[str]) -> None:
    interpreter = find_interpreter(python)

    @nox.session(name=f"python{python}-django{django}", python=interpreter or False, tags=tags)
    def suite(session: nox.Session) -> None:
        if interpreter is None:
            session.skip(
                f"THERE IS NO PYTHON {python} WITH venv HERE: Django {django} WAS NOT TESTED"
            )
        session.install("--editable", ".[test,celery,tasks]", f"Django~={django}.0", *pins)
        session.run(
            "python",
            "-c",
            f"import django; assert django.VERSION[:2] == {tuple(map(int, django.split('.')))}",
        )
        session.run(
            "python",
            "-m",
            "pytest",
            *("-n", "auto", "--dist", "worksteal"),
            *("-m", "not slow and not soak and not real_s3"),
            *session.posargs,
        )


for pair in PAIRS:
    add_session(*pair)
