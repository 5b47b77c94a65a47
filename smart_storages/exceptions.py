"""Every error this package raises, in one tree.

::

    SmartStorageError                     base class of all; never raised itself
    ├── ConfigurationError                a setting is missing or wrong  (ImproperlyConfigured)
    │   ├── InvalidModuleNameError        a module's name could lead out of its location
    │   ├── UnknownModuleError            SMART_STORAGE_STRICT refuses a module without an entry
    │   ├── CircularStorageError          a storage refers to itself, directly or through others
    │   └── ResolutionError               no storage could be chosen for a file
    ├── S3Error                           S3 refused, or did not answer          (OSError)
    │   ├── ObjectNotFoundError           no object under that key               (FileNotFoundError)
    │   ├── BucketNotFoundError           no bucket of that name
    │   ├── AccessDeniedError             the credentials may not do this        (PermissionError)
    │   ├── AclNotSupportedError          the bucket refuses ACL headers
    │   ├── PreconditionFailedError       a condition of the request did not hold
    │   │   ├── ObjectExistsError         the key was taken by another writer    (FileExistsError)
    │   │   └── ObjectChangedError        the object changed while it was read
    │   ├── ContentMismatchError          bytes or checksum differ from the expected ones
    │   ├── ThrottledError                still "slow down" after the last retry
    │   └── UnreachableError              no answer after the last retry         (ConnectionError)
    ├── BackendsFailedError               every backend of a composed storage failed
    │   ├── NotFoundInBackendsError       none of them has the file              (FileNotFoundError)
    │   ├── BackendsUnreachableError      one that might have it did not answer  (ConnectionError)
    │   └── NoBackendMethodError          none of them has the method            (AttributeError)
    ├── RoutingRefusedError               a rule refuses access to the file      (PermissionError)
    │   └── InvalidTenantNameError        a tenant's name is not valid
    ├── TenantBlockError                  a use_tenant() block ended out of order (RuntimeError)
    ├── TransferError                     a queued transfer could not be done
    └── UploadError                       a direct upload was refused     (SuspiciousOperation)

An error of S3 names the module, the bucket and the key, says what to do, and keeps the original
exception as ``__cause__``. If that is an exception of botocore, the error can also be caught as
that class: a 403 is an ``AccessDeniedError``, and also a ``ClientError`` with a ``response``.

The text of each ends with a link to what to do about it. ``error.text`` is the text without it.
"""

from __future__ import annotations

import re
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
    "UploadError",
]

#: The address of the site of the documentation, with a slash at its end:
#: ``"https://storages.example.com/en/stable/"``. Empty while there is none: links are then paths in
#: the source tree. PUBLISHING.md says when to set it.
DOCUMENTATION = ""

_PAGE = "troubleshooting"


def link_to(page: str, heading: str) -> str:
    """Return where the documentation says something.

    Args:
        page: Name of the page, without its ending.
        heading: The heading on it, as it is written.

    Example:
        >>> link_to("troubleshooting", "BucketNotFoundError")
        'docs/troubleshooting.md#bucketnotfounderror'
    """
    if not DOCUMENTATION:  # the anchors of GitHub, GitLab and editors
        return f"docs/{page}.md#{re.sub(r'[^a-z0-9_-]', '', heading.lower().replace(' ', '-'))}"
    anchor = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")  # those of Sphinx
    return f"{DOCUMENTATION}{page}.html#{anchor}"


class SmartStorageError(Exception):
    """Base class of every error of this package; catch it to catch them all.

    Its text ends with a link to the paragraph of docs/troubleshooting.md about its class, or about
    the nearest base class that has one.

    Example:
        >>> str(UnknownModuleError("The module 'fotos' has no entry."))
        "The module 'fotos' has no entry. See docs/troubleshooting.md#unknownmoduleerror"
    """

    def __str__(self) -> str:
        text = self.text
        if f"{_PAGE}.md#" in text or f"{_PAGE}.html#" in text:
            return text  # of an error that this one quotes, and nearer to the cause
        ours = next(kind for kind in type(self).__mro__ if kind.__module__ == __name__)
        return f"{text} See {link_to(_PAGE, ours.__name__)}".lstrip()

    @property
    def text(self) -> str:
        """The text without the link, for a sentence of your own or for the users of a site.

        Example:
            >>> UnknownModuleError("The module 'fotos' has no entry.").text
            "The module 'fotos' has no entry."
        """
        return super().__str__()


class ConfigurationError(SmartStorageError, ImproperlyConfigured):
    """A setting is missing or wrong. The message names the module, the key and the fix."""


class InvalidModuleNameError(ConfigurationError, SuspiciousFileOperation):
    """A module's name could lead out of its location; Django answers such a request with 400."""


class UnknownModuleError(ConfigurationError):
    """A module has no entry in ``SMART_STORAGE_BUCKETS``, and ``SMART_STORAGE_STRICT`` is set."""


class CircularStorageError(ConfigurationError):
    """A storage that is built from others refers to itself, directly or through them."""


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
        >>> error.text
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

    @property
    def text(self) -> str:
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
    """The key was taken, and the write must not overwrite."""


class ObjectChangedError(PreconditionFailedError):
    """The object was replaced between two requests of one read."""


class ContentMismatchError(S3Error):
    """The bytes received are fewer than the server announced, or different."""


class ThrottledError(S3Error):
    """The server still asked to slow down after the last retry."""


class UnreachableError(S3Error, ConnectionError):
    """The server did not answer, after the last retry."""


class BackendsFailedError(SmartStorageError):
    """Every backend of a composed storage failed; ``errors`` holds the error of each.

    Args:
        what: What was attempted, as a sentence.
        errors: Pairs of a backend's label and its error, in the order in which they were tried.

    Example:
        >>> BackendsFailedError("No backend could open 'a'.", [("disk", KeyError("a"))]).text
        "No backend could open 'a'. disk: KeyError('a')"
    """

    def __init__(self, what: str, errors: Sequence[Tuple[str, BaseException]] = ()) -> None:
        super().__init__(what, errors)
        self.what = what
        self.errors = tuple(errors)

    @property
    def text(self) -> str:
        each = "; ".join(f"{label}: {error!r}" for label, error in self.errors)
        return f"{self.what} {each}".rstrip()


class NotFoundInBackendsError(BackendsFailedError, FileNotFoundError):
    """No backend of a composed storage has the file."""


class BackendsUnreachableError(BackendsFailedError, ConnectionError):
    """A backend of a composed storage did not answer, and no other backend could."""


class NoBackendMethodError(BackendsFailedError, AttributeError, NotImplementedError):
    """No backend of a composed storage has the method.

    It is a ``NotImplementedError`` because Django's storages raise that for a missing ``path``.
    """


class RoutingRefusedError(SmartStorageError, PermissionError):
    """A rule refuses access to a file: there is no tenant or region, or it is another tenant's.

    It is not a :class:`ResolutionError`, because a dispatcher uses its fallback for these.
    """


class InvalidTenantNameError(RoutingRefusedError, SuspiciousOperation):
    """A tenant's name is not valid; Django answers such a request with 400."""


class TenantBlockError(SmartStorageError, RuntimeError):
    """A block of ``use_tenant`` or ``use_region`` ended in a different order or context.

    The usual cause is a generator that yields inside such a block.
    """


class TransferError(SmartStorageError):
    """A queued transfer could not be done."""


class UploadError(SmartStorageError, SuspiciousOperation):
    """A direct upload was refused; Django answers a request that this error ends with 400.

    Its text is for the user who uploads, so that it has no link.

    Args:
        code: What is wrong, for programs: ``"too_large"``.
        message: The same for the user, translated.
        status: The code of HTTP that the views of uploads answer with.
        retry_after: Seconds after which it is worth another try, if that helps.
        details: More for the answer, such as the numbers of missing parts.

    Example:
        >>> UploadError("too_large", "This file is too large.", 413).code
        'too_large'
    """

    def __init__(
        self,
        code: str,
        message: Any,
        status: int = 400,
        *,
        retry_after: Optional[int] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(code, message, status)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.details = details or {}

    def __str__(self) -> str:
        return self.text  # forms and answers show it to users: no link

    @property
    def text(self) -> str:
        return str(self.message)
