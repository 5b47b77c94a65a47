"""Counters and histograms of the operations of storages, for Prometheus.

The labels are few: the module, the operation and its outcome, never the name of a file. Modules
that one pattern of ``SMART_STORAGE_BUCKETS`` covers, such as ``tenant_*``, share its label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

from smart_storages import config
from smart_storages.exceptions import ConfigurationError
from smart_storages.signals import storage_operation

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["SECONDS", "install", "uninstall"]

#: Upper bounds of the buckets of the histogram, in seconds: from a HEAD in the same data centre to
#: an upload of gigabytes.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

_UID = "smart_storages.monitoring.prometheus"


class _Metrics:
    """The metrics in one registry; called with the signal.

    Args:
        client: The package ``prometheus_client``.
        registry: Where they are registered.
        seconds: Upper bounds of the buckets of the histogram.
    """

    def __init__(self, client: Any, registry: Any, seconds: Sequence[float]) -> None:
        self.registry = registry
        labels = ("module", "operation")

        def counter(name: str, text: str, labels: Tuple[str, ...] = labels) -> Any:
            return client.Counter(f"smart_storages_{name}", text, labels, registry=registry)

        self.operations = counter(
            "operations", "Operations of storages that have ended.", (*labels, "outcome")
        )
        self.requests = counter("requests", "Requests that operations of storages sent to S3.")
        self.retries = counter("retries", "Requests to S3 that were sent again.")
        self.bytes = counter("bytes", "Bytes of content sent to S3 and received from it.")
        self.seconds = client.Histogram(
            "smart_storages_operation_seconds",
            "Seconds that operations of storages took.",
            labels,
            buckets=seconds,
            registry=registry,
        )
        self.all = (self.operations, self.requests, self.retries, self.bytes, self.seconds)

    def __call__(
        self,
        *,
        module: str,
        operation: str,
        requests: int,
        retries: int,
        seconds: float,
        error: Optional[BaseException],
        **fields: Any,
    ) -> None:
        # A label for each tenant would be a time series for each of them.
        labels = (config.find_key(module) or module, operation)
        self.operations.labels(*labels, "ok" if error is None else type(error).__name__).inc()
        self.requests.labels(*labels).inc(requests)
        self.retries.labels(*labels).inc(retries)
        self.bytes.labels(*labels).inc(fields["bytes"])
        self.seconds.labels(*labels).observe(seconds)


_installed: List[_Metrics] = []


def install(
    registry: Optional[CollectorRegistry] = None, *, seconds: Sequence[float] = SECONDS
) -> None:
    """Count the operations of storages from now on; a second call does nothing.

    It is called once in each process, in ``AppConfig.ready()``. How the metrics are exposed is up
    to the project: a view with ``generate_latest()``, django-prometheus, ``start_http_server()``.

    Args:
        registry: Where the metrics are registered; ``prometheus_client.REGISTRY`` if ``None``.
        seconds: Upper bounds of the buckets of ``smart_storages_operation_seconds``.

    Raises:
        ConfigurationError: the package prometheus_client is not installed.

    Example::

        class MediaConfig(AppConfig):
            name = "media"

            def ready(self):
                from smart_storages.monitoring import prometheus

                prometheus.install()
    """
    try:
        import prometheus_client
    except ImportError as error:
        raise ConfigurationError(
            "smart_storages.monitoring.prometheus needs the package prometheus_client: "
            'pip install "django-smart-storages[prometheus]"'
        ) from error
    if not _installed:
        chosen = prometheus_client.REGISTRY if registry is None else registry
        _installed.append(_Metrics(prometheus_client, chosen, seconds))
        storage_operation.connect(_installed[0], weak=False, dispatch_uid=_UID)


def uninstall() -> None:
    """Stop counting, and take the metrics out of their registry."""
    if _installed:
        storage_operation.disconnect(dispatch_uid=_UID)
        metrics = _installed.pop()
        for each in metrics.all:
            metrics.registry.unregister(each)
