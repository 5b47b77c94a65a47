"""The signals of this package; receivers live elsewhere."""

from __future__ import annotations

__all__: list = []
