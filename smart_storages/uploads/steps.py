"""What happens to an upload, from its beginning to the form that it is submitted with.

Each function is a generator of calls, to be run sync or async; see
:mod:`smart_storages.wrappers.calls`. It never calls a storage or the database itself.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, NamedTuple, Optional, Tuple

from django.core.exceptions import SuspiciousOperation

from smart_storages.exceptions import ObjectExistsError, UploadError
from smart_storages.tenancy import current_region, current_tenant
from smart_storages.uploads import content_types, ledger, limits, refusals, tokens
from smart_storages.uploads.messages import read_name, read_parts, read_size, shorten
from smart_storages.uploads.models import DirectUpload, State, new_id
from smart_storages.uploads.targets import (
    Target,
    can_take,
    canonical_label,
    find_target,
    read_reference,
)
from smart_storages.wrappers.calls import Steps

__all__ = ["ACTIONS", "Taken", "begin", "cancel", "finish", "sign", "state", "take"]

_MOST_SECONDS = 3600

_HERE = sys.modules[__name__]

Answer = Tuple[int, Optional[Dict[str, Any]]]


class Found(NamedTuple):
    """An upload of the user, and what it is for."""

    row: DirectUpload
    target: Target


class Taken(NamedTuple):
    """A file that arrived whole and was checked.

    Args:
        row: Its row in the ledger.
        target: What it was uploaded for.
        head: Its first bytes.
    """

    row: DirectUpload
    target: Target
    head: bytes


# What a browser asks for


def begin(request: Any, data: Dict[str, Any]) -> Steps:
    """Begin an upload: a name in the bucket, a row in the ledger, a token for the browser.

    Args:
        request: The request, with ``user`` or ``session``.
        data: ``field``, ``name`` and ``size``.

    Returns:
        The status and the body of the answer; so do the other steps of a browser.

    Raises:
        UploadError: it is refused.
    """
    name, size = read_name(data.get("name")), read_size(data.get("size"))
    target, owner = yield _HERE, "allow", (request, data.get("field"), name, size), {}
    storage = target.storage
    upload = new_id()
    if target.max_length is not None:  # the form would refuse a longer one, after all has arrived
        name = shorten(name, target.max_length)
    # The name gets a random suffix: it is chosen before anybody knows whether the file stays.
    most = target.max_length if target.is_final else None
    try:
        made = yield target, "make_name", (upload, name), {}
        # Storages drop what a name must not have: "a.html?" becomes "a.html".
        limits.check_announced(target.limits, made, size)
        # Not the type that the browser names: a bucket would serve the file with it.
        kind = content_types.type_of_name(made)
        about = {"content_type": kind, "size": size, "max_length": most}
        stored = yield storage, "get_upload_name", (made,), about
        bounds = yield storage, "upload_limits", (stored,), {}
    except SuspiciousOperation:
        raise refusals.bad_name() from None
    try:
        part_size = bounds.part_size_for(size)
    except ValueError:
        raise refusals.too_large(target.limits.max_size) from None
    upload_id = yield (
        storage,
        "create_multipart_upload",
        (stored,),
        {"content_type": kind, "size": size},
    )
    values = {
        "id": upload,
        "owner": owner,
        "field": target.label,
        "tenant": current_tenant() or "",
        "region": current_region() or "",
        "storage": repr(storage)[:200],
        "name": stored,
        "file_name": name,
        "content_type": kind,
        "size": size,
        "part_size": part_size,
        "upload_id": upload_id,
    }
    try:
        row = yield ledger, "record", (target.limits.expiry,), values
    except Exception:
        yield storage, "abort_multipart_upload", (stored, upload_id), {}
        raise
    return 201, {
        "token": tokens.make_token(row),
        "partSize": part_size,
        "parts": row.parts,
        "expires": target.limits.expiry,
        "sha256": bounds.signs_part_digests,
    }


def sign(request: Any, data: Dict[str, Any]) -> Steps:
    """Sign URLs of parts; no request is sent to the bucket.

    Args:
        request: As for :func:`begin`.
        data: ``token``, and ``parts`` with a ``number`` and perhaps a ``sha256`` each.
    """
    row, target = yield _HERE, "find", (request, data.get("token")), {}
    if row.state != State.OPEN:
        raise refusals.used() if row.state == State.ADOPTED else refusals.gone()
    signed, asked = [], read_parts(data.get("parts"), row.parts)
    if any(digest is not None for _, digest in asked):
        bounds = yield target.storage, "upload_limits", (row.name,), {}
        if not bounds.signs_part_digests:
            raise refusals.bad_request("No part's digest can be signed here: leave 'sha256' out.")
    for number, digest in asked:
        try:
            one = yield (
                target.storage,
                "presigned_part",
                (row.name, row.upload_id, number),
                {
                    "size": row.size_of_part(number),
                    "expire": min(target.limits.expiry, _MOST_SECONDS),
                    **({"sha256": digest} if digest is not None else {}),
                },
            )
        except ValueError as error:
            raise refusals.bad_request(str(error)) from error
        signed.append({"number": number, **one})
    return 200, {"parts": signed}


def state(request: Any, data: Dict[str, Any]) -> Steps:
    """Say which parts have arrived, so that a browser can go on where it stopped.

    Args:
        request: As for :func:`begin`.
        data: ``token``.
    """
    row, target = yield _HERE, "find", (request, data.get("token")), {}
    shown, parts = row.state, []
    if row.state == State.OPEN:
        try:
            parts = yield target.storage, "list_parts", (row.name, row.upload_id), {}
        except FileNotFoundError:
            shown = State.GONE
    return 200, {
        "parts": [
            {"number": part.number, "size": part.size, "sha256": part.sha256} for part in parts
        ],
        "partSize": row.part_size,
        "state": str(State(shown).value),
    }


def finish(request: Any, data: Dict[str, Any]) -> Steps:
    """Say whether every part has arrived; the form can be submitted then.

    Args:
        request: As for :func:`begin`.
        data: ``token``.
    """
    row, target = yield _HERE, "find", (request, data.get("token")), {}
    if row.state in (State.GONE, State.ADOPTED):
        raise refusals.used() if row.state == State.ADOPTED else refusals.gone()
    if row.state == State.OPEN:
        yield from _list_whole(row, target)
    return 200, {"name": row.file_name, "size": row.size}


def cancel(request: Any, data: Dict[str, Any]) -> Steps:
    """Give an upload up, and remove what is in the bucket.

    Args:
        request: As for :func:`begin`.
        data: ``token``.
    """
    row, target = yield _HERE, "find", (request, data.get("token")), {}
    if row.state == State.ADOPTED:
        raise refusals.used()
    if row.state != State.GONE:
        yield from discard(row, target, "cancelled", is_whole=row.state == State.COMPLETED)
    return 204, None


ACTIONS = {"begin": begin, "sign": sign, "state": state, "finish": finish, "cancel": cancel}


# What a form does


def take(request: Any, token: Any, label: str) -> Steps:
    """Complete the upload that a form was submitted with, and check the file.

    A file that is refused is deleted. The same token can be taken again until a row is saved with
    the file: a form with a mistake is submitted twice.

    Args:
        request: The request of the form.
        token: What the form contains.
        label: What the form's field is for.

    Returns:
        A :class:`Taken`.

    Raises:
        UploadError: the token is not valid here, parts are missing, or the file is not what was
            announced or allowed.
        S3Error: the bucket refused, or did not answer; the upload stays.
    """
    row, target = yield _HERE, "find", (request, token, label), {}
    if row.state == State.ADOPTED:
        raise refusals.used()
    if row.state == State.GONE:
        raise refusals.gone()
    if row.state == State.OPEN:
        yield from _complete(row, target)
    try:
        head, size = yield _HERE, "read_head", (target.storage, row.name), {}
    except FileNotFoundError:
        raise refusals.gone() from None
    problem = _find_problem(row, target, head, size)
    if problem is not None:
        yield from discard(row, target, problem.code, is_whole=True)
        raise problem
    if not (yield ledger, "complete", (row,), {}):
        now = yield ledger, "find", (row.pk,), {}
        if now is not None and now.state == State.ADOPTED:
            raise refusals.used()
        if now is not None and now.state == State.GONE:
            # It was cancelled while it was being completed, and no row will ever name the file.
            yield target.storage, "delete", (row.name,), {}
            yield ledger, "mark_removed", (row,), {}
        raise refusals.gone()
    return Taken(row, target, head)


def _complete(row: DirectUpload, target: Target) -> Steps:
    try:
        parts = yield from _list_whole(row, target)
        yield (
            target.storage,
            "complete_multipart_upload",
            (row.name, row.upload_id, parts),
            {"overwrite": False},
        )
    except UploadError as error:
        # A request that completed it may have been rolled back in the database.
        if error.code != "gone":
            raise
    except ObjectExistsError:
        # Another request is completing it, or just has; the name has a random suffix.
        now = yield ledger, "find", (row.pk,), {}
        if now is None or now.state == State.OPEN:
            raise refusals.used() from None
    except FileNotFoundError:
        pass  # another request completed it


def _list_whole(row: DirectUpload, target: Target) -> Steps:
    """Return the parts; refuse if one is missing, or has not its size."""
    try:
        parts = yield target.storage, "list_parts", (row.name, row.upload_id), {}
    except FileNotFoundError:
        raise refusals.gone() from None
    by_number = {part.number: part for part in parts}
    missing = [
        number
        for number in range(1, row.parts + 1)
        if number not in by_number or by_number[number].size != row.size_of_part(number)
    ]
    if missing:
        raise refusals.incomplete(missing)
    return [by_number[number] for number in range(1, row.parts + 1)]


def _find_problem(
    row: DirectUpload, target: Target, head: bytes, size: int
) -> Optional[UploadError]:
    if size != row.size:
        return refusals.wrong_size()
    if size > target.limits.max_size:
        return refusals.too_large(target.limits.max_size)
    if not content_types.allows(target.limits.types, row.name):
        return refusals.wrong_type(target.limits.types or ())
    if content_types.is_disguised(content_types.type_of_name(row.name), head):
        return refusals.wrong_content()
    return None


def discard(row: DirectUpload, target: Target, reason: str, *, is_whole: bool) -> Steps:
    """Give an upload up and remove what is in the bucket, unless a row names the file.

    Args:
        row: The upload.
        target: What it was for.
        reason: Why, for the ledger.
        is_whole: Whether the file is in the bucket, and not only its parts.
    """
    # The row first: whoever saves a row with the file at this moment must not lose it.
    if not (yield ledger, "give_up", (row, reason), {}):
        return
    if is_whole:
        yield target.storage, "delete", (row.name,), {}
        yield ledger, "mark_removed", (row,), {}
    else:  # whether there is a file after all, clear() finds out later
        yield target.storage, "abort_multipart_upload", (row.name, row.upload_id), {}


# Within a thread that may use the database


def allow(request: Any, reference: Any, name: str, size: int) -> Tuple[Target, str]:
    """Return what a reference names and who uploads, if they may upload this."""
    target = find_target(read_reference(reference))
    if not target.may_upload(request):
        raise refusals.forbidden()
    limits.check_announced(target.limits, name, size)
    if not can_take(target.storage):
        raise refusals.unknown_field()
    owner = tokens.find_owner(request)
    limits.count_upload(target.limits, owner, target.label, size)
    return target, owner


def find(request: Any, token: Any, label: Optional[str] = None) -> Found:
    """Return the upload that a token of this request is for."""
    read = tokens.read_token(token, request, None if label is None else canonical_label(label))
    row = ledger.find(read.id)
    if row is None:
        raise refusals.gone()
    if row.is_expired or row.field != read.field or row.size != read.size:
        raise refusals.invalid_token()
    return Found(row, find_target(row.field))


def read_head(storage: Any, name: str) -> Tuple[bytes, int]:
    """Return the first bytes of a file, and its size."""
    with storage.open(name, "rb") as file:
        head = file.read(content_types.HEAD)
        return bytes(head), int(file.size)
