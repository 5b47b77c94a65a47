"""``storage_operation`` says of each operation what a proxy before the server sees."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List

import pytest
from django.core.files.base import ContentFile

from smart_storages.common import reporting
from smart_storages.signals import storage_operation


@pytest.fixture
def reports() -> Iterator[List[Dict[str, Any]]]:
    """What the signal said, in order."""
    found: List[Dict[str, Any]] = []

    def note(sender: Any, signal: Any, **fields: Any) -> None:
        found.append({**fields, "sender": sender})

    storage_operation.connect(note)
    yield found
    storage_operation.disconnect(note)


def said(reports: List[Dict[str, Any]]) -> List[Any]:
    reporting.flush()
    return [(each["operation"], each["name"], each["requests"]) for each in reports]


def test_a_save_and_a_read(s3_proxy: Any, make_storage: Callable[..., Any], reports: Any) -> None:
    storage = make_storage(location="x")
    storage.save("a.txt", ContentFile(b"hello"))
    with storage.open("a.txt") as file:
        assert file.read() == b"hello"
    storage.delete("a.txt")
    assert said(reports) == [("save", "a.txt", 1), ("open", "a.txt", 1), ("delete", "a.txt", 1)]
    assert len(s3_proxy.requests) == 3
