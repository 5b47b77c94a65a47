"""Makes what a bucket lacks: itself, and the settings that its modules need."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from smart_storages.backends.s3.errors.translation import translate_error
from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import SmartStorageError
from smart_storages.management.checking.advice import role_denied
from smart_storages.management.checking.probe import code_of
from smart_storages.management.needs import Need, NoSuchSettingError, Wishes, needs_of
from smart_storages.management.places import PUBLIC, Place
from smart_storages.management.policies import (
    sends_acl,
)
from smart_storages.management.statements import bucket_arn, one_line, statement

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


class Change(NamedTuple):
    """One thing that a bucket needs, and what became of it."""

    what: str
    status: str
    why: str = ""
    fix: str = ""


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
    for need in needs_of(None, str(places[0].bucket), places, wishes):
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
    for need in needs_of(client, bucket, places, wishes):
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


def _satisfy(need: Need, place: Place, wishes: Wishes, *, is_new: bool) -> Change:
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
    except NoSuchSettingError:
        return Change(need.what, UNSUPPORTED, "The server does not know it.")
    return Change(need.what, DONE)


def _read(need: Need) -> Any:
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
