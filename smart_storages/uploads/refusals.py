"""Every reason for which an upload is refused, with its code, its words and its status."""

from __future__ import annotations

from typing import Any, Iterable, List

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from smart_storages.exceptions import UploadError

__all__ = [
    "bad_name",
    "bad_request",
    "empty",
    "failed",
    "forbidden",
    "gone",
    "incomplete",
    "invalid_token",
    "no_csrf_token",
    "too_large",
    "too_many",
    "unknown_field",
    "used",
    "wrong_content",
    "wrong_size",
    "wrong_type",
]


def bad_request(what: str) -> UploadError:
    """The request is not what the protocol says; ``what`` is for programmers."""
    return UploadError("bad_request", what, 400)


def bad_name() -> UploadError:
    """The name of the file is a path, or cannot be one of a file."""
    return UploadError("bad_name", _("This file name cannot be used. Rename the file."), 400)


def empty() -> UploadError:
    """The file has no bytes."""
    return UploadError("empty", _("The submitted file is empty."), 400)


def unknown_field() -> UploadError:
    """There is no such field, or its reference was forged."""
    return UploadError("unknown_field", _("Files cannot be uploaded here. Reload the page."), 400)


def forbidden() -> UploadError:
    """The user has no permission."""
    return UploadError("forbidden", _("You may not upload files here."), 403)


def no_csrf_token() -> UploadError:
    """The request may come from another site."""
    return UploadError("csrf", _("Your session has expired. Reload the page."), 403)


def invalid_token() -> UploadError:
    """The token is forged, altered or expired, or it is for somebody or something else."""
    return UploadError(
        "invalid_token", _("This upload is not valid, or has expired. Upload the file again."), 403
    )


def gone() -> UploadError:
    """The upload was cancelled or refused, or has expired."""
    return UploadError("gone", _("This upload no longer exists. Upload the file again."), 404)


def used() -> UploadError:
    """A row names the file already."""
    return UploadError("used", _("This upload was submitted already. Upload the file again."), 409)


def incomplete(missing: List[int]) -> UploadError:
    """Parts have not arrived, or not with their size."""
    return UploadError(
        "incomplete",
        _("The upload is not complete yet."),
        409,
        details={"missing": missing},
    )


def too_large(most: int) -> UploadError:
    """The file has more bytes than allowed."""
    message = _("This file is too large. The largest possible size is %(size)s.")
    return UploadError("too_large", message % {"size": filesizeformat(most)}, 413)


def wrong_size() -> UploadError:
    """The file has another size than was announced."""
    message = _("The file does not have the size that was announced. Upload it again.")
    return UploadError("wrong_size", message, 409)


def wrong_type(types: Iterable[str]) -> UploadError:
    """Files of this type are not allowed."""
    message = _("Files of this type cannot be uploaded. Possible are: %(types)s.")
    return UploadError("wrong_type", message % {"types": ", ".join(types)}, 415)


def wrong_content() -> UploadError:
    """The content is not what the name says."""
    message = _("The content of this file does not match its name. Upload another file.")
    return UploadError("wrong_content", message, 415)


def too_many(seconds: int) -> UploadError:
    """The user has uploaded as much as allowed in an hour."""
    message = _("You have uploaded too much within an hour. Try again later.")
    return UploadError("too_many", message, 429, retry_after=seconds)


def failed() -> UploadError:
    """The bucket refused, or does not answer."""
    return UploadError("failed", _("The file could not be stored. Try again later."), 503)


def as_answer(error: UploadError) -> Any:
    """Return the body of an answer that says why something was refused."""
    return {"error": {"code": error.code, "message": str(error)}, **error.details}
