"""What every call of a client goes through: errors lose their secrets, and redirects end."""

from __future__ import annotations

import threading
from typing import Any, Dict

from botocore.exceptions import ClientError

from smart_storages.common.secrets import reveal
from smart_storages.s3.errors.cleaning import clean
from smart_storages.s3.private_names import InterceptsCalls

__all__ = ["guard_calls"]

#: Whether this thread is in a call of HeadBucket.
_asking_for_region = threading.local()


class _GuardedCalls(InterceptsCalls):
    """A base class of every client: no error of a request leaves it with a secret.

    It is done here because otherwise every caller of a client would have to do it. Secret values
    of parameters become plain text here too, and are deleted before an error is raised.
    """

    def call_api(self, send: Any, operation_name: str, params: Any) -> Any:
        params = {name: reveal(value) for name, value in params.items()}
        try:
            if operation_name == "HeadBucket":
                return _ask_once(send, params)
            return send(operation_name, params)
        except BaseException as error:
            raise clean(error)  # noqa: B904 - it is the same error
        finally:
            del params


def _ask_once(send: Any, params: Dict[str, Any]) -> Any:
    # botocore follows a redirect that names no region by asking for the bucket with HeadBucket. If
    # that is redirected in the same way, it asks again, until Python's stack is full.
    if getattr(_asking_for_region, "now", False):
        answer: Any = {
            "Error": {"Code": "PermanentRedirect", "Message": "The answer names no region."},
            "ResponseMetadata": {"HTTPStatusCode": 301, "HTTPHeaders": {}},
        }
        raise ClientError(answer, "HeadBucket")
    _asking_for_region.now = True
    try:
        return send("HeadBucket", params)
    finally:
        _asking_for_region.now = False


def guard_calls(**event: Any) -> None:
    """Add the base class to the class of a client; a handler of ``creating-client-class``."""
    event["base_classes"].insert(0, _GuardedCalls)
