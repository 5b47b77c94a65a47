"""The signals of this package; receivers live elsewhere."""

from __future__ import annotations

from typing import List

__all__: List[str] = []
