"""The signals of this package; receivers live elsewhere."""

from __future__ import annotations

from django.dispatch import Signal

__all__ = ["backend_answered", "file_copied", "mirror_diverged"]

#: A backend of a :class:`smart_storages.fallback.FallbackStorage` answered. Arguments: ``storage``,
#: ``method``, ``name``, ``backend`` (its label), ``failures`` (label and error of those before it).
backend_answered = Signal()

#: ``copy_on_read`` wrote a file to the first backend. Arguments: ``storage``, ``name``,
#: ``source``, ``target`` (labels), ``size`` in bytes.
file_copied = Signal()

#: A mirror differs from the primary, or may. Arguments: ``storage``, ``name``, ``backend`` (the
#: mirror's label), ``error``.
mirror_diverged = Signal()
