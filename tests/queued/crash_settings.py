"""Settings of the crash test's processes; the harness says in the environment what to use."""

import json
import os

SECRET_KEY = "crash"
USE_TZ = True
INSTALLED_APPS = ["smart_storages", "smart_storages.queued", "tests.queued"]
DATABASES = {"default": json.loads(os.environ["CRASH_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Six tenths of a second stand for five minutes.
QUEUED_STORAGE_LEASE = float(os.environ.get("CRASH_LEASE", "0.6"))
QUEUED_STORAGE_RETRY_DELAY = 0.05
QUEUED_STORAGE_RETRIES = 1_000_000
SMART_STORAGE_TASKS = "tests.queued.crash.broker"
AWS_S3_ADDRESSING_STYLE = "path"
LOGGING = {
    "version": 1,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "loggers": {"smart_storages": {"handlers": ["null"], "propagate": False}},
}
