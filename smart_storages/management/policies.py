"""Policies for what the configuration uses and no more: IAM, buckets, CORS, lifecycle."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any, Dict, Iterable, Iterator, List, Sequence

from smart_storages.management.places import PUBLIC, Place
from smart_storages.management.statements import bucket_arn, objects_arn, statement

__all__ = [
    "ABORT_AFTER_DAYS",
    "allows_uploads",
    "bucket_policy",
    "cors_rules",
    "document",
    "iam_policy",
    "lifecycle_rules",
    "list_statement",
    "public_access_block",
    "public_statements",
    "sends_acl",
    "uses_public_acl",
]

#: Days after which an upload in parts that was never finished is removed.
ABORT_AFTER_DAYS = 7

#: Headers that a browser sends with a signed upload, and may therefore need to be allowed.
#: The digest of a part is in ``x-amz-content-sha256``.
_UPLOAD_HEADERS = ("content-type", "content-md5", "if-none-match", "x-amz-*")
_CORS_SECONDS = 3600

#: Actions that a parameter of an upload needs besides s3:PutObject.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_OF_PARAMETERS = {
    "ObjectLockLegalHoldStatus": "s3:PutObjectLegalHold",
    "ObjectLockMode": "s3:PutObjectRetention",
    "Tagging": "s3:PutObjectTagging",
}


def document(statements: Iterable[Dict[str, Any]]) -> Dict[str, Any]:
    """Return a policy of statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def iam_policy(places: Sequence[Place], *, strict_list: bool = False) -> Dict[str, Any]:
    """Return the policy for the user or role whose credentials modules have.

    Args:
        places: The modules, which share their credentials.
        strict_list: Allow listing inside the location only. S3 then answers for a missing file as
            for a forbidden one: ``exists()`` raises ``AccessDeniedError``.
    """
    return document(each for place in places for each in _statements_of(place, strict_list))


def _statements_of(place: Place, strict_list: bool) -> Iterator[Dict[str, Any]]:
    name = _sid_of(place.module)
    objects = objects_arn(place)
    yield list_statement(place, sid=f"{name}List", strict=strict_list)
    yield statement(["s3:GetObject"], objects, sid=f"{name}Read")
    if not place.read_only:
        yield statement(_writing_actions(place), objects, sid=f"{name}Write")
        yield statement(["s3:DeleteObject"], objects, sid=f"{name}Delete")
    yield from _key_statements(place, f"{name}Key")


def _sid_of(module: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", module)
    return "".join(word[:1].upper() + word[1:] for word in words)


def list_statement(place: Place, *, sid: str = "", strict: bool = False) -> Dict[str, Any]:
    """Return the statement that allows a module to list its location; see :func:`iam_policy`."""
    if not place.location:
        return statement(["s3:ListBucket"], bucket_arn(place), sid=sid)
    # To answer for a missing file, S3 asks for the right to list, and there is no prefix then.
    operator = "StringLike" if strict else "StringLikeIfExists"
    condition = {operator: {"s3:prefix": f"{place.location}*"}}
    return statement(["s3:ListBucket"], bucket_arn(place), sid=sid, Condition=condition)


def _writing_actions(place: Place) -> List[str]:
    parameters = place.storage.get_object_parameters("")
    actions = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    if sends_acl(place):
        actions.append("s3:PutObjectAcl")
    return actions + sorted(action for name, action in _OF_PARAMETERS.items() if name in parameters)


def _key_statements(place: Place, sid: str) -> Iterator[Dict[str, Any]]:
    key = place.storage.get_object_parameters("").get("SSEKMSKeyId")
    if key:
        arn = key if str(key).startswith("arn:") else f"arn:aws:kms:*:*:key/{key}"
        actions = ["kms:Decrypt"] if place.read_only else ["kms:Decrypt", "kms:GenerateDataKey"]
        yield statement(actions, arn, sid=sid)


def public_access_block(places: Sequence[Place]) -> Dict[str, bool]:
    """Return which public access to block of a bucket that modules share.

    All of it, if they are private. An ACL that makes a file public is blocked apart from a policy
    that does, so that of a public bucket the one is blocked that it does not use.
    """
    public = [place for place in places if place.access == PUBLIC]
    by_policy = any(not uses_public_acl(place) for place in public)
    # Of files behind a CDN as well: with such ACLs blocked, AWS refuses every save that sends one.
    by_acl = any(uses_public_acl(place) for place in places)
    # Ceph 16 then refuses every PUT that names no ACL; that they are ignored is enough.
    refuses_all = places[0].storage.s3_provider.name == "ceph"
    return {
        "BlockPublicAcls": not by_acl and not refuses_all,
        "IgnorePublicAcls": not by_acl,
        "BlockPublicPolicy": not by_policy,
        "RestrictPublicBuckets": not by_policy,
    }


def public_statements(places: Sequence[Place]) -> List[Dict[str, Any]]:
    """Return the statements of a bucket policy with which anybody may read public files."""
    return [
        statement(
            ["s3:GetObject"],
            objects_arn(place),
            sid=f"{_sid_of(place.module)}Public",
            Principal="*",
        )
        for place in places
        if place.access == PUBLIC and not uses_public_acl(place)
    ]


def uses_public_acl(place: Place) -> bool:
    """Whether the files of a module are public by their ACL, so that no policy is needed."""
    return place.has_public_acl and place.storage.s3_provider.acls


def sends_acl(place: Place) -> bool:
    """Whether a module sends an ACL with its files, for which the bucket has to allow ACLs."""
    acl = place.storage.get_object_parameters("").get("ACL") or place.storage.default_acl
    return bool(acl) and acl != "private" and place.storage.s3_provider.acls


def bucket_policy(places: Sequence[Place]) -> Dict[str, Any]:
    """Return the policy of a bucket that modules share; without statements if it needs none.

    Public files may be read by anybody, and nothing travels unencrypted.
    """
    statements = public_statements(places)
    first = places[0]
    if not (first.storage.endpoint_url or "https:").startswith("http:"):
        arn = bucket_arn(first)
        statements.append(
            {
                "Sid": "EncryptedConnectionsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        )
    return document(statements)


def cors_rules(origins: Sequence[str]) -> Dict[str, Any]:
    """Return the CORS rules with which pages of these origins upload straight to a bucket."""
    return {
        "CORSRules": [
            {
                "AllowedOrigins": list(origins),
                "AllowedMethods": ["GET", "HEAD", "POST", "PUT"],
                "AllowedHeaders": list(_UPLOAD_HEADERS),
                "ExposeHeaders": ["ETag", "Retry-After"],
                "MaxAgeSeconds": _CORS_SECONDS,
            }
        ]
    }


def allows_uploads(rule: Dict[str, Any]) -> bool:
    """Return whether a CORS rule allows what the rules of :func:`cors_rules` allow."""
    headers = [str(each).lower() for each in rule.get("AllowedHeaders", ())]
    allowed = [any(fnmatchcase(each, header) for header in headers) for each in _UPLOAD_HEADERS]
    return {"PUT", "POST"} <= {*rule.get("AllowedMethods", ())} and all(allowed)


def lifecycle_rules() -> Dict[str, Any]:
    """Return the rule that removes uploads in parts that were never finished."""
    return {
        "Rules": [
            {
                "ID": "abort-incomplete-uploads",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_AFTER_DAYS},
            }
        ]
    }
