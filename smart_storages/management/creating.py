"""Makes what a bucket lacks: itself, and the settings that its modules need."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from botocore.exceptions import BotoCoreError, ClientError

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import SmartStorageError
from smart_storages.management.checking.advice import role_denied
from smart_storages.management.checking.probe import code_of
from smart_storages.management.places import PUBLIC, Place
from smart_storages.management.policies import (
    allows_uploads,
    cors_rules,
    document,
    lifecycle_rules,
    public_access_block,
    public_statements,
    sends_acl,
)
from smart_storages.management.statements import bucket_arn, one_line, statement
from smart_storages.s3.errors.translation import translate_error

__all__ = [
    "DONE",
    "FAILED",
    "PENDING",
    "UNSUPPORTED",
    "Change",
    "Wishes",
    "create",
    "needed_actions",
]

DONE, PENDING, FAILED, UNSUPPORTED, RIGHT = "done", "pending", "failed", "not supported", "ok"

_UNKNOWN = ("NotImplemented", "MethodNotAllowed", "NotSupported", "XNotImplemented")
_UNKNOWN_STATUS = (405, 501)
_NOT_FOUND = 404
_WRONG_CONSTRAINT = ("IllegalLocationConstraintException", "InvalidLocationConstraint")
_ONLY_IN_S3 = "encryption, versioning, rules for CORS and for old files"
#: The region whose name S3 does not take as a constraint.
_FIRST_REGION = "us-east-1"


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


class Change(NamedTuple):
    """One thing that a bucket needs, and what became of it."""

    what: str
    status: str
    why: str = ""
    fix: str = ""


class _Need(NamedTuple):
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


def create(places: Sequence[Place], wishes: Wishes) -> Iterator[Change]:
    """Make what the bucket of these modules lacks; yields each thing as soon as it is done.

    Args:
        places: Modules that share a bucket and its server; the credentials of the first are used.
        wishes: What was asked for.
    """
    bucket = str(places[0].bucket)
    try:
        if not places[0].storage.is_in_s3:
            yield from _create_elsewhere(places, wishes)
            return
        client: Any = places[0].storage.client
        yield from _create(client, bucket, places, wishes)
    except (BotoCoreError, SmartStorageError) as error:
        ours = translate_error(error, module=places[0].module, bucket=bucket)
        yield Change(f"the bucket {bucket}", FAILED, str(ours))


def needed_actions(places: Sequence[Place], wishes: Wishes) -> List[str]:
    """Return the actions of IAM that :func:`create` needs, of which the arguments are."""
    found = ["s3:ListBucket", *_creating_actions(places)]
    # No request is sent: the client is only used to read and to change.
    for need in _needs_of(None, str(places[0].bucket), places, wishes):
        found += need.actions
    return found


def _create_elsewhere(places: Sequence[Place], wishes: Wishes) -> Iterator[Change]:
    """Make what another backend than S3 needs."""
    storage: Any = places[0].storage
    are_public = [place.access == PUBLIC for place in places]
    store = storage._store()
    by_acl = any(place.has_public_acl for place in places)
    needs = store.needs(is_public=all(are_public), by_acl=by_acl)
    if not needs:
        yield Change(f"files {store.place}", RIGHT, "nothing has to be made for them")
    is_pending = False
    for need in needs:
        try:
            with storage._translating(""):
                # Of a container that is not there yet, nothing can be asked.
                if not is_pending and need.is_met():
                    yield Change(need.what, RIGHT)
                    continue
                if not wishes.dry_run:
                    need.meet()
        except SmartStorageError as error:
            yield Change(need.what, FAILED, plain_text(error))
            return
        is_pending = wishes.dry_run
        yield Change(need.what, PENDING if is_pending else DONE)
    lacks = len(store.needs(is_public=True, by_acl=by_acl)) > len(needs)
    if any(are_public) and not all(are_public) and lacks:
        private = ", ".join(place.module for place in places if place.access != PUBLIC)
        yield Change(
            "permission for anybody to read public files",
            UNSUPPORTED,
            f"It would be one for all files, those of {private} too.",
            "Give public modules a bucket_name of their own.",
        )
    yield Change(_ONLY_IN_S3, UNSUPPORTED, "Only buckets of S3 have these.")


def _create(client: Any, bucket: str, places: Sequence[Place], wishes: Wishes) -> Iterator[Change]:
    exists = yield from _create_bucket(client, bucket, places, wishes)
    if exists is None:
        return
    for need in _needs_of(client, bucket, places, wishes):
        yield _satisfy(need, places[0], wishes, is_new=not exists)


def _create_bucket(client: Any, bucket: str, places: Sequence[Place], wishes: Wishes) -> Any:
    """Yield what became of the bucket; return whether it existed, ``None`` to go no further."""
    what = f"the bucket {bucket}"
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if code_of(error)[0] != _NOT_FOUND:
            yield _failed(what, error, places[0], "s3:ListBucket")
            return None
    else:
        yield Change(what, RIGHT)
        return True
    if wishes.dry_run:
        yield Change(what, PENDING)
        return False
    try:
        _make(client, bucket, places)
    except ClientError as error:
        yield _failed(what, error, places[0], *_creating_actions(places))
        return None
    yield Change(what, DONE)
    return True


def _allows_acls(places: Sequence[Place]) -> bool:
    """Whether a new bucket is told to allow ACLs, which those of AWS do not."""
    is_aws: bool = places[0].storage.s3_provider.name == "aws"
    return is_aws and any(sends_acl(place) for place in places)


def _creating_actions(places: Sequence[Place]) -> List[str]:
    owned = ["s3:PutBucketOwnershipControls"] if _allows_acls(places) else []
    return ["s3:CreateBucket", *owned]


def _make(client: Any, bucket: str, places: Sequence[Place]) -> None:
    is_aws = places[0].storage.s3_provider.name == "aws"
    region = client.meta.region_name
    more: Dict[str, Any] = {}
    if _allows_acls(places):
        more["ObjectOwnership"] = "BucketOwnerPreferred"
    located = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    # Most other servers accept no constraint, and a few ask for one.
    first, second = (located, {}) if is_aws else ({}, located)
    if not region or region == _FIRST_REGION:
        first, second = {}, {}
    try:
        client.create_bucket(Bucket=bucket, **first, **more)
    except ClientError as error:
        if code_of(error)[1] not in _WRONG_CONSTRAINT or first == second:
            raise
        client.create_bucket(Bucket=bucket, **second, **more)


def _satisfy(need: _Need, place: Place, wishes: Wishes, *, is_new: bool) -> Change:
    action, changing = need.actions
    try:
        current = None if is_new else _read(need)
        action = changing
        wanted = need.wanted(current)
        if wanted is None:
            return Change(need.what, RIGHT)
        if wishes.dry_run:
            return Change(need.what, PENDING)
        need.write(wanted)
    except ClientError as error:
        status, code = code_of(error)
        # Ceph 16 knows no encryption by default, and says so in this way.
        is_aws = place.storage.s3_provider.name == "aws"
        refuses = code == "InvalidArgument" and not is_aws
        if status in _UNKNOWN_STATUS or code in _UNKNOWN or refuses:
            return Change(need.what, UNSUPPORTED, "The server does not know it.")
        return _failed(need.what, error, place, action)
    except _NoSuchSettingError:
        return Change(need.what, UNSUPPORTED, "The server does not know it.")
    return Change(need.what, DONE)


class _NoSuchSettingError(Exception):
    """The server does not know a setting."""


def _part(answer: Dict[str, Any], name: str) -> Any:
    # A server that knows no such setting may take the request for one that lists the bucket.
    if name not in answer:
        raise _NoSuchSettingError
    return answer[name]


def _read(need: _Need) -> Any:
    try:
        return need.read()
    except ClientError as error:
        if code_of(error)[0] == _NOT_FOUND:  # NoSuchLifecycleConfiguration and the like
            return None
        raise


def _failed(what: str, error: ClientError, place: Place, *actions: str) -> Change:
    said = role_denied(error)
    if said:
        return Change(what, FAILED, said)
    status, code = code_of(error)
    allowed = one_line(statement(actions, bucket_arn(place)))
    denied = status == 403  # noqa: PLR2004 - Forbidden
    fix = f"Allow it, or use credentials that may: {allowed}" if denied else ""
    return Change(what, FAILED, f"The server answered {status} {code}.", fix)


# What a bucket needs


def _needs_of(client: Any, bucket: str, places: Sequence[Place], wishes: Wishes) -> Iterator[_Need]:
    named = {"Bucket": bucket}
    yield _Need(
        "block of public access",
        ("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        lambda: _part(client.get_public_access_block(**named), "PublicAccessBlockConfiguration"),
        lambda current: _unless_equal(current, public_access_block(places)),
        lambda wanted: client.put_public_access_block(
            PublicAccessBlockConfiguration=wanted, **named
        ),
    )
    yield _Need(
        "encryption",
        ("s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"),
        lambda: _part(client.get_bucket_encryption(**named), "ServerSideEncryptionConfiguration"),
        lambda current: None if current else _encryption(places),
        lambda wanted: client.put_bucket_encryption(
            ServerSideEncryptionConfiguration=wanted, **named
        ),
    )
    if _wants_versions(places, wishes):
        yield _Need(
            "versioning",
            ("s3:GetBucketVersioning", "s3:PutBucketVersioning"),
            lambda: client.get_bucket_versioning(**named).get("Status"),
            lambda current: None if current == "Enabled" else {"Status": "Enabled"},
            lambda wanted: client.put_bucket_versioning(VersioningConfiguration=wanted, **named),
        )
    yield from _rules_of(client, named, places, wishes.origins)


def _rules_of(
    client: Any, named: Dict[str, str], places: Sequence[Place], origins: Sequence[str]
) -> Iterator[_Need]:
    yield _Need(
        "removal of incomplete uploads after 7 days",
        ("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
        lambda: _part(client.get_bucket_lifecycle_configuration(**named), "Rules"),
        _lifecycle_with_abort,
        lambda wanted: client.put_bucket_lifecycle_configuration(
            LifecycleConfiguration=wanted, **named
        ),
    )
    if origins:
        yield _Need(
            f"CORS for {', '.join(origins)}",
            ("s3:GetBucketCORS", "s3:PutBucketCORS"),
            lambda: _part(client.get_bucket_cors(**named), "CORSRules"),
            lambda current: _cors_with(current, origins),
            lambda wanted: client.put_bucket_cors(CORSConfiguration=wanted, **named),
        )
    if public_statements(places):
        yield _Need(
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
