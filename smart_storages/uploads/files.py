"""A file that a browser has put into the bucket, as forms and models see it."""

from __future__ import annotations

import io
import logging
from typing import Any, Optional, Tuple

from django.core.exceptions import ValidationError
from django.core.files.base import File

from smart_storages.exceptions import (
    BackendsFailedError,
    ConfigurationError,
    S3Error,
    UploadError,
)
from smart_storages.storages import UploadedObject
from smart_storages.uploads import ledger, refusals, steps
from smart_storages.uploads.middleware import current_request
from smart_storages.uploads.models import new_id
from smart_storages.uploads.steps import Taken
from smart_storages.wrappers.calls import run

__all__ = ["DirectUploadFile", "find_upload"]

logger = logging.getLogger("smart_storages.uploads")

_MIDDLEWARE = "smart_storages.uploads.middleware.DirectUploadMiddleware"


def find_upload(content: Any) -> Optional[DirectUploadFile]:
    """Return the direct upload that a field or a content is made of, ``None`` if it is none."""
    while content is not None and not isinstance(content, DirectUploadFile):
        content = getattr(content, "__dict__", {}).get("_file")
    return content


class DirectUploadFile(File):  # type: ignore[type-arg]
    """The file of a direct upload; it is completed and checked when it is first looked at.

    Nothing is read but what is asked for: opening a film of 100 GB sends no request.

    Args:
        token: What the form contains.
        label: What the form's field is for.
        request: The request of the form, ``None`` for the current one.
    """

    def __init__(self, token: str, label: str, request: Any = None) -> None:
        self.token = token
        self.label = label
        self._request = request
        self._taken: Optional[Taken] = None
        self._refusal: Optional[UploadError] = None
        self._opened: Any = None
        self._is_open = False
        #: What distinguishes this object from another with the same token.
        self.adopter = new_id()
        #: Whether a row is being saved that adopts it.
        self.is_being_saved = False
        #: Whether all that is left of it is a copy.
        self.is_removed = False
        self._holder: Optional[Tuple[Any, str]] = None

    # Its upload

    def take(self) -> Taken:
        """Complete the upload and check the file, once; a failure is the answer of this object.

        Raises:
            UploadError: it is refused.
            ConfigurationError: nobody knows whose request this is.
        """
        if self._taken is None:
            if self._refusal is not None:
                raise self._refusal
            request = self._request or current_request()
            if request is None:
                raise ConfigurationError(
                    "A form was submitted with a direct upload, and the request is not known: add "
                    f"{_MIDDLEWARE!r} to MIDDLEWARE, after sessions and authentication."
                )
            try:
                self._taken = run(steps.take(request, self.token, self.label))
            except UploadError as error:
                self._refusal = error
                raise
            except (S3Error, BackendsFailedError) as error:
                logger.exception("A direct upload for %s could not be completed", self.label)
                # Kept too: a form that is shown again asks several times, each of which may wait.
                self._refusal = refusals.failed()
                raise self._refusal from error
        return self._taken

    def _take_for_form(self) -> Taken:
        try:
            return self.take()
        except UploadError as error:
            raise ValidationError(error.message, code=error.code) from error

    @property
    def is_refused(self) -> bool:
        """Whether the upload was refused for good, so that its token is of no more use."""
        return self._refusal is not None and self._refusal.code not in ("incomplete", "failed")

    @property
    def stored_name(self) -> str:
        """The name of the file in its storage."""
        return self.take().row.name

    @property
    def storage(self) -> Any:
        """The storage that has the file."""
        return self.take().target.storage

    @property
    def head(self) -> bytes:
        """Its first bytes, up to 64 KiB."""
        return self.take().head

    @property
    def uploaded_object(self) -> UploadedObject:
        """What a storage copies when it saves this file, instead of reading it."""
        row = self.take().row
        return UploadedObject(
            self.storage,
            row.name,
            name=row.file_name,
            size=row.size,
            content_type=row.content_type,
        )

    def adopt(self) -> str:
        """Note that the file is used, in the current transaction; return its name in the storage.

        Saving a row with the file in its field does this. Call it where you keep the name in
        another way, in the same transaction: what nobody has adopted is deleted after a time.

        Raises:
            UploadError: it is used elsewhere, or the upload is gone.

        Example::

            with transaction.atomic():
                Message.objects.create(attachment_name=form.cleaned_data["attachment"].adopt())
        """
        row = self.take().row
        if ledger.adopt(row.pk, self.adopter):
            self._holder = None  # what held it was rolled back, if anything did
        elif self.is_removed or not ledger.is_adopted(row.pk, self.adopter):
            raise refusals.used()
        return row.name

    def hold(self, instance: Any, attname: str) -> bool:
        """Return whether a field of an instance may name the file itself, as the only one.

        Several rows can be saved with one object, as with any other ``File``. Two that name one
        file would lose it when either deletes it, so that the others get a copy.

        Args:
            instance: The instance of a model.
            attname: Its attribute.
        """
        if self._holder is None:
            self._holder = (instance, attname)
        return self._holder[0] is instance and self._holder[1] == attname

    @property
    def is_held(self) -> bool:
        """Whether a row names the file itself, and not a copy."""
        return self._holder is not None

    # A file

    @property
    def name(self) -> str:
        """The name that the file had on the user's computer, without folders."""
        return self._take_for_form().row.file_name

    @name.setter
    def name(self, name: Any) -> None:
        """Ignore another name: the file has its own."""

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self._take_for_form().row.size

    @property
    def content_type(self) -> str:
        """Its type by its name, which its content was checked against."""
        return self._take_for_form().row.content_type

    @content_type.setter
    def content_type(self, content_type: Any) -> None:
        """Ignore another type: Django's ``ImageField`` sets what Pillow found."""

    charset = None
    content_type_extra = None

    @property
    def file(self) -> Any:
        """The file, open for reading."""
        if self._opened is None:
            self._opened = self.storage.open(self.stored_name, "rb")
        return self._opened

    @file.setter
    def file(self, file: Any) -> None:
        self._opened = file

    @property
    def closed(self) -> bool:
        """Whether it is not open now; reading opens it."""
        return not self._is_open if self._opened is None else bool(self._opened.closed)

    def open(self, mode: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Open it anew, to be read from the beginning; no request is sent before that."""
        if self._opened is not None and not self._opened.closed:
            self.seek(0)
        else:
            self._opened = None
        self._is_open = True
        return self

    def close(self) -> None:
        """Close it; the file in the bucket stays."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._is_open = False

    def chunks(self, chunk_size: Optional[int] = None) -> Any:
        """Yield the content in pieces."""
        self.open()
        while True:
            data = self.file.read(chunk_size or self.DEFAULT_CHUNK_SIZE)
            if not data:
                break
            yield data

    def open_head(self) -> Any:
        """Return the first bytes as a file, which is read without a request."""
        return io.BytesIO(self.head)

    def __repr__(self) -> str:
        return f"<DirectUploadFile for {self.label!r}>"
