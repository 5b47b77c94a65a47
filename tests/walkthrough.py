"""Follows a page that is a walkthrough: does what it says in an empty folder, and compares.

A block of Python whose first line names a file is written to it, and added to a file of settings.
A block for the shell runs. A block of text is what the command before it has to print; ``...``
stands for anything. A block whose file is followed by ``, before`` shows what a project had.
Where a command names the port of a server that it starts, a free one takes its place on the page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

from tests import documentation
from tests.documentation import Block
from tests.servers.base import free_port
from tests.walkthrough_projects import PREPARE

TUTORIAL = "docs/tutorial.md"
#: The pages that are followed, and so are not run block by block.
PAGES = (TUTORIAL, *PREPARE)

_SECONDS = 300

#: What is taken for granted of a reader.
WORDS_READ_A_MINUTE = 200
WORDS_TYPED_A_MINUTE = 40
_LETTERS_OF_A_WORD = 5
SECONDS_TO_PASTE_A_FILE = 20
_PORT = re.compile(r"(?:--port|runserver(?: --\w+)*) (\d+)\b")


class Walkthrough:
    """One walk through a page.

    Args:
        folder: Where it begins; what the page takes for granted lies there already.
        environment: The variables of its commands.
    """

    def __init__(self, folder: Path, environment: Dict[str, str]) -> None:
        self._state = folder / ".walkthrough"
        self._environment = environment
        self._folder = folder
        #: The blocks for the shell that have run, and how many seconds each took.
        self.took: List[Tuple[Block, float]] = []
        self._printed: str = ""
        self._code = 0

    def follow(self, page: str) -> None:
        """Do everything that a page says."""
        for block in _on_free_ports(documentation.blocks(page)):
            if block.text.split("\n")[0].endswith(".py, before"):
                continue  # what a project had
            self._check_success(block)
            if block.language == "python":
                self._write(block)
            elif block.language == "sh":
                self._run(block)
            else:
                assert block.language == "text", f"{block.place}: what is ```{block.language}?"
                self._compare(block)
        self._check_success(None)

    def _write(self, block: Block) -> None:
        assert block.file, f"{block.place}: names no file"
        path = self._folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if path.name == "settings.py" else "w", encoding="utf-8") as file:
            file.write(f"\n{block.text}")

    def _run(self, block: Block) -> None:
        # The folder and the environment of one block are those of the next, as in a terminal.
        script = (
            f'[ ! -e "{self._state}" ] || . "{self._state}"\n'
            f"set -e\n{block.text}\nset +e\n"
            f'{{ export -p; printf "cd %q\\n" "$PWD"; }} > "{self._state}"\n'
        )
        begin = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        self.took.append((block, time.monotonic() - begin))
        self._printed, self._code, self._block = done.stdout, done.returncode, block
        if self._state.exists():
            last = self._state.read_text("utf-8").splitlines()[-1]
            self._folder = Path(re.sub(r"^cd ", "", last))

    def _compare(self, block: Block) -> None:
        expected = ".*".join(map(re.escape, block.text.strip().split("...")))
        assert re.fullmatch(expected, self._printed.strip(), re.DOTALL), (
            f"{block.place}: the page says\n{block.text}\nand it printed\n{self._printed}"
        )
        self._code = 0  # an error that the page shows

    def _check_success(self, following: object) -> None:
        is_shown = isinstance(following, Block) and following.language == "text"
        assert self._code == 0 or is_shown, (
            f"{self._block.place}: ended with {self._code} and printed\n{self._printed}"
        )


@dataclass(frozen=True)
class Effort:
    """What a part of a page asks of its reader."""

    blocks: Tuple[Block, ...]
    words: int
    commands: Tuple[str, ...]
    files: int

    @property
    def minutes(self) -> float:
        """Minutes to read the prose, to type the commands and to copy the files."""
        typed = sum(map(len, self.commands)) / _LETTERS_OF_A_WORD
        reading = self.words / WORDS_READ_A_MINUTE + typed / WORDS_TYPED_A_MINUTE
        return reading + self.files * SECONDS_TO_PASTE_A_FILE / 60


def effort(page: str, first: str, last: str) -> Effort:
    """Count what a page asks for, from a command to a later one, both included.

    Args:
        page: The page.
        first: How the first command begins.
        last: What the last command has in it.
    """
    every = documentation.blocks(page)
    begin = next(number for number, block in enumerate(every) if first in block.text)
    end = next(
        number
        for number, block in enumerate(every)
        if number >= begin and block.language == "sh" and last in block.text
    )
    blocks = every[begin : end + 1]
    lines = documentation.read(page).splitlines()
    # From fence to fence; the first block's lines before the command are not prose either.
    part = lines[blocks[0].line - 2 : blocks[-1].line + blocks[-1].text.count("\n")]
    prose = re.sub(r"^```.*?^```$", "", "\n".join(part), flags=re.DOTALL | re.MULTILINE)
    commands = [
        line for block in blocks if block.language == "sh" for line in block.text.splitlines()
    ]
    while not commands[0].startswith(first):
        del commands[0]
    files = sum(block.language == "python" for block in blocks)
    return Effort(tuple(blocks), len(prose.split()), tuple(commands), files)


def _on_free_ports(blocks: Iterable[Block]) -> List[Block]:
    found = list(blocks)
    ports = {port for block in found for port in _PORT.findall(block.text)}
    for port, free in {port: str(free_port()) for port in sorted(ports)}.items():
        found = [replace(each, text=re.sub(rf"\b{port}\b", free, each.text)) for each in found]
    return found


def plain_environment() -> Dict[str, str]:
    """Return the environment of a terminal in which nothing of the suite is set."""
    foreign = ("AWS_", "AZURE_", "DJANGO_", "PYTEST_", "PYTHONPATH", "S3_", "VIRTUAL_ENV")
    return {name: text for name, text in os.environ.items() if not name.startswith(foreign)}


def installed_environment() -> Dict[str, str]:
    """Return the same, for a terminal in which this package is installed."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**plain_environment(), "PATH": programs, "PYTHONPATH": str(documentation.ROOT)}
