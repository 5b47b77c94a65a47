"""The example site as the screenshots show it: with a debug toolbar, and transfers that wait."""

from __future__ import annotations

import os

os.environ["PRESS_DEBUG"] = "0"
os.environ["PRESS_DARKROOM_PAUSE"] = "3600"

from pressoffice.settings import *  # noqa: F403
from pressoffice.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "debug_toolbar"]
MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware", *MIDDLEWARE]
ROOT_URLCONF = "docs._pictures.site_urls"
QUEUED_STORAGE_RETRIES = 0
DEBUG_TOOLBAR_PANELS = [
    "debug_toolbar.panels.timer.TimerPanel",
    "debug_toolbar.panels.sql.SQLPanel",
    "smart_storages.monitoring.debug_toolbar.StoragesPanel",
]
DEBUG_TOOLBAR_CONFIG = {
    "SHOW_TOOLBAR_CALLBACK": lambda request: (
        "toolbar" in request.GET or request.path.startswith("/__debug__/")
    ),
    "UPDATE_ON_FETCH": False,
}
