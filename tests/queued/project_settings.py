"""Settings of a small project with real parts; a test says in the environment which."""

import json
import os
import socket

_GIVEN = json.loads(os.environ["PROJECT"])

SECRET_KEY = "project"
USE_TZ = True
INSTALLED_APPS = ["smart_storages", "smart_storages.queued", *_GIVEN.get("apps", [])]
DATABASES = {"default": _GIVEN["database"]}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if "tasks" in _GIVEN:
    TASKS = _GIVEN["tasks"]

_DISK = "django.core.files.storage.FileSystemStorage"
STORAGES = {
    "default": {"BACKEND": _DISK},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "scratch": {"BACKEND": _DISK, "OPTIONS": {"location": _GIVEN["root"] + "/local"}},
    "share": {"BACKEND": _DISK, "OPTIONS": {"location": _GIVEN["root"] + "/remote"}},
    "scans": {
        "BACKEND": "smart_storages.queued.backends.QueuedStorage",
        "OPTIONS": {
            "local": _GIVEN.get("local", "scratch"),
            "remote": _GIVEN.get("remote", "share"),
            "task": _GIVEN.get("task", "smart_storages.queued.tasks.TransferAndDelete"),
        },
    },
}
SMART_STORAGE_BUCKETS = _GIVEN.get("buckets", {})
SMART_STORAGE_TASKS = _GIVEN["engine"]
QUEUED_STORAGE_LEASE = _GIVEN.get("lease", 300.0)
QUEUED_STORAGE_RETRY_DELAY = 0.2
QUEUED_STORAGE_RETRIES = 1000

if "host" in _GIVEN:
    # One of several on this machine, each with a root and a queue of its own.
    socket.gethostname = lambda: _GIVEN["host"]
    SMART_STORAGE_TASKS_QUEUE = f"transfers-{socket.gethostname()}"

if "broker" in _GIVEN:
    # A project has this in its package: every process that sends or takes messages needs the app.
    from tests.queued import project_celery  # noqa: F401
