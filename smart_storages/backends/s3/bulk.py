"""Operations on many objects: with as few requests as S3 allows, several at a time."""

from __future__ import annotations

from base64 import b64encode
from bisect import bisect_right
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Optional, Tuple, TypeVar
from urllib.parse import unquote_plus

from botocore.compat import MD5_AVAILABLE, get_md5

from smart_storages.backends.s3.errors.results import MISSING_RESULT
from smart_storages.backends.s3.errors.translation import translate_answer, translate_error
from smart_storages.backends.s3.reading.sizes import stat_object
from smart_storages.backends.s3.requests.sending import send
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.s3.target import Target
from smart_storages.backends.s3.writing.parameters import CALL_ERRORS, accepted
from smart_storages.common import recording
from smart_storages.exceptions import AccessDeniedError, ObjectNotFoundError, S3Error

__all__ = ["abort_uploads", "count_threads", "delete_many", "iter_entries", "run_many", "stat_many"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: The most keys that DeleteObjects takes and ListObjectsV2 returns.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
PAGE = 1_000

#: Most requests at the same time.
_THREADS = 16

#: A page of a listing covers up to 1,000 keys, but pages are fetched one after another; a HEAD
#: covers one key, but 16 run at a time. A page that covers fewer keys than this does not pay.
_WORTH_A_PAGE = 4


def count_threads(target: Target) -> int:
    """Return how many requests may run at once: no more than the client has sockets."""
    config: Any = target.client.meta.config
    sockets: int = config.max_pool_connections
    return max(1, min(_THREADS, sockets))


def run_many(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int
) -> Iterator[Tuple[_Item, Optional[_Result], Optional[Exception]]]:
    """Call a function with each item, ``threads`` at a time.

    Args:
        function: What to call.
        items: The items; an iterator is consumed only shortly ahead of the calls.
        threads: Most calls at the same time.

    Returns:
        An iterator of tuples ``(item, result, error)`` in the order of the items; either the
        result or the error is ``None``.

    Example:
        >>> [result for _, result, _ in run_many(len, ["a", "bb"], threads=2)]
        [1, 2]
    """
    rest = iter(items)
    first = list(islice(rest, 2))
    if len(first) < 2 or threads == 1:  # noqa: PLR2004
        for item in (*first, *rest):
            try:
                yield item, function(item), None
            except Exception as error:
                yield item, None, error
        return
    function = recording.carry(function)
    waiting: Deque[Tuple[_Item, Future[_Result]]] = deque()
    executor = ThreadPoolExecutor(threads, "smart-storages-many")
    try:
        for item in (*first, *islice(rest, 2 * threads)):
            waiting.append((item, executor.submit(function, item)))
        while waiting:
            item, future = waiting.popleft()
            try:
                result = future.result()
            except Exception as error:
                yield item, None, error
            else:
                yield item, result, None
            for following in islice(rest, 1):
                waiting.append((following, executor.submit(function, following)))
    finally:
        for _, future in waiting:
            future.cancel()
        executor.shutdown(wait=True)


# Deleting


def delete_many(target: Target, keys: Iterable[str]) -> Dict[str, S3Error]:
    """Delete objects, 1,000 per request if the provider can; a missing object is not an error.

    Args:
        target: The bucket.
        keys: Keys of the objects.

    Returns:
        An error for each key that could not be deleted.

    Example::

        failed = delete_many(target, ["a.txt", "b.txt"])
    """
    unique = list(dict.fromkeys(keys))
    # XML cannot hold unprintable characters, and one such key would make the whole request fail.
    single = [key for key in unique if not key.isprintable() or not target.provider.bulk_delete]
    chosen = set(single)
    bulk = [key for key in unique if key not in chosen]
    failed: Dict[str, S3Error] = {}
    pages = [bulk[start : start + PAGE] for start in range(0, len(bulk), PAGE)]
    _send_md5(target)
    for page, errors, error in run_many(
        lambda page: _delete_page(target, page), pages, threads=count_threads(target)
    ):
        failed.update(errors or {})
        if error is not None:
            failed.update({key: _as_s3_error(error, target, key) for key in page})
    for key, _, error in run_many(
        lambda key: delete_one(target, key), single, threads=count_threads(target)
    ):
        if error is not None:
            failed[key] = _as_s3_error(error, target, key)
    return failed


def delete_one(target: Target, key: str) -> None:
    """Delete an object; a missing one is not an error.

    Raises:
        S3Error: S3 refused, or there is no such bucket.
    """
    client = target.client
    params = accepted(client, "DeleteObject", target.read_parameters)
    try:
        send(client, "DeleteObject", Bucket=target.bucket, Key=key, **params)
    except CALL_ERRORS as error:
        ours = translate_error(error, **target.places(key))
        if not isinstance(ours, ObjectNotFoundError):
            raise ours from error


def _delete_page(target: Target, keys: List[str]) -> Dict[str, S3Error]:
    client = target.client
    params = accepted(client, "DeleteObjects", target.read_parameters)
    answer = send(
        client,
        "DeleteObjects",
        Bucket=target.bucket,
        # Not quiet: a key counts as deleted only if the answer lists it.
        Delete={"Objects": [{"Key": key} for key in keys], "Quiet": False},
        **params,
    )
    refused = answer.get("Errors", ())
    # An error that names none of these keys says nothing about them.
    named = {entry.get("Key") for entry in (*answer.get("Deleted", ()), *refused)}
    failed = {
        key: translate_answer(500, MISSING_RESULT, **target.places(key))
        for key in keys
        if key not in named
    }
    reported = {
        key: translate_answer(
            _STATUS_OF.get(entry.get("Code"), 400), entry.get("Code"), **target.places(key)
        )
        for key, entry in ((entry.get("Key"), entry) for entry in refused)
        if key in keys and entry.get("Code") != "NoSuchKey"
    }
    return {**failed, **reported}


# An answer of 200 lists errors by their codes alone, without an HTTP status.
_STATUS_OF = {"InternalError": 500, "ServiceUnavailable": 503}


def _as_s3_error(error: Exception, target: Target, key: str) -> S3Error:
    ours = translate_error(error, **target.places(key))
    if not isinstance(ours, S3Error):
        raise error
    ours.__cause__ = error if ours is not error else error.__cause__
    return ours


def _send_md5(target: Target) -> None:
    # DeleteObjects must have a checksum. boto3 1.36 sends a CRC32, but servers with "md5" in the
    # table of providers only know Content-MD5, for which the operation has no parameter.
    if target.provider.checksum == "md5" and MD5_AVAILABLE:
        events = target.client.meta.events
        # The ID makes it one registration for each client, however often this is called.
        events.register(
            "before-call.s3.DeleteObjects", _add_md5, unique_id="smart-storages-content-md5"
        )


def _add_md5(params: Dict[str, Any], **_: Any) -> None:
    body = params["body"]
    digest = get_md5(body if isinstance(body, bytes) else body.encode("utf-8")).digest()
    params["headers"]["Content-MD5"] = b64encode(digest).decode("ascii")
    params.get("context", {}).get("checksum", {}).pop("request_algorithm", None)


def abort_uploads(target: Target, key: str, since: datetime) -> int:
    """Abort the multipart uploads of one key that a process left behind; return how many.

    Args:
        target: The bucket.
        key: The key.
        since: Only uploads that were started after this, by the server's clock.

    Raises:
        S3Error: S3 refused to list or to abort them.
    """
    client: Any = target.client
    place = {"Bucket": target.bucket}
    count = 0
    try:
        answer = client.list_multipart_uploads(Prefix=key, **place)
        for upload in answer.get("Uploads", ()):
            if upload["Key"] == key and upload["Initiated"] >= since:
                client.abort_multipart_upload(Key=key, UploadId=upload["UploadId"], **place)
                count += 1
    except CALL_ERRORS as error:
        target.fail(error, key)
    return count


# Listing and HEAD


def iter_entries(target: Target, prefix: str, after: str = "") -> Iterator[Tuple[str, Stat]]:
    """Yield key and stat of every object under a prefix, in the order of the keys.

    Args:
        target: The bucket.
        prefix: The beginning of the keys.
        after: Only keys that sort after this one.

    Raises:
        S3Error: S3 refused to list them, or the listing does not come to an end.
    """
    for entries, _ in _iter_pages(target, prefix, after):
        for entry in entries:
            yield entry["Key"], Stat.from_entry(entry)


def _iter_pages(
    target: Target, prefix: str, after: str
) -> Iterator[Tuple[List[Dict[str, Any]], bool]]:
    """Yield the pages of a listing, each with whether it is the last; only that one may be empty.

    What deletes what is not listed relies on this: a page without keys is not the end while
    ``IsTruncated`` is true.
    """
    token = ""
    while True:
        answer = _list_page(target, prefix, after, token)
        entries = answer.get("Contents", [])
        if not answer.get("IsTruncated"):
            yield entries, True
            return
        before, token = token, "" if entries else answer.get("NextContinuationToken", "")
        if entries and entries[-1]["Key"] > after:
            yield entries, False
            after = entries[-1]["Key"]
        elif token in ("", before):
            raise S3Error(
                "The server says that its listing of the bucket goes on, but not from where.",
                **target.places(prefix),
            )


def _list_page(target: Target, prefix: str, after: str, token: str) -> Dict[str, Any]:
    client: Any = target.client
    params = accepted(client, "ListObjectsV2", target.read_parameters)
    if token:
        params["ContinuationToken"] = token
    elif after:
        params["StartAfter"] = after
    # Encoded, because XML cannot hold every character that a key may have.
    params["EncodingType"] = "url"
    try:
        answer = send(client, "ListObjectsV2", Bucket=target.bucket, Prefix=prefix, **params)
    except CALL_ERRORS as error:
        target.fail(error, prefix)
    if answer.get("EncodingType") == "url":
        for entry in answer.get("Contents", ()):
            entry["Key"] = unquote_plus(entry["Key"])
    return answer


def stat_many(target: Target, keys: Iterable[str]) -> Dict[str, Optional[Stat]]:
    """Return the stat of each key, ``None`` for a key without an object.

    Keys that are close to each other in the bucket's order are covered by listings, 1,000 per
    request; scattered keys by HEAD requests, several at a time. How close they are is measured
    from the pages.

    Args:
        target: The bucket.
        keys: Keys of the objects.

    Raises:
        S3Error: S3 did not answer for one of them.
    """
    wanted = sorted(set(keys))
    found: Dict[str, Optional[Stat]] = {}
    asked = _stat_by_listing(target, wanted, found) if len(wanted) >= _WORTH_A_PAGE else wanted
    for key, stat, error in run_many(
        lambda key: _stat_one(target, key), asked, threads=count_threads(target)
    ):
        if error is not None:
            raise error
        found[key] = stat
    return found


def _stat_by_listing(
    target: Target, wanted: List[str], found: Dict[str, Optional[Stat]]
) -> List[str]:
    """Fill ``found`` as far as listings pay; return the keys that need a HEAD each."""
    prefix = _common_prefix(wanted[0], wanted[-1])
    left: List[str] = []
    skip = 2 * _THREADS
    start = 0
    while start < len(wanted):
        try:
            entries, is_last = next(_iter_pages(target, prefix, _just_before(wanted[start])))
        except AccessDeniedError:
            return left + wanted[start:]  # some credentials may read objects but not list them
        # For each key up to the last one of the page, the page shows whether it exists.
        end = len(wanted) if is_last else bisect_right(wanted, entries[-1]["Key"])
        stats = {entry["Key"]: entry for entry in entries}
        for key in wanted[start:end]:
            found[key] = Stat.from_entry(stats[key]) if key in stats else None
        answered = end - start
        start = end
        if answered < _WORTH_A_PAGE:
            # The keys are sparse here, but may become dense again. Before the next listing, skip
            # some keys, and twice as many each time.
            left += wanted[start : start + skip]
            start += skip
            skip *= 2
        else:
            skip = 2 * _THREADS
    return left


def _common_prefix(first: str, last: str) -> str:
    # In sorted keys, a prefix that the first and the last share is shared by all.
    for index, (one, other) in enumerate(zip(first, last)):
        if one != other:
            return first[:index]
    return first


def _just_before(key: str) -> str:
    """Return a text that sorts before a key, and after nearly all other keys before it."""
    last = key[-1:]
    if last.isascii() and last.isalnum():
        return f"{key[:-1]}{chr(ord(last) - 1)}\U0010fffd"
    return key[:-1]


def _stat_one(target: Target, key: str) -> Optional[Stat]:
    try:
        return stat_object(target, key)
    except ObjectNotFoundError:
        return None
