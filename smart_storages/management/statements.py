"""Statements of policies in IAM's language: what a module may do, and where."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List

from smart_storages.management.places import Place

__all__ = ["bucket_arn", "objects_arn", "one_line", "statement"]

_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))


def _partition_of(place: Place) -> str:
    region = place.storage.region_name or ""
    return next((name for start, name in _PARTITIONS if region.startswith(start)), "aws")


def bucket_arn(place: Place) -> str:
    """Return the ARN of the bucket, or of the access point that stands for it."""
    name = place.bucket or ""
    return name if name.startswith("arn:") else f"arn:{_partition_of(place)}:s3:::{name}"


def objects_arn(place: Place) -> str:
    """Return the ARN of every object inside the location."""
    arn = bucket_arn(place)
    is_access_point = ":accesspoint/" in arn
    return f"{arn}/{'object/' if is_access_point else ''}{place.location}*"


def statement(
    actions: Iterable[str], resource: str, *, sid: str = "", **more: Any
) -> Dict[str, Any]:
    """Return a statement that allows actions on a resource.

    Args:
        actions: Names of actions, with ``s3:`` in front.
        resource: An ARN.
        sid: The name of the statement, letters and digits.
        more: ``Condition`` or ``Principal``.

    Example:
        >>> statement(["s3:GetObject"], "arn:aws:s3:::acme/*")["Action"]
        's3:GetObject'
    """
    names: List[str] = list(actions)
    return {
        **({"Sid": sid} if sid else {}),
        "Effect": "Allow",
        **{key: more[key] for key in ("Principal",) if key in more},
        "Action": names[0] if len(names) == 1 else names,
        "Resource": resource,
        **{key: more[key] for key in ("Condition",) if key in more},
    }


def one_line(value: Any) -> str:
    """Return JSON in one line, for a message."""
    return json.dumps(value)
