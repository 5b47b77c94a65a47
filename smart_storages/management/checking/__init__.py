"""Whether a bucket does what the module that keeps its files there needs.

A :class:`~smart_storages.management.places.Place` comes in; findings go out, each with what is
wrong, why, and the smallest change that mends it. Temporary objects are written and removed. This
room may not write to a terminal, nor show a secret.
"""

from __future__ import annotations
