"""Who is uploading, and the token that proves which upload is theirs."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, NamedTuple, Optional, Set

from django.core import signing
from django.utils.crypto import get_random_string

from smart_storages.tenancy import current_region, current_tenant
from smart_storages.uploads import refusals
from smart_storages.uploads.models import DirectUpload

__all__ = ["Token", "find_owner", "make_token", "read_token"]

_SALT = "smart_storages.uploads.token"
#: In the session of a visitor who has not logged in.
_SESSION_KEY = "smart_storages_uploads"


class Token(NamedTuple):
    """What a token says.

    Args:
        id: The row of the ledger.
        owner: Whose upload it is.
        field: What it is for.
        tenant: The tenant on whose behalf it was begun, ``""`` for none.
        region: The same of the region.
        size: Its size in bytes.
    """

    id: str
    owner: str
    field: str
    tenant: str
    region: str
    size: int


def make_token(row: DirectUpload) -> str:
    """Return the token of an upload. It contains no secret."""
    values = [row.pk, row.owner, row.field, row.tenant, row.region, row.size]
    return signing.dumps(values, salt=_SALT)


def read_token(token: Any, request: Any, label: Optional[str] = None) -> Token:
    """Return what a token says, if it belongs to this request. When it expires, its row says.

    Args:
        token: What the browser sent.
        request: The request, with ``user`` or ``session``.
        label: What the upload must be for, ``None`` for anything.

    Raises:
        UploadError: the token was forged or altered, or it is for another user, field, tenant or
            region.
    """
    if not isinstance(token, str):
        raise refusals.invalid_token()
    try:
        read = Token(*signing.loads(token, salt=_SALT))
    except (signing.BadSignature, TypeError, ValueError):
        raise refusals.invalid_token() from None
    here = (current_tenant() or "", current_region() or "")
    if (read.tenant, read.region) != here or (label is not None and read.field != label):
        raise refusals.invalid_token()
    if read.owner not in _owners(request):
        raise refusals.invalid_token()
    return read


def find_owner(request: Any) -> str:
    """Return who uploads: the user, or the session of a visitor, which is marked for it.

    Raises:
        UploadError: there is neither.
    """
    owners = _owners(request)
    for kind in ("user:", "session:"):
        for owner in owners:
            if owner.startswith(kind):
                return owner
    session = getattr(request, "session", None)
    if session is None:
        raise refusals.forbidden()
    # Of two uploads that begin at once, each writes the session that it has read: the mark of both
    # must be the same, and stays when a login gives the session another key.
    key = getattr(session, "session_key", None)
    session[_SESSION_KEY] = _digest("key", key) if key else get_random_string(32)
    return _owner_by_session(session)


def _owners(request: Any) -> Set[str]:
    # A visitor who logs in within a session keeps what was uploaded before.
    user = getattr(request, "user", None)
    session = getattr(request, "session", None)
    found: Dict[str, None] = {}
    # What an API authenticates may be no row, and have no key: they must not all be one owner.
    key = getattr(user, "pk", None)
    if user is not None and user.is_authenticated and key is not None:
        found[f"user:{key}"] = None
    if session is not None and session.get(_SESSION_KEY):
        found[_owner_by_session(session)] = None
    return set(found)


def _owner_by_session(session: Any) -> str:
    return f"session:{_digest('owner', str(session[_SESSION_KEY]))}"


def _digest(what: str, secret: str) -> str:
    # Without SECRET_KEY, which may change while a file is on its way.
    return hashlib.sha256(f"smart_storages.uploads {what} {secret}".encode()).hexdigest()
