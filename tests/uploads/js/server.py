"""Django's own server in a process of its own: ``python -m tests.uploads.js.server DIRECTORY``.

The first line that it prints is JSON: its address, and the cookie of a session that may do
everything. POST to ``/configure`` points it at another bucket and empties its database.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict

import django
from django.conf import settings

from tests import settings as base


def configure(directory: Path) -> None:
    """Django's settings: those of the suite, with a database in a file."""
    values = {name: value for name, value in vars(base).items() if name.isupper()}
    values.update(
        ALLOWED_HOSTS=["localhost"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(directory / "db.sqlite3"),
                "OPTIONS": {"timeout": 30},
            }
        },
        DEBUG=False,
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "smart_storages.uploads.middleware.DirectUploadMiddleware",
            "tests.uploads.js.site.strict_policy",
        ],
        ROOT_URLCONF="tests.uploads.js.site",
    )
    settings.configure(**values)
    django.setup()


def _waited() -> float:
    """Seconds that this thread was ready to run and had no processor, where Linux counts them."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def timed(application: Callable[..., Any]) -> Callable[..., Any]:
    """A WSGI application that notes how long each request took."""
    from tests.uploads.js.site import TOOK

    def call(environ: Dict[str, Any], start_response: Any) -> Any:
        started, waited = time.perf_counter(), _waited()
        try:
            return application(environ, start_response)
        finally:
            # The processors that tests beside this one take are not the request's time.
            TOOK.append((environ["PATH_INFO"], time.perf_counter() - started, _waited() - waited))

    return call


def main() -> None:
    configure(Path(sys.argv[1]))
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application
    from django.test import Client

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    call_command("migrate", run_syncdb=True, verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))
    server = ThreadedWSGIServer(("localhost", 0), Quiet)
    server.daemon_threads = True
    server.set_app(timed(get_wsgi_application()))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said = {
        "address": f"http://localhost:{server.server_port}",
        "session": client.cookies["sessionid"].value,
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    # Ends with the process that started it.
    sys.stdin.read()


if __name__ == "__main__":
    main()
