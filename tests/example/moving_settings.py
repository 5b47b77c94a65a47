"""Settings of the example site while two of its modules move: what docs/moving-providers.md says.

Which step it is stands in the file that ``MOVING_STEP`` names, so that a host takes over the next
one when its workers are replaced.
"""

from __future__ import annotations

import os
from pathlib import Path

from pressoffice.settings import *  # noqa: F403
from pressoffice.settings import DATABASES, SMART_STORAGE_BUCKETS, STORAGES

#: What moves: the alias that the site uses, and the entry that says where its files are.
MOVING = ("kits", "attachments-small")

for alias in MOVING:
    here = SMART_STORAGE_BUCKETS[alias]
    SMART_STORAGE_BUCKETS[f"{alias}-s3"] = here
    SMART_STORAGE_BUCKETS[f"{alias}-azure"] = {
        **{name: value for name, value in here.items() if name != "provider"},
        "backend": "azure",
    }
    for place in ("s3", "azure"):
        STORAGES[f"{alias}-{place}"] = {
            "BACKEND": "smart_storages.storages.SmartS3Storage",
            "OPTIONS": {"module_name": f"{alias}-{place}"},
        }


def mirrored(alias: str, primary: str, mirror: str) -> dict:
    return {
        "BACKEND": "smart_storages.mirror.MirrorStorage",
        "OPTIONS": {"primary": f"{alias}-{primary}", "mirrors": [f"{alias}-{mirror}"]},
    }


STEPS = {
    "s3": lambda alias: STORAGES[f"{alias}-s3"],
    "s3, mirrored in azure": lambda alias: mirrored(alias, "s3", "azure"),
    "azure, mirrored in s3": lambda alias: mirrored(alias, "azure", "s3"),
    "azure": lambda alias: STORAGES[f"{alias}-azure"],
}
_step = STEPS[Path(os.environ["MOVING_STEP"]).read_text("utf-8")]
STORAGES.update({alias: _step(alias) for alias in MOVING})

# All hosts share it: what copies a file and what deletes it wait for each other.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ["MOVING_CACHE"],
    }
}
# Two hosts write to one file of SQLite.
DATABASES["default"]["OPTIONS"]["timeout"] = 60
