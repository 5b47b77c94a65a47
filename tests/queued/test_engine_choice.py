from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import smart_storages
from smart_storages.exceptions import ConfigurationError
from smart_storages.queued import engines
from tests.queued import broker

PACKAGE = Path(smart_storages.__file__).parent
ENGINES = ("celery", "django.tasks", "django_tasks", "django_tasks_db")


class Counting(engines.Engine):
    sent: list = []

    def enqueue(self, pk: int, delay: float) -> str:
        self.sent.append((pk, delay))
        return "sent"


@pytest.fixture(autouse=True)
def _nothing_sent() -> None:
    Counting.sent.clear()
    broker.messages.clear()


def test_an_engine_is_a_function_or_a_class_by_its_dotted_path(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.post"
    assert engines.enqueue(7, 1.5) == "message 1"
    assert broker.messages == [(7, 1.5)]
    settings.SMART_STORAGE_TASKS = f"{__name__}.Counting"
    assert engines.enqueue(8) == "sent"
    assert Counting.sent == [(8, 0.0)]


def test_an_engine_that_does_not_exist_is_named(settings: Any) -> None:
    settings.SMART_STORAGE_TASKS = "kelery"
    with pytest.raises(ConfigurationError, match=r"SMART_STORAGE_TASKS = 'kelery'"):
        engines.get_engine()


def test_enqueueing_never_raises(settings: Any, caplog: Any) -> None:
    settings.SMART_STORAGE_TASKS = "tests.queued.broker.refuse"
    assert engines.enqueue(9) is None
    assert "row 9 could not be queued; the sweep will do it" in caplog.text


def imported_by(path: Path) -> set:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_only_one_module_imports_a_task_queue() -> None:
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(name.startswith(ENGINES) for name in imported_by(path))
    }
    assert importers <= {"queued/engines.py"}


def test_a_task_queue_is_imported_only_when_it_is_asked_for() -> None:
    code = (
        "import django; from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['smart_storages', 'smart_storages.queued'],"
        " SMART_STORAGE_TASKS='inline'); django.setup();"
        "import sys, smart_storages.queued.backends;"
        "print(sorted({'celery', 'django_tasks', 'django.tasks'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().strip() == "[]"
