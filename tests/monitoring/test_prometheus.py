"""What Prometheus sees of the operations of storages."""

from __future__ import annotations

import sys
from typing import Any, Dict, Iterator

import prometheus_client
import pytest
from django.core.files.base import ContentFile

from smart_storages.exceptions import ConfigurationError, ObjectNotFoundError
from smart_storages.monitoring import prometheus
from smart_storages.signals import storage_operation
from smart_storages.storages import SmartS3Storage


@pytest.fixture
def registry() -> Iterator[Any]:
    registry = prometheus_client.CollectorRegistry()
    prometheus.install(registry)
    yield registry
    prometheus.uninstall()


def values(registry: Any, name: str) -> Dict[Any, float]:
    """The samples of a metric, by their labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == f"smart_storages_{name}"
    }


def test_operations_are_counted_by_module_operation_and_outcome(
    registry: Any, make_storage: Any, s3_proxy: Any
) -> None:
    storage = make_storage()
    s3_proxy.inject(method="PUT", status=503)
    storage.save("a.txt", ContentFile(b"hello"))
    with storage.open("a.txt") as file:
        file.read()
    for _ in range(2):
        with pytest.raises(ObjectNotFoundError):
            storage.size("missing")
    assert values(registry, "operations_total") == {
        ("media", "save", "ok"): 1,
        ("media", "open", "ok"): 1,
        ("media", "size", "ObjectNotFoundError"): 2,
    }
    by_operation = {("media", "save"): 2, ("media", "open"): 1, ("media", "size"): 2}
    assert values(registry, "requests_total") == by_operation
    assert sum(by_operation.values()) == len(s3_proxy.requests)
    assert values(registry, "retries_total")["media", "save"] == 1
    assert values(registry, "bytes_total") == {
        ("media", "save"): 5,
        ("media", "open"): 5,
        ("media", "size"): 0,
    }
    assert values(registry, "operation_seconds_count")["media", "size"] == 2
    assert values(registry, "operation_seconds_sum")["media", "save"] > 0


def test_no_metric_names_a_file(registry: Any, make_storage: Any) -> None:
    make_storage().save("of-a-customer.txt", ContentFile(b"hello"))
    shown = prometheus_client.generate_latest(registry).decode()
    assert 'module="media"' in shown
    assert "of-a-customer" not in shown


def test_modules_of_one_pattern_share_a_label(
    registry: Any, s3_settings: Any, s3_bucket: Any
) -> None:
    s3_settings.SMART_STORAGE_BUCKETS = {"tenant_*": {"bucket_name": s3_bucket.name}}
    for name in ("acme", "globex"):
        SmartS3Storage(f"tenant_{name}").exists("a.txt")
    assert values(registry, "requests_total") == {("tenant_*", "exists"): 2}


def test_the_buckets_of_the_histogram_can_be_chosen(make_storage: Any) -> None:
    registry = prometheus_client.CollectorRegistry()
    prometheus.install(registry, seconds=(1, 2))
    try:
        make_storage().exists("a.txt")
        found = {labels[-1] for labels in values(registry, "operation_seconds_bucket")}
    finally:
        prometheus.uninstall()
    assert found == {"1.0", "2.0", "+Inf"}


def test_installing_twice_counts_once_and_uninstalling_counts_no_more(
    registry: Any, make_storage: Any
) -> None:
    prometheus.install(registry)
    prometheus.install()
    storage = make_storage()
    storage.exists("a.txt")
    assert values(registry, "operations_total") == {("media", "exists", "ok"): 1}
    prometheus.uninstall()
    prometheus.uninstall()
    assert list(registry.collect()) == []
    assert not storage_operation.has_listeners()


def test_without_the_package_the_error_says_what_to_install(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"django-smart-storages\[prometheus\]"):
        prometheus.install()
