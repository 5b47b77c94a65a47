"""URLs of local copies: if the remote signs its URLs, those of files not yet transferred are too.

A signed URL of S3 expires, and S3 refuses the file without the signature. URLs of a disk do
neither. So while a file waits for its transfer, its URL leads to a view of this package,
:mod:`smart_storages.queued.serving.views`, with a signed token that says which file it is for, and
until when.
"""

from __future__ import annotations

import posixpath
from time import time
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional

from django.core import signing
from django.core.files.storage import FileSystemStorage
from django.urls import NoReverseMatch, reverse
from django.utils.functional import LazyObject

from smart_storages import tenancy
from smart_storages.common.signed_urls import is_signed
from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.composed_parts import parts_of
from smart_storages.queued.ledger.identity import orphan_prefix
from smart_storages.wrappers.storage_api import url_params

__all__ = [
    "LINE",
    "Link",
    "Signed",
    "has_view",
    "make",
    "needs_view",
    "read",
    "signed_life",
    "url_of_copy",
]

#: The line that the URLconf needs.
LINE = 'path("queued/", include("smart_storages.queued.urls"))'

_VIEW = "smart_storages_queued:file"
_DEFAULT_LIFE = 3600
_LONGEST = 365 * 24 * 3600
_METHODS = ("GET", "HEAD")


class Signed(NamedTuple):
    """How the URLs of a storage are signed."""

    #: Seconds until a URL expires.
    life: int
    #: Seconds for which the URL of a file stays the same.
    stable_for: int = 0


# Whether a storage signs


def signed_life(storage: Any, name: Optional[str] = None) -> Optional[Signed]:
    """Return how a storage signs its URLs, ``None`` if it does not.

    A storage built from others signs if one of them does.

    Args:
        storage: The storage.
        name: Name of a file, whose URL is inspected if the storage's attributes do not say whether
            it signs; without it, such a storage counts as one that does not.
    """
    found = []
    for each in _leaf_storages(storage, []):
        signed = _declared(each)
        if signed is None and name is not None:
            signed = _seen_in_url(each, name)
        found += [signed] if signed else []
    return min(found) if found else None


def _leaf_storages(storage: Any, seen: List[Any]) -> Iterator[Any]:
    """Yield the storages that a storage is built from, or itself if it is not built from others."""
    while isinstance(storage, LazyObject):  # as default_storage is
        bool(storage)  # makes it build the storage inside
        storage = storage.__dict__["_wrapped"]
    if any(storage is each for each in seen):
        return
    seen.append(storage)
    parts = list(parts_of(storage))
    if not parts:
        yield storage
    for part in parts:
        yield from _leaf_storages(part.storage, seen)


def _declared(storage: Any) -> Any:
    """Return how a storage signs; ``False`` if it does not, ``None`` if that is not known."""
    if not getattr(storage, "is_in_s3", True) and getattr(storage, "base_url", None):
        return False  # a module of a directory that another server serves
    if not getattr(storage, "keeps_attributes", True):
        return None  # a storage of another package makes the URLs
    signs = getattr(storage, "querystring_auth", None)
    if isinstance(signs, bool):  # S3, and Google's storage of django-storages
        if getattr(storage, "custom_domain", None):
            signs = signs and bool(getattr(storage, "cloudfront_signer", None))
        elif getattr(storage, "default_acl", None) == "publicRead":  # Google's
            signs = False
        return _signed_by(storage) if signs else False
    if hasattr(storage, "expiration_secs"):  # Azure's
        return _signed_by(storage) if storage.expiration_secs else False
    if getattr(type(storage), "url", None) is FileSystemStorage.url:
        return False
    return None


def _signed_by(storage: Any) -> Signed:
    life = _DEFAULT_LIFE
    for attribute in ("querystring_expire", "expiration_secs", "expiration"):
        value = getattr(storage, attribute, None)
        value = getattr(value, "total_seconds", lambda given=value: given)()
        if isinstance(value, (int, float)) and value > 0:
            life = int(value)
            break
    stable_for = getattr(storage, "url_stable_for", 0)
    return Signed(life, stable_for if isinstance(stable_for, int) else 0)


def _seen_in_url(storage: Any, name: str) -> Any:
    try:
        signs = is_signed(storage.url(name))
    except Exception:  # not known: an unneeded signature is better than a private file made public
        return Signed(_DEFAULT_LIFE)
    return _signed_by(storage) if signs else False


# Tokens


class Link(NamedTuple):
    """The content of a token."""

    storage: str
    ledger: str
    name: str
    end: int
    method: str
    parameters: Dict[str, str]
    tenant: Optional[str]
    region: Optional[str]

    @property
    def seconds_left(self) -> int:
        """Seconds until it expires; zero or negative afterwards."""
        return int(self.end - time())

    @property
    def is_ours(self) -> bool:
        """Whether it was made for the ledger that is in use now."""
        return self.ledger == orphan_prefix(self.storage)


def _signer() -> signing.Signer:
    return signing.Signer(salt="smart_storages.queued.serving.urls_of_copies")


def make(key: str, name: str, signed: Signed, params: Mapping[str, Any]) -> str:
    """Return the URL of a local copy through the view.

    Args:
        key: Key of the queued storage.
        name: Name of the file there.
        signed: How the remote signs its URLs.
        params: ``expire``, ``parameters`` and ``http_method``, as for ``url()`` of a bucket.

    Raises:
        ConfigurationError: The URLconf does not have the view.
        ValueError: ``expire`` is not valid, or ``http_method`` would change the file.
    """
    method = params.get("http_method") or "GET"
    if method not in _METHODS:
        raise ValueError(
            f"{name!r} waits for its transfer, so its URL can only be for "
            f"{' or '.join(_METHODS)}, not for {method!r}."
        )
    given = params.get("parameters") or {}
    link = Link(
        storage=key,
        ledger=orphan_prefix(key),
        name=name,
        end=_end(signed, params.get("expire")),
        method=method,
        # Other parameters, such as VersionId, only make sense for S3.
        parameters={
            word: value
            for word, value in given.items()
            if word.startswith("Response") and isinstance(value, str)
        },
        tenant=tenancy.current_tenant(),
        region=tenancy.current_region(),
    )
    token = _signer().sign_object(list(link), compress=True)
    try:
        return reverse(_VIEW, args=[token, posixpath.basename(name)])
    except NoReverseMatch:
        raise ConfigurationError(
            f"The queued storage {key!r}: {name!r} waits for its transfer. The remote signs its "
            "URLs, so the URL of the local copy is signed too, and needs a view that the URLconf "
            f"does not have: add {LINE} to it. If the files are public, give the storage "
            "signed_urls=False instead."
        ) from None


def _end(signed: Signed, expire: Any) -> int:
    life = signed.life if expire is None else expire
    if isinstance(life, bool) or not isinstance(life, (int, float)) or not 0 < life <= _LONGEST:
        raise ValueError(f"expire must be a number of seconds, more than 0, not {life!r}.")
    now = time()
    if signed.stable_for:
        now = now // signed.stable_for * signed.stable_for + signed.stable_for
    return int(now + life)


def has_view() -> bool:
    """Whether the URLconf has the view."""
    try:
        reverse(_VIEW, args=["token", "name"])
    except NoReverseMatch:
        return False
    return True


def read(token: str) -> Optional[Link]:
    """Return the content of a token; ``None`` if it is forged, altered or expired."""
    try:
        link = Link(*_signer().unsign_object(token))
    except (signing.BadSignature, TypeError, ValueError):
        return None
    return link if link.seconds_left > 0 else None


# The answer of url()


def url_of_copy(storage: Any, name: str, place: Any, args: Any, kwargs: Any) -> str:
    """Return the URL of a file that waits for its transfer.

    Args:
        storage: The queued storage.
        name: Name of the file there.
        place: Where its local copy is.
        args: Positional arguments of ``url()`` after the name.
        kwargs: Keyword arguments of ``url()``.

    Raises:
        ConfigurationError: The URLconf does not have the view.
        ValueError: ``expire`` is not valid, or ``http_method`` would change the file.
    """
    signed = _signing_of(storage, name)
    if signed is not None:
        return make(storage.key, name, signed, url_params(*args, **kwargs))
    try:
        return _own_url(place, args, kwargs)
    except (NotImplementedError, ValueError):  # a storage whose files have no URL
        if not has_view():
            raise
        return make(storage.key, name, Signed(_DEFAULT_LIFE), url_params(*args, **kwargs))


def _own_url(place: Any, args: Any, kwargs: Any) -> str:
    # FileSystemStorage.url() does not take the parameters of a signed URL.
    try:
        return str(place.storage.url(place.name, *args, **kwargs))
    except TypeError:
        return str(place.storage.url(place.name))


def needs_view(storage: Any) -> bool:
    """Whether the URLs of a queued storage's local copies use the view; makes no request."""
    return _signing_of(storage) is not None


def _signing_of(storage: Any, name: Optional[str] = None) -> Optional[Signed]:
    if storage.signed_urls is False or signed_life(storage.local):
        return None
    found = signed_life(storage.remote, name)
    return found or (Signed(_DEFAULT_LIFE) if storage.signed_urls else None)
