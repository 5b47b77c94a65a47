"""The engine of this site's queue: a thread that waits a moment, so that one can watch.

A real project names ``"celery"`` or ``"django"`` in ``SMART_STORAGE_TASKS`` and has workers; here
one process is all there is. What dies with it, ``manage.py transfers sweep --run`` brings home.
"""

from __future__ import annotations

import threading

from django.conf import settings
from django.db import connection

from smart_storages.queued.engines import Engine, run


class Courier(Engine):
    on_this_host = True

    def enqueue(self, pk, delay):
        timer = threading.Timer(delay + settings.DARKROOM_PAUSE, self.carry, [pk])
        timer.daemon = True
        timer.start()

    @staticmethod
    def carry(pk):
        try:
            run(pk)
        finally:
            connection.close()
