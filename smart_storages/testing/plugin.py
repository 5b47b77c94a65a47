"""The pytest plugin, which pytest finds by itself: the fixture ``smart_buckets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from smart_storages.testing.overriding import override_buckets

__all__ = ["smart_buckets"]


@pytest.fixture
def smart_buckets() -> Iterator[override_buckets]:
    """Every module keeps its files in memory during a test, and none are left.

    Example::

        def test_a_report_is_saved(client, smart_buckets):
            client.post("/reports/", {"file": SimpleUploadedFile("a.pdf", b"%PDF")})
            assert_saved("documents", "reports/a.pdf")
    """
    from smart_storages.testing.overriding import override_buckets  # a project has no Django yet

    with override_buckets() as overridden:
        yield overridden
