"""docs/queued.md, followed in an empty project: from settings to a worker that transfers a file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from tests import documentation, walkthrough
from tests.documentation import Block
from tests.queued.conftest import need

pytestmark = [pytest.mark.slow, pytest.mark.documentation]

PAGE = "docs/queued.md"
PATIENCE = 60.0
SAVE = """
from django.core.files.base import ContentFile
from myapp.models import Scan
Scan._meta.get_field("image").storage.save("a.png", ContentFile(b"png"))
"""


def section(title: str) -> List[Block]:
    """The blocks below a heading."""
    lines = documentation.read(PAGE).splitlines()
    first = lines.index(f"## {title}")
    last = next(n for n in range(first + 1, len(lines)) if lines[n].startswith("## "))
    return [each for each in documentation.blocks(PAGE) if first < each.line <= last]


class Site:
    """The project, and the worker of its recipe."""

    def __init__(self, root: Path, given: Dict[str, Any]) -> None:
        self.root = root
        self.environment = walkthrough.installed_environment()
        self.workers: List[subprocess.Popen[bytes]] = []
        self.django("startproject", "myproject", ".")
        self.django("startapp", "myapp")
        self.add("myproject/settings.py", 'INSTALLED_APPS += ["myapp"]')
        for name, value in given.items():
            self.add("myproject/settings.py", f"{name} = {value!r}")
        places = {"settings.py": "myproject/settings.py", **documentation.PLACES}
        for block in section("Install"):
            if block.file:
                self.add(places[block.file], block.text)

    def add(self, file: str, text: str) -> None:
        with (self.root / file).open("a", encoding="utf-8") as opened:
            opened.write(f"\n{text}\n")

    def django(self, *arguments: str) -> str:
        return self._run("-m", "django", *arguments)

    def manage(self, *arguments: str) -> str:
        return self._run("manage.py", *arguments)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def follow(self, title: str, replaced: Dict[str, str]) -> None:
        blocks = section(title)
        for block in blocks:
            text = block.text
            for old, new in replaced.items():
                text = text.replace(old, new)
            if block.language == "python3":
                self.add(block.text.split()[1], text)
        self.manage("makemigrations", "myapp")
        for block in blocks:
            if block.language == "sh":
                for words in documentation.commands(block.text):
                    self._do(words)

    def _do(self, words: List[str]) -> None:
        if words[0] == "celery" or words[-1] == "db_worker":
            arguments = ["-m", *words] if words[0] == "celery" else words[1:]
            with (self.root / "worker.log").open("wb") as log:
                worker = subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=self.root,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )
            self.workers.append(worker)
        elif words[0] == "python" and words[-1] != "runserver":
            self.manage(*words[2:])

    def states(self) -> List[str]:
        lines = self.manage("transfers", "list", "--json").splitlines()
        rows = [json.loads(line) for line in lines if line.startswith("{")]
        return [row["state"] for row in rows if "name" in row]


@pytest.fixture
def site(tmp_path: Path, moto_bucket: Any) -> Iterator[Site]:
    given = {**moto_bucket.server.django_settings(), "SMART_STORAGE_PROVIDER": "moto"}
    made = Site(tmp_path, given)
    # The page's own names are those of other tests' buckets.
    text = (tmp_path / "myproject/settings.py").read_text("utf-8")
    text = re.sub(r'"acme-\w+"', repr(moto_bucket.name), text)
    (tmp_path / "myproject/settings.py").write_text(text, encoding="utf-8")
    yield made
    for worker in made.workers:
        worker.terminate()
        worker.wait(30)


def assert_transfers(site: Site, bucket: Any) -> None:
    site.manage("shell", "-c", SAVE)
    until = time.monotonic() + PATIENCE
    while site.states() != ["done"]:
        assert time.monotonic() < until, (site.root / "worker.log").read_text()[-3000:]
        time.sleep(0.2)
    assert [bucket.get(key) for key in bucket.keys("")] == [b"png"]


def test_celery_from_settings_to_a_running_worker(site: Site, redis: Any, moto_bucket: Any) -> None:
    need("celery")
    title = "With Celery, from settings to a running worker"
    site.follow(title, {"redis://localhost:6379/0": redis.url})
    assert_transfers(site, moto_bucket)


def test_django_tasks_from_settings_to_a_running_worker(site: Site, moto_bucket: Any) -> None:
    need("django_tasks_db")
    site.follow("With Django's tasks, from settings to a running worker", {})
    assert_transfers(site, moto_bucket)
