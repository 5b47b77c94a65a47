"""A file field whose files have a method to transfer them."""

from __future__ import annotations

from typing import Any

from django.db.models.fields.files import FieldFile, FileField

__all__ = ["QueuedFieldFile", "QueuedFileField", "RemoteFileField"]


class QueuedFieldFile(FieldFile):
    """The file of a field, with a method :meth:`transfer`."""

    def transfer(self) -> Any:
        """Ask for the transfer of the file; see ``QueuedStorage.transfer``.

        Raises:
            ValueError: The field has no file.
        """
        self._require_file()  # type: ignore[attr-defined]
        return self.storage.transfer(self.name)  # type: ignore[attr-defined]


class QueuedFileField(FileField):
    """Django's ``FileField`` for a queued storage.

    Example::

        class Scan(models.Model):
            raw = QueuedFileField(storage=DelayedStorage(local="scratch", remote="documents"))

        scan.raw.transfer()
    """

    attr_class = QueuedFieldFile


#: The name of this class in django-queued-storage.
RemoteFileField = QueuedFileField
