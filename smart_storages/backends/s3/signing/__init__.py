"""Signature Version 4 for URLs and browser uploads, held equal to botocore's by property tests.

Credentials, a place and a time come in; signed URLs, headers and form fields go out. It makes no
request, and may not know who sends what it signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

if TYPE_CHECKING:
    from . import browser_uploads as browser_uploads
    from . import sigv4 as sigv4
else:
    __getattr__ = importing_on_demand(__name__)
