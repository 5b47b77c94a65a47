"""What a command refuses to take for the files of one module."""

from __future__ import annotations

from typing import Any

import pytest

from tests.management.calls import call


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "tenant_*:"),
        ("cat", "tenant_*:a.txt"),
        ("rm", "tenant_*:", "--recursive", "--no-input"),
        ("url", "tenant_*:a.txt"),
        ("cp", "tenant_*:a.txt", "media:a.txt"),
        ("copy", "tenant_*", "media"),
        ("copy", "media", "tenant_*"),
        ("verify", "tenant_*", "media"),
    ],
    ids=" ".join,
)
def test_a_pattern_is_not_one_module(settings: Any, arguments: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {
        "media": {"bucket_name": "acme"},
        "tenant_*": {"bucket_name": "acme", "location": "tenants/{module}"},
    }
    answer = call(*arguments)
    assert answer.code == 2
    assert "'tenant_*' stands for many modules" in answer.err
    assert "such as 'tenant_acme'" in answer.err
