"""What a bucket of S3 needs for its modules: how each setting is read, and put in force."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from smart_storages.management.places import Place
from smart_storages.management.policies import (
    allows_uploads,
    cors_rules,
    document,
    lifecycle_rules,
    public_access_block,
    public_statements,
)

__all__ = ["Need", "NoSuchSettingError", "Wishes", "needs_of"]


class Wishes(NamedTuple):
    """What was asked for on the command line.

    Args:
        origins: Origins of pages that upload straight to the buckets.
        versioning: Whether old versions are kept; ``None`` for yes, save where that would break
            the promise not to overwrite.
        dry_run: Whether to change nothing.
    """

    origins: Sequence[str] = ()
    versioning: Optional[bool] = None
    dry_run: bool = False


class Need(NamedTuple):
    """One thing that a bucket may need.

    Args:
        what: As a person reads it.
        actions: Those of IAM that read it and change it.
        read: Returns what is there; ``None`` if nothing is.
        wanted: Returns what is to be there instead, ``None`` to leave it.
        write: Puts that in force.
    """

    what: str
    actions: Tuple[str, str]
    read: Callable[[], Any]
    wanted: Callable[[Any], Any]
    write: Callable[[Any], Any]


class NoSuchSettingError(Exception):
    """The server does not know a setting."""


def _part(answer: Dict[str, Any], name: str) -> Any:
    # A server that knows no such setting may take the request for one that lists the bucket.
    if name not in answer:
        raise NoSuchSettingError
    return answer[name]


def needs_of(client: Any, bucket: str, places: Sequence[Place], wishes: Wishes) -> Iterator[Need]:
    """Yield what a bucket needs; no request is sent before one of them is read or written.

    Args:
        client: A client of boto3; it may be ``None`` if nothing will be read or written.
        bucket: The bucket.
        places: Modules that share it.
        wishes: What was asked for.
    """
    named = {"Bucket": bucket}
    yield Need(
        "block of public access",
        ("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        lambda: _part(client.get_public_access_block(**named), "PublicAccessBlockConfiguration"),
        lambda current: _unless_equal(current, public_access_block(places)),
        lambda wanted: client.put_public_access_block(
            PublicAccessBlockConfiguration=wanted, **named
        ),
    )
    yield Need(
        "encryption",
        ("s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"),
        lambda: _part(client.get_bucket_encryption(**named), "ServerSideEncryptionConfiguration"),
        lambda current: None if current else _encryption(places),
        lambda wanted: client.put_bucket_encryption(
            ServerSideEncryptionConfiguration=wanted, **named
        ),
    )
    if _wants_versions(places, wishes):
        yield Need(
            "versioning",
            ("s3:GetBucketVersioning", "s3:PutBucketVersioning"),
            lambda: client.get_bucket_versioning(**named).get("Status"),
            lambda current: None if current == "Enabled" else {"Status": "Enabled"},
            lambda wanted: client.put_bucket_versioning(VersioningConfiguration=wanted, **named),
        )
    yield from _rules_of(client, named, places, wishes.origins)


def _rules_of(
    client: Any, named: Dict[str, str], places: Sequence[Place], origins: Sequence[str]
) -> Iterator[Need]:
    yield Need(
        "removal of incomplete uploads after 7 days",
        ("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
        lambda: _part(client.get_bucket_lifecycle_configuration(**named), "Rules"),
        _lifecycle_with_abort,
        lambda wanted: client.put_bucket_lifecycle_configuration(
            LifecycleConfiguration=wanted, **named
        ),
    )
    if origins:
        yield Need(
            f"CORS for {', '.join(origins)}",
            ("s3:GetBucketCORS", "s3:PutBucketCORS"),
            lambda: _part(client.get_bucket_cors(**named), "CORSRules"),
            lambda current: _cors_with(current, origins),
            lambda wanted: client.put_bucket_cors(CORSConfiguration=wanted, **named),
        )
    if public_statements(places):
        yield Need(
            "policy that lets anybody read public files",
            ("s3:GetBucketPolicy", "s3:PutBucketPolicy"),
            lambda: json.loads(client.get_bucket_policy(**named).get("Policy") or "{}"),
            lambda current: _policy_with(current, public_statements(places)),
            lambda wanted: client.put_bucket_policy(Policy=json.dumps(wanted), **named),
        )


def _unless_equal(current: Any, wanted: Any) -> Any:
    return None if current == wanted else wanted


def _encryption(places: Sequence[Place]) -> Dict[str, Any]:
    keys = [place.storage.get_object_parameters("").get("SSEKMSKeyId") for place in places]
    key = next(filter(None, keys), None)
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]}


def _wants_versions(places: Sequence[Place], wishes: Wishes) -> bool:
    if wishes.versioning is not None:
        return wishes.versioning
    # Ceph ignores If-None-Match in a bucket that keeps versions: a save would overwrite.
    return places[0].storage.s3_provider.name != "ceph"


def _lifecycle_with_abort(current: Any) -> Any:
    rules: List[Dict[str, Any]] = current or []
    if any("AbortIncompleteMultipartUpload" in rule for rule in rules):
        return None
    # boto3 gives an older form of a rule back, which may not be sent with the newer one.
    kept = [rule if "Prefix" not in rule else _as_filter(rule) for rule in rules]
    return {"Rules": [*kept, *lifecycle_rules()["Rules"]]}


def _as_filter(rule: Dict[str, Any]) -> Dict[str, Any]:
    rest = {name: value for name, value in rule.items() if name != "Prefix"}
    return {**rest, "Filter": {"Prefix": rule["Prefix"]}}


def _cors_with(current: Any, origins: Sequence[str]) -> Any:
    rules: List[Dict[str, Any]] = current or []
    allowed = {
        origin
        for rule in rules
        if allows_uploads(rule)
        for origin in rule.get("AllowedOrigins", ())
    }
    missing = [origin for origin in origins if origin not in allowed and "*" not in allowed]
    if not missing:
        return None
    # First: of the rules for an origin, Ceph 16 looks at no other.
    return {"CORSRules": [*cors_rules(missing)["CORSRules"], *rules]}


def _policy_with(current: Any, statements: Sequence[Dict[str, Any]]) -> Any:
    kept: List[Dict[str, Any]] = list((current or {}).get("Statement", ()))
    there = {each.get("Sid"): each for each in kept}
    missing = [each for each in statements if _content(there.get(each["Sid"])) != _content(each)]
    if not missing:
        return None
    replaced = {each["Sid"] for each in missing}
    return document([*(each for each in kept if each.get("Sid") not in replaced), *missing])


def _content(policy_statement: Optional[Dict[str, Any]]) -> Any:
    # A server may give one value back as a list of one.
    if policy_statement is None:
        return None
    return {
        key: value if isinstance(value, (list, dict)) else [value]
        for key, value in policy_statement.items()
        if key != "Principal"
    }
