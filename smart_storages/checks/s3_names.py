"""System checks of names that a server refuses: of buckets on AWS, and of regions.

Servers other than AWS have rules of their own, so their buckets are not checked. ``docs/checks.md``
has the numbers.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, List, Mapping, Optional, Set, Tuple

from django.core import checks

from smart_storages import config
from smart_storages.checks.connections import User, find_users
from smart_storages.config.options import OPTIONS
from smart_storages.config.providers import get_provider
from smart_storages.config.values import ANY_MODULE

__all__ = ["check_s3_names"]

#: The number of each problem; docs/checks.md has a paragraph for each.
_IDS = {"bucket_name": "smart_storages.W013", "region_name": "smart_storages.W014"}

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_SHORTEST, _LONGEST = 3, 63
_is_of_characters = re.compile(r"[a-z0-9.-]+").fullmatch
_is_address = re.compile(r"\d+(\.\d+){3}").fullmatch
_RESERVED = ("xn--", "sthree-", "amzn-s3-demo-")

_is_region = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+").fullmatch
_read_zone = re.compile(r"([a-z]{2,}(?:-[a-z]+)+-\d+)[a-z]").fullmatch
# What botocore accepts as the name of a region, whatever the server.
_is_label = re.compile(r"(?![0-9]+$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?").fullmatch
#: Names that botocore takes for a region of AWS, though they have another form.
_PSEUDO_REGIONS = ("aws-global", "s3-external-1")

_HINT_BUCKET = (
    "Correct bucket_name. If the server is not AWS, set its endpoint_url or provider. Silence this "
    "if the bucket was made in us-east-1 before March 2018, when AWS allowed more."
)
_HINT_DOT = "Leave addressing_style out, or set it to 'path'."
_HINT_REGION = "Write the region as its provider does in its endpoint: eu-west-1."


def check_s3_names(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check the names of buckets on AWS, and the names of regions."""
    messages: List[checks.CheckMessage] = []
    told: Set[Tuple[str, str]] = set()
    for user in find_users():
        for key, fault, hint in _find_faults(user.options):
            value = str(user.options[key])
            if (value, fault) not in told:
                told.add((value, fault))
                shown = value.replace(ANY_MODULE, "*")
                text = f"{_place_of(user, key)} is {shown!r}, which {fault}."
                messages.append(checks.Warning(text, hint=hint, id=_IDS[key]))
    return messages


def _place_of(user: User, key: str) -> str:
    if config.get_upstream_options().get(key) == user.options[key]:
        return str(OPTIONS[key].setting)
    return f"{user.label}: {key}"


def _find_faults(options: Mapping[str, Any]) -> Iterator[Tuple[str, str, str]]:
    """Yield each option that is wrong, why, and a hint."""
    is_aws = get_provider(options.get("provider"), options.get("endpoint_url")).name == "aws"
    bucket, region = (_sample_of(options.get(key)) for key in ("bucket_name", "region_name"))
    if bucket and is_aws and not bucket.startswith("arn:"):
        fault = _find_bucket_fault(bucket)
        if fault:
            yield "bucket_name", f"AWS refuses: {fault}", _HINT_BUCKET
        elif "." in bucket and _is_in_certificate(options):
            what = (
                "has a dot and does not fit the certificate of AWS if addressing_style is virtual"
            )
            yield "bucket_name", what, _HINT_DOT
    fault = _find_region_fault(region, is_aws) if region else None
    if fault:
        yield "region_name", fault, _HINT_REGION


def _sample_of(name: Any) -> str:
    return name.replace(ANY_MODULE, "abc") if isinstance(name, str) else ""


def _find_bucket_fault(bucket: str) -> Optional[str]:
    if not _SHORTEST <= len(bucket) <= _LONGEST:
        return f"it has {len(bucket)} characters, and must have {_SHORTEST} to {_LONGEST}"
    if not _is_of_characters(bucket):
        return "it may only have lower-case letters, digits, '-' and '.'"
    if not (bucket[0].isalnum() and bucket[-1].isalnum()) or ".." in bucket:
        return "it must begin and end with a letter or a digit, and have no two dots side by side"
    if _is_address(bucket):
        return "it has the form of an IP address"
    if bucket.startswith(_RESERVED):
        return f"names that begin with {', '.join(_RESERVED)} are reserved"
    return None


def _is_in_certificate(options: Mapping[str, Any]) -> bool:
    """Tell whether the bucket is a part of the host, whose certificate is verified."""
    given = getattr(options.get("client_config"), "s3", None) or {}
    style = given.get("addressing_style") or options.get("addressing_style")
    endpoint = options.get("endpoint_url")
    uses_tls = endpoint.startswith("https:") if endpoint else options.get("use_ssl", True)
    return style == "virtual" and uses_tls and options.get("verify") is not False


def _find_region_fault(region: str, is_aws: bool) -> Optional[str]:
    if not _is_label(region):
        return "cannot be a region: it may only have letters, digits and '-'"
    if not is_aws or _is_region(region) or region in _PSEUDO_REGIONS or "fips" in region:
        return None
    zone = _read_zone(region)
    if zone:
        return f"is an availability zone: its region is {zone[1]}"
    return "is not the name of a region of AWS"
