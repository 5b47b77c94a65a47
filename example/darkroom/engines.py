"""The engine of this site's queue: a thread that waits a moment, so that you can watch a transfer.

A real project sets ``SMART_STORAGE_TASKS`` to ``"celery"`` or ``"django"`` and runs workers; this
site is a single process. If it ends before a transfer does, ``manage.py transfers sweep --run``
finishes the transfer.
"""

from __future__ import annotations

import threading

from django.conf import settings
from django.db import connection

from smart_storages.queued.engines import Engine, run


class ThreadEngine(Engine):
    on_this_host = True

    def enqueue(self, pk, delay):
        timer = threading.Timer(delay + settings.DARKROOM_PAUSE, self.run_and_close, [pk])
        timer.daemon = True
        timer.start()

    @staticmethod
    def run_and_close(pk):
        try:
            run(pk)
        finally:
            connection.close()
