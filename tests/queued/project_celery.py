"""The project's Celery app, as Celery's documentation has it."""

import json
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.queued.project_settings")

app = Celery("project", broker=json.loads(os.environ["PROJECT"]).get("broker"))
app.conf.broker_connection_retry_on_startup = True
app.autodiscover_tasks()
