"""An S3 server in memory, for development: ``python -m smart_storages.serve``.

It is moto's, of the extra ``demo``. It has the buckets of the settings that
``DJANGO_SETTINGS_MODULE`` or ``--settings`` names, and forgets everything when it ends. It checks
neither keys nor signatures: it shows how a site works, and proves nothing about who may read what.
"""

from __future__ import annotations

import sys

from smart_storages.testing.s3_server import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
