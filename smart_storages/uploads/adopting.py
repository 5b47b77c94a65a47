"""Saving a row and noting in the ledger that it names the file: both, or neither.

Django saves a row outside of a transaction if nobody has begun one. The ledger and the row must not
differ, so saving a row with a new upload begins one.
"""

from __future__ import annotations

import functools
import logging
from contextlib import ExitStack, contextmanager
from typing import Any, ContextManager, Dict, Iterator, List, NamedTuple, Optional, Tuple, Type

from django.db import router, transaction
from django.db.models import FileField, Model

from smart_storages.storages.places import name_in
from smart_storages.uploads import ledger, refusals
from smart_storages.uploads.files import DirectUploadFile, find_upload

__all__ = [
    "adopt_at_save",
    "adopt_now",
    "adopt_with_row",
    "claim_upload",
    "find_unsaved",
    "is_copied",
]

logger = logging.getLogger("smart_storages.uploads")

#: In the ``__dict__`` of an instance: uploads of its files whose transaction has not ended.
_PENDING = "_smart_storages_uploads"
#: In the same: uploads that ``save(..., save=False)`` of a field took, and the names they have.
_WAITING = "_smart_storages_uploads_waiting"
_MARK = "_adopts_direct_uploads"


class _Found(NamedTuple):
    field: FileField
    upload: DirectUploadFile


def claim_upload(request: Any, token: str, label: str) -> DirectUploadFile:
    """Return the file of an upload, complete and checked, for code that has no form.

    Assign it to the field of a model, or pass it to ``save()`` of a storage. It is used up when the
    row is saved.

    Args:
        request: The request of the user who uploaded it.
        token: What the upload's beginning answered.
        label: What it must be for: ``"app.Model.field"``, or a registered name.

    Raises:
        UploadError: it is refused; ``code``, ``message`` and ``status`` say why.

    Example::

        film = Film(video=claim_upload(request, data["video"], "press.Film.video"))
        film.save()
    """
    file = DirectUploadFile(token, label, request)
    field = file.take().target.field
    if field is not None:
        adopt_at_save(field.model)
    return file


def adopt_at_save(model: Type[Model]) -> None:
    """Have the rows of a model adopt the uploads that are assigned to their files.

    Args:
        model: The model. Calling this again changes nothing.
    """
    original = model.save_base
    if getattr(original, _MARK, False):
        return

    @functools.wraps(original)
    def save_base(self: Any, *args: Any, **kwargs: Any) -> None:
        found = _find_uploads(self, kwargs.get("update_fields"))
        if not found:
            return original(self, *args, **kwargs)
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with _adopting(self, found, using):
            return original(self, *args, **kwargs)

    setattr(save_base, _MARK, True)
    model.save_base = save_base  # type: ignore[method-assign]


@contextmanager
def _adopting(instance: Any, found: List[_Found], using: str) -> Iterator[None]:
    """Adopt uploads around a block that saves their row, in one transaction."""
    with ExitStack() as stack:
        for alias in dict.fromkeys([using, ledger.database()]):
            stack.enter_context(transaction.atomic(using=alias))
        for each in found:
            _adopt(instance, each)
            each.upload.is_being_saved = True
        try:
            yield
        except BaseException:
            # The instance may name the files by now, and be saved again.
            pending = instance.__dict__.setdefault(_PENDING, {})
            pending.update({each.field.attname: each.upload for each in found})
            raise
        finally:
            for each in found:
                each.upload.is_being_saved = False
        for each in found:
            _note(instance, each, using)


def _adopt(instance: Any, found: _Found) -> None:
    found.upload.adopt()
    attname = found.field.attname
    is_named = not _uncommitted(instance.__dict__.get(attname))
    is_itself = is_named and not is_copied(instance, found.field, found.upload)
    # After a rollback, another row may have taken the file.
    if is_itself and not found.upload.hold(instance, attname):
        raise refusals.used()


def adopt_now(instance: Any, field: FileField, upload: DirectUploadFile) -> ContextManager[None]:
    """Adopt an upload around a block that saves the row, in one transaction.

    Args:
        instance: The instance of a model.
        field: Its field.
        upload: The file.
    """
    using = instance._state.db or router.db_for_write(type(instance), instance=instance)
    return _adopting(instance, [_Found(field, upload)], using)


def adopt_with_row(instance: Any, field: FileField, upload: DirectUploadFile) -> None:
    """Have ``save()`` of an instance adopt an upload that its field has taken over already.

    Args:
        instance: The instance of a model.
        field: Its field, which has the name of the file now.
        upload: The file.
    """
    waiting = instance.__dict__.setdefault(_WAITING, {})
    waiting[field.attname] = (upload, str(instance.__dict__[field.attname]))


def find_unsaved(instance: Any, field: FileField) -> Optional[DirectUploadFile]:
    """Return the upload in a field of an instance that no row has adopted, ``None`` if it has none.

    Args:
        instance: The instance of a model.
        field: Its field.
    """
    value = instance.__dict__.get(field.attname)
    found = _uncommitted(value)
    if found is None:
        waiting: Dict[str, Tuple[DirectUploadFile, str]] = instance.__dict__.get(_WAITING, {})
        upload, name = waiting.get(field.attname, (None, ""))
        found = upload if name == str(value or "") else None
    return found


def _find_uploads(instance: Any, update_fields: Any) -> List[_Found]:
    pending: Dict[str, DirectUploadFile] = instance.__dict__.get(_PENDING, {})
    found = []
    for field in instance._meta.concrete_fields:
        if not isinstance(field, FileField):
            continue
        if update_fields is not None and not {field.name, field.attname} & {*update_fields}:
            continue
        upload = find_unsaved(instance, field)
        # After a rollback the instance still names the file, and may be saved again.
        known = pending.get(field.attname)
        if upload is None and known is not None and not is_copied(instance, field, known):
            upload = known
        if upload is not None:
            found.append(_Found(field, upload))
    return found


def _uncommitted(value: Any) -> Optional[DirectUploadFile]:
    return None if getattr(value, "_committed", False) else find_upload(value)


def is_copied(instance: Any, field: FileField, upload: DirectUploadFile) -> bool:
    """Return whether a row names a copy of the upload, and not the upload itself."""
    name = str(instance.__dict__.get(field.attname) or "")
    # Where nobody can say, it is taken for the same file, which is then not deleted.
    return name != name_in(upload.storage, upload.stored_name, field.storage)


def _note(instance: Any, found: _Found, using: str) -> None:
    upload, attname = found.upload, found.field.attname
    pending = instance.__dict__.setdefault(_PENDING, {})
    pending[attname] = upload
    instance.__dict__.get(_WAITING, {}).pop(attname, None)
    copied = is_copied(instance, found.field, upload)

    def forget() -> None:
        if pending.get(attname) is upload:
            del pending[attname]
        if copied and not upload.is_held:
            _delete_copied(upload)

    transaction.on_commit(forget, using=using)


def _delete_copied(upload: DirectUploadFile) -> None:
    """Delete the file that a save has copied to another name."""
    upload.is_removed = True
    try:
        upload.storage.delete(upload.stored_name)
    except Exception:
        # The row is committed, and its request must not fail for a file nobody needs.
        logger.exception(
            "The upload %r was copied, and could not be deleted: `manage.py buckets audit` finds "
            "it.",
            upload.stored_name,
        )
