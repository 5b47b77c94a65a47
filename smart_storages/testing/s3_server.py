"""An S3 server in memory: moto's, in a process of its own."""

from __future__ import annotations

import argparse
import logging
import os
import select
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, TextIO

__all__ = ["ACCESS_KEY", "SECRET_KEY", "S3Server", "main", "running"]

#: It accepts any keys; boto3 will not do without.
ACCESS_KEY = "development"
SECRET_KEY = "development"  # noqa: S105 - no secret

_START_SECONDS = 60
_INSTALL = "It needs moto: pip install 'django-smart-storages[demo]'."


@dataclass(frozen=True)
class S3Server:
    """Where it is, and the options with which modules reach it.

    Args:
        endpoint_url: Its address.
    """

    endpoint_url: str

    @property
    def options(self) -> Dict[str, Any]:
        """Options of a module, for ``override_buckets("s3", **server.options)``."""
        return {
            "endpoint_url": self.endpoint_url,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "provider": "moto",
        }

    def create_bucket(self, name: str) -> None:
        """Make a bucket; one that exists stays as it is."""
        _client(self.endpoint_url).create_bucket(Bucket=name)


def _client(endpoint_url: str) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",  # the one in which a bucket needs no region
    )


@contextmanager
def running() -> Iterator[S3Server]:
    """A block in which such a server runs, on a free port of this machine.

    Raises:
        RuntimeError: it did not start; moto may be missing.

    Example::

        with running() as server, override_buckets("s3", **server.options):
            server.create_bucket("acme-media")
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "smart_storages.serve", "--port", "0", "--no-buckets"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        said_by_it: Any = process.stdout
        ready, _, _ = select.select([said_by_it], [], [], _START_SECONDS)
        line = said_by_it.readline().strip() if ready else ""
        if not line.startswith("http://"):
            process.kill()
            _, said = process.communicate()
            raise RuntimeError(f"The S3 server did not start. {said.strip() or _INSTALL}")
        yield S3Server(line)
    finally:
        # It ends with its standard input, also if this process is killed.
        process.kill()
        process.communicate()


def main(arguments: Sequence[str], output: TextIO = sys.stdout) -> int:
    """Serve until Ctrl-C, or until standard input closes if that is a pipe.

    Args:
        arguments: Those of the command line.
        output: Where it writes its address, and what to set.
    """
    options = _parse(arguments)
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        sys.stderr.write(f"{_INSTALL} ({error})\n")
        return 1
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address=options.host, port=options.port, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://{options.host}:{port}"
    output.write(f"{endpoint}\n")
    if not options.no_buckets:
        _tell(endpoint, options.settings, output)
    output.flush()
    try:
        _wait()
    except KeyboardInterrupt:
        output.write("\n")
    server.stop()
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m smart_storages.serve",
        description="An S3 server in memory, with the buckets of the project. It checks no keys.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on")
    parser.add_argument("--port", type=int, default=9000, help="9000; 0 finds a free one")
    parser.add_argument("--settings", help="the settings, if not DJANGO_SETTINGS_MODULE")
    parser.add_argument("--no-buckets", action="store_true", help="read no settings")
    return parser.parse_args(arguments)


def _tell(endpoint: str, settings: Optional[str], output: TextIO) -> None:
    output.write(
        "It forgets everything when it ends, and accepts any keys. In your settings:\n"
        f'    AWS_S3_ENDPOINT_URL = "{endpoint}"\n'
        f'    AWS_S3_ACCESS_KEY_ID = "{ACCESS_KEY}"\n'
        f'    AWS_S3_SECRET_ACCESS_KEY = "{SECRET_KEY}"\n'
        '    SMART_STORAGE_PROVIDER = "moto"\n'
    )
    if settings:
        os.environ["DJANGO_SETTINGS_MODULE"] = settings
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        output.write("It has no buckets: name the settings with --settings.\n")
        return
    made = _make_buckets(endpoint)
    from smart_storages import config

    none = "none, for the settings name none"
    if config.get_local_root():
        none = "none, for SMART_STORAGE_LOCAL keeps the files of all modules in a directory"
    output.write(f"Its buckets: {', '.join(made) or none}.\n")


def _make_buckets(endpoint: str) -> List[str]:
    import django

    sys.path.insert(0, os.getcwd())  # where manage.py and the settings are
    django.setup()
    from smart_storages.management.places import find_sound_places

    client = _client(endpoint)
    names = {str(place.bucket) for place in find_sound_places([]) if place.storage.is_in_s3}
    # Of a pattern with a bucket for each module there is no end.
    made = sorted(name for name in names if name and "*" not in name and name != "None")
    for name in made:
        client.create_bucket(Bucket=name)
    return made


def _wait() -> None:
    # Not /dev/null, which is what it has in the background, under systemd and in a container.
    if sys.stdin is not None and stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        sys.stdin.read()
        return
    while True:
        time.sleep(3600)
