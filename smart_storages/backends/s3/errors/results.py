"""A successful answer without a result is treated as a failure.

S3 answers a write with its result: an ETag, the ID of an upload, what was deleted; and a listing
says whether it goes on. If a proxy
closes after the status line, or the connection ends within the headers, a 200 without a result
remains. botocore takes this for a success; code that then deletes the source of a copy loses the
file. Here it counts as a server error: the request is retried, and an error is raised in the end.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple

__all__ = ["MISSING_RESULT", "lacks_result", "missing_result_error", "require_results"]

#: The code of the error that is raised for such an answer.
MISSING_RESULT = "MissingResult"

_FIRST_FAILURE = 300


def _is_etag(value: Any) -> bool:
    # One of the two quotes is missing if the connection ended within the ETag.
    return bool(value) and value.count('"') in (0, 2)


def _has_etag(parsed: Dict[str, Any], content: bytes) -> bool:
    return _is_etag(parsed.get("ETag"))


def _has_upload_id(parsed: Dict[str, Any], content: bytes) -> bool:
    return bool(parsed.get("UploadId"))


def _is_completed(parsed: Dict[str, Any], content: bytes) -> bool:
    # Ceph 16 leaves the ETag empty and returns the key.
    return bool(parsed.get("ETag") or parsed.get("Key"))


def _is_copied(parsed: Dict[str, Any], content: bytes) -> bool:
    return _is_etag(parsed.get("CopyObjectResult", {}).get("ETag"))


def _is_copied_part(parsed: Dict[str, Any], content: bytes) -> bool:
    return _is_etag(parsed.get("CopyPartResult", {}).get("ETag"))


def _is_listed(parsed: Dict[str, Any], content: bytes) -> bool:
    # Anything else would mean that the bucket is empty.
    return parsed.get("IsTruncated") is not None


def _is_not_empty(parsed: Dict[str, Any], content: bytes) -> bool:
    return bool(content.strip())


_HAS_RESULT: Dict[str, Callable[[Dict[str, Any], bytes], bool]] = {
    "CompleteMultipartUpload": _is_completed,
    "CopyObject": _is_copied,
    "CreateMultipartUpload": _has_upload_id,
    "DeleteObjects": _is_not_empty,
    "ListObjectsV2": _is_listed,
    "PutObject": _has_etag,
    "UploadPart": _has_etag,
    "UploadPartCopy": _is_copied_part,
}


def lacks_result(operation: str, parsed: Dict[str, Any], content: bytes) -> bool:
    """Return whether a successful answer lacks its result.

    Args:
        operation: AWS's name of the operation.
        parsed: The answer as botocore parses it.
        content: Its body.
    """
    has_result = _HAS_RESULT.get(operation)
    return has_result is not None and not has_result(parsed, content)


def missing_result_error(operation: str) -> Dict[str, str]:
    """Return the ``Error`` entry for an answer without its result."""
    return {
        "Code": MISSING_RESULT,
        "Message": f"The answer does not say what {operation} did.",
    }


def require_results(client: Any) -> None:
    """Make a client treat an answer without its result as a server error, which it retries.

    Args:
        client: A boto3 client that only this package uses.
    """
    for operation in _HAS_RESULT:
        # Registered first, so that botocore's own handler sees the failure and decides on a retry.
        client.meta.events.register_first(f"needs-retry.s3.{operation}", _check_result)


def _check_result(
    response: Optional[Tuple[Any, Dict[str, Any]]] = None, operation: Any = None, **_: Any
) -> None:
    if response is None:  # the connection failed, which botocore handles itself
        return
    http_response, parsed = response
    about = parsed.get("ResponseMetadata", {})
    if http_response.status_code >= _FIRST_FAILURE or "Error" in parsed:
        return
    if not lacks_result(operation.name, parsed, http_response.content or b""):
        return
    parsed["Error"] = missing_result_error(operation.name)
    about["HTTPStatusCode"] = http_response.status_code = 500
