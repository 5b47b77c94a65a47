"""Every error this package raises, in one tree.

::

    SmartStorageError                     base of all; never raised itself
    ├── ConfigurationError                a setting is missing or wrong  (ImproperlyConfigured)
    │   ├── InvalidModuleNameError        a module's name could climb out of its location
    │   ├── UnknownModuleError            SMART_STORAGE_STRICT refuses a module without an entry
    │   ├── CircularStorageError          a storage refers to itself, by way of others too
    │   └── ResolutionError               no storage could be chosen for a file
    ├── S3Error                           S3 said no, or said nothing            (OSError)
    │   ├── ObjectNotFoundError           no object under that key               (FileNotFoundError)
    │   ├── BucketNotFoundError           no bucket of that name
    │   ├── AccessDeniedError             the credentials may not do this        (PermissionError)
    │   ├── AclNotSupportedError          the bucket refuses ACL headers
    │   ├── PreconditionFailedError       a condition of the request did not hold
    │   │   ├── ObjectExistsError         the key was taken by another writer    (FileExistsError)
    │   │   └── ObjectChangedError        the object changed while it was read
    │   ├── ContentMismatchError          bytes or checksum differ from what was promised
    │   ├── ThrottledError                still "slow down" after every retry
    │   └── UnreachableError              no answer after every retry            (ConnectionError)
    ├── BackendsFailedError               every backend of a composed storage failed
    │   ├── NotFoundInBackendsError       none of them has the file              (FileNotFoundError)
    │   ├── BackendsUnreachableError      one that might have it did not answer  (ConnectionError)
    │   └── NoBackendMethodError          none of them has the method            (AttributeError)
    ├── RoutingRefusedError               a rule keeps the file from the asker   (PermissionError)
    │   └── InvalidTenantNameError        what should name a tenant cannot
    ├── TenantBlockError                  use_tenant() ended where it did not begin (RuntimeError)
    └── TransferError                     a queued transfer could not be carried out

An error of S3 names the module, the bucket and the key, says what to do, and keeps the
original exception as ``__cause__``. Where that is one of botocore's, the error can be caught as
it, too: a 403 is an ``AccessDeniedError``, and a ``ClientError`` with ``response``.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

from django.core.exceptions import (
    ImproperlyConfigured,
    SuspiciousFileOperation,
    SuspiciousOperation,
)

__all__ = [
    "AccessDeniedError",
    "AclNotSupportedError",
    "BackendsFailedError",
    "BackendsUnreachableError",
    "BucketNotFoundError",
    "CircularStorageError",
    "ConfigurationError",
    "ContentMismatchError",
    "InvalidModuleNameError",
    "InvalidTenantNameError",
    "NoBackendMethodError",
    "NotFoundInBackendsError",
    "ObjectChangedError",
    "ObjectExistsError",
    "ObjectNotFoundError",
    "PreconditionFailedError",
    "ResolutionError",
    "RoutingRefusedError",
    "S3Error",
    "SmartStorageError",
    "TenantBlockError",
    "ThrottledError",
    "TransferError",
    "UnknownModuleError",
    "UnreachableError",
]


class SmartStorageError(Exception):
    """Base of every error of this package; catch it to catch them all."""


class ConfigurationError(SmartStorageError, ImproperlyConfigured):
    """A setting is missing or wrong. The message names the module, the key and the fix."""


class InvalidModuleNameError(ConfigurationError, SuspiciousFileOperation):
    """A module's name could climb out of its location; Django answers such a request with 400."""


class UnknownModuleError(ConfigurationError):
    """A module has no entry in ``SMART_STORAGE_BUCKETS``, and ``SMART_STORAGE_STRICT`` is set."""


class CircularStorageError(ConfigurationError):
    """A storage that is made of others refers to itself, perhaps by way of them."""


class ResolutionError(ConfigurationError):
    """No storage could be chosen for a file."""


class S3Error(SmartStorageError, OSError):
    """S3 refused a request, or did not answer it.

    Args:
        what: What went wrong and what to do about it, as a sentence.
        module: Name of the module whose storage made the request.
        bucket: Name of the bucket.
        key: Key of the object, with the location in front.
        status: HTTP status of the answer, ``None`` if there was none.
        code: Error code of S3 (``NoSuchKey``), ``None`` if there was none.

    Example:
        >>> error = S3Error("The disk is full.", module="media", bucket="acme", key="media/a.txt")
        >>> str(error)
        "The disk is full. (module 'media', bucket 'acme', key 'media/a.txt')"
    """

    def __init__(
        self,
        what: str = "",
        *,
        module: Optional[str] = None,
        bucket: Optional[str] = None,
        key: Optional[str] = None,
        status: Optional[int] = None,
        code: Optional[str] = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.module = module
        self.bucket = bucket
        self.key = key
        self.status = status
        self.code = code

    def __str__(self) -> str:
        places = [("module", self.module), ("bucket", self.bucket), ("key", self.key)]
        where = ", ".join(f"{label} {value!r}" for label, value in places if value is not None)
        return f"{self.what} ({where})" if where else self.what

    def __reduce__(self) -> Tuple[Any, ...]:
        # OSError's own __reduce__ forgets keyword arguments; a task queue pickles exceptions.
        return _rebuild_s3_error, (type(self), self.what, dict(self._places()))

    def _places(self) -> Dict[str, Any]:
        names = ("module", "bucket", "key", "status", "code")
        return {name: getattr(self, name) for name in names}


def _rebuild_s3_error(error_class: type, what: str, places: Dict[str, Any]) -> S3Error:
    error: S3Error = error_class(what, **places)
    return error


class ObjectNotFoundError(S3Error, FileNotFoundError):
    """There is no object under that key."""


class BucketNotFoundError(S3Error):
    """There is no bucket of that name at that endpoint."""


class AccessDeniedError(S3Error, PermissionError):
    """The credentials are valid but may not do this, or are not valid at all."""


class AclNotSupportedError(S3Error):
    """The bucket has ACLs disabled (AWS's default since April 2023) and refuses ACL headers."""


class PreconditionFailedError(S3Error):
    """A condition of the request (``If-Match``, ``If-None-Match``) did not hold."""


class ObjectExistsError(PreconditionFailedError, FileExistsError):
    """The key was taken, and the write was one that must not overwrite."""


class ObjectChangedError(PreconditionFailedError):
    """Somebody replaced the object between two requests of one read."""


class ContentMismatchError(S3Error):
    """The bytes received are fewer or other than the server promised."""


class ThrottledError(S3Error):
    """The server still asked to slow down after the last retry."""


class UnreachableError(S3Error, ConnectionError):
    """The server did not answer, after the last retry."""


class BackendsFailedError(SmartStorageError):
    """Every backend of a composed storage failed; ``errors`` holds each one's own error.

    Args:
        what: What was attempted, as a sentence.
        errors: Pairs of the backend's label and its error, in the order they were tried.

    Example:
        >>> str(BackendsFailedError("No backend could open 'a'.", [("disk", KeyError("a"))]))
        "No backend could open 'a'. disk: KeyError('a')"
    """

    def __init__(self, what: str, errors: Sequence[Tuple[str, BaseException]] = ()) -> None:
        super().__init__(what, errors)
        self.what = what
        self.errors = tuple(errors)

    def __str__(self) -> str:
        each = "; ".join(f"{label}: {error!r}" for label, error in self.errors)
        return f"{self.what} {each}".rstrip()


class NotFoundInBackendsError(BackendsFailedError, FileNotFoundError):
    """No backend of a composed storage has the file."""


class BackendsUnreachableError(BackendsFailedError, ConnectionError):
    """A backend of a composed storage did not answer, and no other could."""


class NoBackendMethodError(BackendsFailedError, AttributeError, NotImplementedError):
    """No backend of a composed storage has the method.

    Django's own way of lacking one, ``path`` say, is ``NotImplementedError``.
    """


class RoutingRefusedError(SmartStorageError, PermissionError):
    """A rule keeps the file from whoever is asking: no tenant, another's file, no region.

    Not a :class:`ResolutionError`, for which a dispatcher would take its fallback.
    """


class InvalidTenantNameError(RoutingRefusedError, SuspiciousOperation):
    """What should name a tenant cannot; Django answers such a request with 400."""


class TenantBlockError(SmartStorageError, RuntimeError):
    """A block of ``use_tenant`` or ``use_region`` ended in another order or context than it began.

    A generator that yields in such a block is the usual cause.
    """


class TransferError(SmartStorageError):
    """A queued transfer could not be carried out."""
