"""Spans of the operations of storages, and of their calls of S3, for OpenTelemetry.

An operation is a span, ``smart_storages.save``. Within it, each call of S3 that is made past
botocore is a span of the kind and with the attributes that OpenTelemetry's conventions give a call
of S3. A call by botocore is left to OpenTelemetry's own instrumentation of botocore, if that is
installed; its spans are within that of the operation too.

Source: https://opentelemetry.io/docs/specs/semconv/object-stores/s3/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional

from smart_storages import __version__
from smart_storages.common.documentation import plain_text
from smart_storages.common.recording import Observer, Record, observers
from smart_storages.exceptions import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["install", "uninstall"]


class _Spans(Observer):
    """Begins and ends spans.

    Args:
        context: The module ``opentelemetry.context``.
        trace: The module ``opentelemetry.trace``.
        tracer: What makes the spans.
    """

    def __init__(self, context: Any, trace: Any, tracer: Any) -> None:
        self._context = context
        self._trace = trace
        self._tracer = tracer

    # Operations

    def begin(self, record: Record) -> None:
        attributes = {
            "smart_storages.module": record.place.module,
            "smart_storages.operation": record.operation,
            "aws.s3.bucket": record.place.bucket,
            "smart_storages.name": record.name,
        }
        record.spans = self._tracer.start_span(
            f"smart_storages.{record.operation}", attributes=_given(attributes)
        )

    def enter(self, record: Record) -> Optional[Callable[[], None]]:
        if record.spans is None:  # it began before this was installed
            return None
        token = self._context.attach(self._trace.set_span_in_context(record.spans))
        return lambda: self._context.detach(token)

    def end(self, record: Record, error: Optional[BaseException]) -> None:
        span, record.spans = record.spans, None
        if span is None:
            return
        values = {
            "smart_storages.name": record.name,  # a save may have chosen another
            "smart_storages.bytes": record.bytes,
            "smart_storages.requests": record.requests,
            "smart_storages.retries": record.retries,
        }
        span.set_attributes(_given(values))
        self._finish(span, error)

    # Calls of S3

    def hide(self) -> Optional[Callable[[], None]]:
        # Every instrumentation looks at it; the function that sets it is in newer releases only.
        key = getattr(self._context, "_SUPPRESS_INSTRUMENTATION_KEY", None)
        if key is None:
            return None
        token = self._context.attach(self._context.set_value(key, True))
        return lambda: self._context.detach(token)

    def send(
        self, method: str, bucket: str, params: Mapping[str, Any]
    ) -> Optional[Callable[[Any, Optional[BaseException]], None]]:
        span = self._tracer.start_span(
            f"S3.{method}",
            kind=self._trace.SpanKind.CLIENT,
            attributes=_given(_describe_call(method, bucket, params)),
        )

        def end(answer: Any, error: Optional[BaseException]) -> None:
            span.set_attributes(_given(_describe_answer(answer, error)))
            self._finish(span, error)

        return end

    def _finish(self, span: Any, error: Optional[BaseException]) -> None:
        if error is not None:
            # The message alone: the attributes of an exception would have its whole traceback.
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, plain_text(error)))
        span.end()


def _given(attributes: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _describe_call(method: str, bucket: str, params: Mapping[str, Any]) -> Dict[str, Any]:
    source = params.get("CopySource")
    return {
        "rpc.system": "aws-api",
        "rpc.service": "S3",
        "rpc.method": method,
        "aws.s3.bucket": bucket,
        "aws.s3.key": params.get("Key"),
        "aws.s3.upload_id": params.get("UploadId"),
        "aws.s3.part_number": params.get("PartNumber"),
        "aws.s3.copy_source": f"{source['Bucket']}/{source['Key']}" if source else None,
    }


def _describe_answer(answer: Any, error: Optional[BaseException]) -> Dict[str, Any]:
    """Return what the conventions want of an answer: of ours to a GET, or a dict of boto3's."""
    if error is not None:
        # An error of this package has that of botocore as its cause.
        answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    if isinstance(answer, dict):
        about = answer.get("ResponseMetadata", {})
        headers, status = about.get("HTTPHeaders", {}), about.get("HTTPStatusCode")
        retries = about.get("RetryAttempts")
    else:
        headers, status = getattr(answer, "headers", {}), getattr(answer, "status", None)
        retries = None
    return {
        "aws.request_id": headers.get("x-amz-request-id"),
        "aws.extended_request_id": headers.get("x-amz-id-2"),
        "http.response.status_code": status,
        "http.request.resend_count": retries or None,
    }


_installed: List[_Spans] = []


def install(tracer_provider: Optional[TracerProvider] = None) -> None:
    """Make spans of the operations of storages from now on; a second call does nothing.

    It is called once in each process, in ``AppConfig.ready()`` or where the project sets
    OpenTelemetry up.

    Args:
        tracer_provider: Where the spans go; OpenTelemetry's global provider if ``None``.

    Raises:
        ConfigurationError: the package opentelemetry-api is not installed.

    Example::

        class MediaConfig(AppConfig):
            name = "media"

            def ready(self):
                from smart_storages.monitoring import opentelemetry

                opentelemetry.install()
    """
    try:
        from opentelemetry import context, trace
    except ImportError as error:
        raise ConfigurationError(
            "smart_storages.monitoring.opentelemetry needs the package opentelemetry-api: "
            'pip install "django-smart-storages[opentelemetry]"'
        ) from error
    if not _installed:
        tracer = trace.get_tracer("smart_storages", __version__, tracer_provider=tracer_provider)
        _installed.append(_Spans(context, trace, tracer))
        observers.append(_installed[0])


def uninstall() -> None:
    """Make no more spans."""
    if _installed:
        observers.remove(_installed.pop())
