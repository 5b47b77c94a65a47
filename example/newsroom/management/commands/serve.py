"""``manage.py serve``: serves the site on a free port and prints its address.

``runserver`` works too. This command chooses a port by itself, has no reloader, and ends with the
process that started it, so that ``demo.py`` leaves nothing running even when it is killed.
"""

from __future__ import annotations

import sys
import threading

from django.core.management.base import BaseCommand
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


class QuietHandler(WSGIRequestHandler):
    """Logs only failed requests."""

    def log_message(self, format, *args):  # noqa: A002
        if len(args) > 1 and str(args[1]).startswith("5"):
            super().log_message(format, *args)


class Command(BaseCommand):
    help = "Serves the site on 127.0.0.1 until standard input closes."

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=0, help="0, the default, finds a free one")

    def handle(self, *args, **options):
        server = ThreadedWSGIServer(
            ("127.0.0.1", options["port"]), QuietHandler, allow_reuse_address=True
        )
        server.set_app(get_wsgi_application())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.stdout.write(f"http://127.0.0.1:{server.server_port}/")
        self.stdout.flush()
        sys.stdin.read()
        server.shutdown()
