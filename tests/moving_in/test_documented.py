"""Nothing that an older package documents is forgotten."""

from __future__ import annotations

import importlib

import pytest

from tests.moving_in import documented

pytestmark = pytest.mark.documentation

PAGES = {
    "tests.moving_in.test_fallback_storage": "docs/from-django-fallback-storage.md",
    "tests.moving_in.test_queued_storage": "docs/from-django-queued-storage.md",
    "tests.moving_in.test_s3_storage": "docs/from-django-s3-storage.md",
    "tests.moving_in.test_storage_dispatcher": "docs/from-django-storage-dispatcher.md",
}


@pytest.mark.parametrize("module", PAGES)
def test_every_documented_name_has_a_test_or_a_line_in_the_page(module):
    names = set(importlib.import_module(module).DOCUMENTED)
    shown = documented.shown_by(module)
    lost = [n for n in sorted(names - shown) if not documented.stands_in(PAGES[module], n)]
    assert lost == [], f"write a test that shows it, or a line into {PAGES[module]}"
    assert shown - names == set(), "a test shows what nobody documents"
    assert shown


def test_a_name_in_an_example_or_within_another_name_is_no_line_of_the_page(monkeypatch):
    page = "`AWS_S3_GZIP_STATIC` and `a.b.Kept`, but AWS_REGION\n\n```python\nx = 'GONE'\n```\n"
    monkeypatch.setattr(documented.documentation, "read", lambda _: page)
    names = ("AWS_S3_GZIP_STATIC", "Kept", "AWS_S3_GZIP", "AWS_REGION", "GONE")
    assert [documented.stands_in("a.md", name) for name in names] == [True, True] + 3 * [False]
