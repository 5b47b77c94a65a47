"""What all pages with an upload form share."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError
from django.contrib import messages

from smart_storages.exceptions import SmartStorageError

STORAGE_ERRORS = (SmartStorageError, BotoCoreError, ClientError)


def told(error):
    """Return the text of a storage's error for an editor: without the link to the documentation."""
    return error.text if isinstance(error, SmartStorageError) else str(error)


class UploadMixin:
    """A page whose form stores files; to be mixed into a ``CreateView`` or ``UpdateView``."""

    stored_message = "Stored."

    def form_valid(self, form):
        try:
            response = super().form_valid(form)
        except STORAGE_ERRORS as error:
            # Nothing was written to the database, because the file is stored before the row.
            form.add_error(None, f"The storage did not take the file. {told(error)}")
            return self.form_invalid(form)
        messages.success(self.request, self.stored_message.format(self.object))
        return response
