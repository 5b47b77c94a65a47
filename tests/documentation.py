"""The blocks of the documentation, and the project in which they run as they are printed.

A block whose first line names a file (``# settings.py``) goes into that file; any other block of
Python runs as in ``python manage.py shell``, with what the blocks above it have defined.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Set, Tuple

import yaml
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.checks import ERROR, run_checks
from django.core.management import get_commands, load_command_class
from django.db import connection
from django.test import override_settings
from django.urls import clear_url_caches

import smart_storages

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTION = "django-smart-storages"
PACKAGE = "smart_storages"

#: What ``django-admin startproject`` writes, with the app whose models the pages show.
STARTPROJECT: Dict[str, Any] = {
    "INSTALLED_APPS": [
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "myapp",
    ],
    "MIDDLEWARE": [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    "ROOT_URLCONF": "myproject.urls",
    "STORAGES": {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
}

#: Where a block goes that names one of these.
PLACES = {
    "admin.py": "myapp/admin.py",
    "models.py": "myapp/models.py",
    "urls.py": "myproject/urls.py",
    "views.py": "myapp/views.py",
}
_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
#: A block, also one within a list or of another fence's content.
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# ([\w/]+\.py)\n")


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Page and line, as an editor finds them."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The file that the first line names, or ``""``."""
        named = _NAMED.match(self.text)
        return named[1] if named else ""


def pages() -> List[str]:
    """Every page, relative to the repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> List[Block]:
    """The blocks of a page, in order; an error if a fence does not belong to one."""
    text = read(page)
    found = [
        Block(page, text.count("\n", 0, each.start()) + 2, each[2], textwrap.dedent(each[3]))
        for each in _FENCE.finditer(text)
    ]
    fences = re.findall(r"^[ >]*(?:```|~~~)", text, re.MULTILINE)
    assert len(fences) == 2 * len(found), f"{page}: a fence that opens or closes no block"
    return found


def without_blocks(page: str) -> str:
    """The prose of a page."""
    return _FENCE.sub("", read(page))


def headings(page: str) -> List[str]:
    """The headings of a page, of every level."""
    return re.findall(r"^#+ (.+)$", _FENCED.sub("", read(page)), re.MULTILINE)


def anchors(page: str) -> List[str]:
    """The anchors of the headings of a page, as GitHub and editors make them."""
    return [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings(page)]


def check_ids() -> Set[str]:
    """The ids of all system checks, without the name of the package."""
    return {
        found
        for path in (ROOT / PACKAGE).rglob("*.py")
        if "check" in path.relative_to(ROOT).as_posix()
        for found in re.findall(r'"(?:smart_storages\.)?([EWQU]0\d\d)"', path.read_text("utf-8"))
    }


class Project:
    """An empty project in a directory of its own, which the blocks of one page fill."""

    def __init__(self, root: Path, given: Dict[str, Any], *, has_database: bool = False) -> None:
        self.root = root
        self._has_database = has_database
        self.names: Dict[str, Any] = {"__name__": "shell"}
        self.settings: Dict[str, Any] = {"__name__": "settings", **STARTPROJECT}
        self.settings = {
            name: value.copy() if hasattr(value, "copy") else value
            for name, value in {**self.settings, **given}.items()
        }
        self._in_force: List[override_settings] = []

    def __enter__(self) -> Project:
        sys.path.insert(0, str(self.root))
        for package in ("myproject", "myapp"):
            (self.root / package).mkdir()
            (self.root / package / "__init__.py").touch()
        (self.root / "myproject/urls.py").write_text("urlpatterns = []\n")
        self._put_in_force()
        return self

    def __exit__(self, *_error: Any) -> None:
        models = list(apps.get_app_config("myapp").get_models())
        for model in filter(admin.site.is_registered, models):
            admin.site.unregister(model)
        if self._has_database:
            with connection.schema_editor() as editor:
                for model in models:
                    editor.delete_model(model)
        for override in reversed(self._in_force):
            override.disable()
        sys.path.remove(str(self.root))
        for name in [name for name in sys.modules if name.split(".")[0] in ("myproject", "myapp")]:
            del sys.modules[name]
        apps.all_models.pop("myapp", None)
        apps.clear_cache()
        clear_url_caches()

    def run(self, block: Block) -> None:
        """Run a block of Python, as it is printed."""
        if block.file == "settings.py":
            exec(compile(block.text, block.place, "exec"), self.settings)  # noqa: S102
            self._put_in_force()
        elif block.file:
            self._write(PLACES.get(block.file, block.file), block.text)
        else:
            exec(compile(block.text, block.place, "exec"), self.names)  # noqa: S102

    def told(self) -> Dict[str, str]:
        """What ``manage.py check`` says of errors, and of this package: the texts by id."""
        found = [each for each in run_checks() if each.level >= ERROR or PACKAGE in str(each.id)]
        if "smart_storages.queued" not in self.settings["INSTALLED_APPS"]:
            # The suite has that app, and so its checks.
            found = [each for each in found if f"{PACKAGE}.Q" not in str(each.id)]
        return {str(each.id): str(each.msg) for each in found}

    def _put_in_force(self) -> None:
        changed = {
            name: value
            for name, value in self.settings.items()
            if name.isupper() and (name in STARTPROJECT or getattr(settings, name, None) != value)
        }
        override = override_settings(**changed)
        override.enable()
        self._in_force.append(override)

    def _write(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        module = file[: -len(".py")].replace("/", ".")
        with path.open("a", encoding="utf-8") as opened:
            opened.write(f"\n{text}")
        sys.modules.pop(module, None)
        importlib.invalidate_caches()
        importlib.import_module(module)
        clear_url_caches()
        if file == "myapp/models.py" and self._has_database:
            with connection.schema_editor() as editor:
                for model in apps.get_app_config("myapp").get_models():
                    editor.create_model(model)


# Shell

#: Programs that no test runs, and why.
OUTSIDE = {
    "aws": "Amazon's command line client, which asks Amazon",
    "find": "deletes files, on a server of SFTP",
    "gh": "asks the repository's host",
    "git": "changes the repository",
    "openssl": "makes a key; tests make theirs with Python",
    "tar": "lists a file that was just built",
    "unzip": "as above",
    "useradd": "makes the user of an image",
}


def commands(text: str) -> Iterator[List[str]]:
    """The commands of a block for the shell, without comments, variables and files of output."""
    for line in text.splitlines():
        split = shlex.shlex(
            re.sub(r" >>? ?[\w./-]+", "", line), posix=True, punctuation_chars=";&|"
        )
        split.whitespace_split = True
        words: List[str] = []
        for word in [*split, ";"]:
            if word in (";", "&&", "||", "|"):
                if words:
                    yield words
                words = []
            elif words or not (word == "export" or re.match(r"\w+=", word)):
                words.append(word)


def check_command(words: List[str]) -> None:
    """Raise if the command could not run: its target, its arguments, its extra do not exist."""
    program, arguments = words[0].rpartition("/")[2], words[1:]
    if words[0].startswith("tests/"):
        assert (ROOT / words[0]).stat().st_mode & 0o100, words[0]
    elif program == "manage.py":
        _check_manage(arguments)
    elif program in ("python", "python3"):
        _check_python(arguments)
    elif program in _CHECKS:
        _CHECKS[program](arguments)
    else:
        assert program in OUTSIDE, f"{program}: unknown to tests/documentation.py"


def _check_make(arguments: List[str]) -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for word in arguments:
        variable = re.match(r"([A-Z_]+)=", word)
        if variable:
            assert f"\n{variable[1]} ?=" in (ROOT / "Makefile").read_text("utf-8"), word
            if variable[1] == "ARGS" and "bench" in arguments:
                _check_bench(word[len("ARGS=") :].split())
        else:
            assert word in targets, f"make {word}: no such target"


def _check_bench(arguments: List[str]) -> None:
    for subject in arguments:
        known = subject == "--record" or (ROOT / f"benchmarks/bench_{subject}.py").exists()
        assert known, f"make bench ARGS={subject}"


def _check_python(arguments: List[str]) -> None:
    first, rest = arguments[0], arguments[1:]
    if first == "-m" and rest[0] == "pip":
        _check_pip(rest[1:])
    elif first == "-m":
        # twine is what the line before it installs.
        assert rest[0] == "twine" or importlib.util.find_spec(rest[0]), rest[0]
    elif first == "-c":
        compile(rest[0], "-c", "exec")
    elif first.endswith("manage.py"):
        _check_manage(rest)
    else:
        assert (ROOT / first).is_file(), first


def _check_manage(arguments: List[str]) -> None:
    name, rest = arguments[0], arguments[1:]
    if name == "db_worker":  # needs its app; found is enough, where Python is new enough for it
        tasks = importlib.util.find_spec("django_tasks_db")
        assert not tasks or importlib.util.find_spec(f"{tasks.name}.management.commands.{name}")
        return
    app = get_commands().get(name, "newsroom")  # or else the example site has it
    load_command_class(app, name).create_parser("manage.py", name).parse_args(rest)


def _check_pip(arguments: List[str]) -> None:
    assert arguments[0] == "install"
    words = iter(arguments[1:])
    for word in words:
        if word == "--index-url":
            next(words)
        elif not word.startswith("-"):
            _check_requirement(word)


def _check_requirement(word: str) -> None:
    wanted = re.fullmatch(r"([\w./*-]+?)(?:\[([\w,-]+)\])?(?:==[\w.]+)?", word)
    assert wanted, word
    name, extras = wanted[1], (wanted[2] or "").split(",") if wanted[2] else []
    if name.startswith((".", "dist/")):
        built = re.search(r"dist/\w+-([\d.\w]+)-py3", name)
        assert not built or built[1] == smart_storages.__version__, word
        name = DISTRIBUTION
    if extras:
        known = metadata.metadata(name).get_all("Provides-Extra") or []
        assert set(extras) <= set(known), word


def _check_celery(arguments: List[str]) -> None:
    assert arguments[0] == "-A"
    if importlib.util.find_spec("celery"):
        program = importlib.import_module("celery.bin.celery").celery
        command = program.commands[arguments[2]]
        context = importlib.import_module("click").Context(command)
        command.make_parser(context).parse_args(arguments[3:])


def instructions(text: str) -> List[Tuple[str, str]]:
    """The instructions of a Dockerfile, each with the rest of its line."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    split = [line.partition(" ") for line in lines]
    return [(name, rest) for name, _, rest in split]


def check_dockerfile(text: str) -> None:
    """Raise if a ``RUN`` or the ``CMD`` could not run."""
    for name, rest in instructions(text):
        assert name.isupper(), name
        if name == "RUN":
            subprocess.run(["bash", "-n"], input=rest.encode(), check=True)
            for words in commands(rest):
                check_command(words)
        elif name == "CMD":
            assert json.loads(rest)[0] == "gunicorn", rest


def check_yaml(text: str) -> None:
    """Raise if it is not YAML, or if a container has a command that does not exist."""
    for document in yaml.safe_load_all(text):
        assert isinstance(document, dict)
        for command in _commands_of(document):
            words = command if isinstance(command, list) else shlex.split(command)
            if words[0] == "python":
                check_command(words)


def _commands_of(node: Any) -> Iterator[Any]:
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in children:
        if name == "command":
            yield value
        elif isinstance(value, (dict, list)):
            yield from _commands_of(value)


_CHECKS: Dict[str, Callable[[List[str]], None]] = {
    "cd": lambda arguments: None,
    "celery": _check_celery,
    "make": _check_make,
    "pip": _check_pip,
}
