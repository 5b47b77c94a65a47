"""What files can be uploaded for: fields of models, and names that a project registers."""

from __future__ import annotations

import inspect
import posixpath
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Union

from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.core import signing
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db.models import FileField
from django.utils import timezone

from smart_storages.common.names import check_name
from smart_storages.config import (
    UploadSettings,
    check_upload_options,
    get_upload_settings,
)
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages.lookup import StorageReference, resolve_storage
from smart_storages.uploads import refusals

__all__ = [
    "TEMPORARY",
    "Target",
    "can_take",
    "canonical_label",
    "check_permission",
    "find_storage",
    "find_target",
    "iter_registered",
    "label_of",
    "read_reference",
    "reference_to",
    "register_uploader",
]

#: Where files are whose final name is only known when their row is saved.
TEMPORARY = "direct-uploads"

_SALT = "smart_storages.uploads.field"

Permission = Callable[[Any, "Target"], bool]


@dataclass(frozen=True)
class Target:
    """What files are uploaded for.

    Args:
        label: ``"app.Model.field"``, or the name that :func:`register_uploader` was given.
        storage: Where the files go.
        upload_to: As for a ``FileField``: a folder, or a function of the row and the file name.
        limits: What may be uploaded, and how much.
        permission: Who may: a function of the request and this target.
        field: The field of a model, ``None`` for a registered name.
        max_length: Most characters of a name.
    """

    label: str
    storage: Any
    upload_to: Any
    limits: UploadSettings
    permission: Permission
    field: Optional[FileField] = None
    max_length: Optional[int] = None

    @property
    def is_final(self) -> bool:
        """Whether files are uploaded under the name that they keep."""
        return not callable(self.upload_to)

    def may_upload(self, request: Any) -> bool:
        """Return whether the user of a request may upload.

        Args:
            request: The request.

        Raises:
            ConfigurationError: the project's function is async, and its answer is not known here.
        """
        try:
            allowed: Any = self.permission(request, self)
        except PermissionDenied:
            return False
        if inspect.isawaitable(allowed):
            if inspect.iscoroutine(allowed):
                allowed.close()  # nobody will await it
            raise _not_sync(self.label)
        return bool(allowed)

    def make_name(self, upload: str, file_name: str) -> str:
        """Return the name for a file that is about to be uploaded, without its random suffix.

        Args:
            upload: Id of the upload.
            file_name: A name without folders.

        Raises:
            SuspiciousFileOperation: the name cannot be that of a file.
        """
        if self.is_final:
            folder = timezone.now().strftime(str(self.upload_to))
        else:
            folder = posixpath.join(TEMPORARY, upload)
        name = posixpath.join(folder, file_name)
        check_name(name)
        made: str = self.storage.generate_filename(name)
        return made


def check_permission(owner: str, permission: Any) -> None:
    """Refuse what cannot say who may upload.

    Args:
        owner: What it was given to, for messages.
        permission: What a project passed as ``permission``.

    Raises:
        ConfigurationError: it is no function of two arguments, or an async one.
    """
    if permission is None:
        return
    if not callable(permission) or not _takes_two(permission):
        raise ConfigurationError(
            f"{owner}: permission must be a function of the request and the target, such as "
            f"lambda request, target: request.user.is_staff, not {permission!r}."
        )
    if inspect.iscoroutinefunction(permission):
        raise _not_sync(owner)


def _takes_two(function: Any) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # one in C, whose arguments nobody knows
        return True
    return True


def _not_sync(owner: str) -> ConfigurationError:
    # An awaitable is true, whatever it would say: everybody could upload.
    return ConfigurationError(
        f"{owner}: permission is an async function. Make it a plain function: the async views call "
        "it in a thread, where it may use the database."
    )


# Registered names

_uploaders: Dict[str, Dict[str, Any]] = {}


def register_uploader(
    name: str,
    *,
    storage: StorageReference = "default",
    upload_to: str = "",
    permission: Optional[Permission] = None,
    **limits: Any,
) -> None:
    """Let forms without a model upload files, under a name of the project's.

    Call it where Django imports it in every process, such as in ``ready()`` of an app. Widgets and
    serializer fields are given the same name.

    Args:
        name: A name without dots.
        storage: Where the files go: an alias, a module or a storage.
        upload_to: The folder, which may contain patterns of ``strftime``.
        permission: Who may upload: a function of the request and the target; staff if ``None``.
        limits: Keys of ``SMART_STORAGE_UPLOADS`` for this name.

    Raises:
        ConfigurationError: the name is not valid, a limit is unknown or has a wrong value, the
            folder is a function, or the permission is none.

    Example:
        >>> register_uploader("attachments", upload_to="attachments/%Y", types=["application/pdf"])
    """
    if not isinstance(name, str) or not name or "." in name:
        raise ConfigurationError(
            f"register_uploader: a name must be text without dots, not {name!r}."
        )
    if callable(upload_to):
        raise ConfigurationError(
            f"register_uploader({name!r}): upload_to must be a folder, which may contain patterns "
            f"of strftime, such as 'attachments/%Y', not {upload_to!r}: no row names the files."
        )
    check_permission(f"register_uploader({name!r})", permission)
    _uploaders[name] = {
        "storage": storage,
        "upload_to": upload_to,
        "permission": permission,
        "limits": check_upload_options(f"register_uploader({name!r})", limits),
    }


def iter_registered() -> Iterator[str]:
    """Yield the names that were registered."""
    yield from _uploaders


# References


def label_of(field: FileField) -> str:
    """Return how a field of a model is named here: ``app.Model.field``."""
    return f"{field.model._meta.label}.{field.name}"


def reference_to(label: Union[str, FileField], user: str = "") -> str:
    """Return the signed reference that a browser sends to say what it uploads for.

    It is the same each time, and allows nothing by itself: permissions are asked for each upload.

    Args:
        label: ``"app.Model.field"``, a registered name, or the field.
        user: What distinguishes the user from others of the same browser, without spaces. Under
            the reference, a browser keeps what was interrupted, and it is nobody else's concern.

    Example:
        >>> read_reference(reference_to("attachments"))
        'attachments'
    """
    label = label if isinstance(label, str) else label_of(label)
    return signing.Signer(salt=_SALT).sign(f"{label} {user}")


def read_reference(reference: Any) -> str:
    """Return the label in a reference.

    A field that is made for direct uploads, and a registered name, need no signature: they are
    meant to be uploaded to, by programs too.

    Raises:
        UploadError: it was forged.
    """
    if not isinstance(reference, str):
        raise refusals.unknown_field()
    try:
        return str(signing.Signer(salt=_SALT).unsign(reference)).rpartition(" ")[0]
    except (signing.BadSignature, ValueError):  # a lone surrogate cannot be signed
        pass
    if reference in _uploaders:
        return reference
    field = find_field(reference)
    if field is None or not getattr(field, "takes_direct_uploads", False):
        raise refusals.unknown_field()
    return label_of(field)


def canonical_label(label: str) -> str:
    """Return the one label of a field that can be named by several: ``press.film.video``.

    A field that a model inherits from another with a table has the label of that one.
    """
    field = None if label in _uploaders else find_field(label)
    return label if field is None else label_of(field)


def find_field(label: str) -> Optional[FileField]:
    """Return the file field that a label names, ``None`` if there is none."""
    model_label, _, name = label.rpartition(".")
    try:
        field = apps.get_model(model_label)._meta.get_field(name)
    except (LookupError, ValueError, FieldDoesNotExist):
        return None
    return field if isinstance(field, FileField) else None


def find_storage(label: str) -> Any:
    """Return where the files of a field of a model, or of a registered name, go.

    Raises:
        ConfigurationError: the storage of a registered name cannot be found.
    """
    if label in _uploaders:
        return resolve_storage(_uploaders[label]["storage"])
    field = find_field(label)
    if field is None:
        raise refusals.unknown_field()
    return field.storage


def find_target(label: str, overrides: Optional[Mapping[str, Any]] = None) -> Target:
    """Return what a label names.

    Args:
        label: ``"app.Model.field"`` or a registered name.
        overrides: Limits that go before those of the settings.

    Raises:
        UploadError: there is no such field or name.
        ConfigurationError: a setting is wrong.
    """
    limits = replace(get_upload_settings(), **(overrides or {}))
    if label in _uploaders:
        given = _uploaders[label]
        return Target(
            label,
            find_storage(label),
            given["upload_to"],
            replace(limits, **given["limits"]),
            given["permission"] or is_staff,
        )
    field = find_field(label)
    if field is None:
        raise refusals.unknown_field()
    return Target(
        label_of(field),
        field.storage,
        field.upload_to,
        replace(limits, **getattr(field, "upload_limits", {})),
        getattr(field, "upload_permission", None) or may_edit,
        field,
        field.max_length,
    )


def can_take(storage: Any) -> bool:
    """Return whether a storage can take direct uploads at all."""
    return hasattr(storage, "create_multipart_upload") and bool(
        getattr(storage, "takes_multipart_uploads", True)
    )


# Permissions


def is_staff(request: Any, target: Target) -> bool:
    """Return whether the user may enter the admin; the rule of registered names."""
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_active and user.is_staff)


def may_edit(request: Any, target: Target) -> bool:
    """Return whether the user is staff and may add or change rows; the rule of fields."""
    if not is_staff(request, target):
        return False
    opts = target.field.model._meta  # type: ignore[union-attr]
    return any(
        request.user.has_perm(f"{opts.app_label}.{get_permission_codename(action, opts)}")
        for action in ("add", "change")
    )
