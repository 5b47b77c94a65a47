"""A demo of the whole site: start it, upload files to it, fetch every file back.

``python example/demo.py`` prints a table and exits with 0 only if every byte matched;
``python example/demo.py --serve`` keeps serving the site afterwards.

With ``S3_ENDPOINT_URL`` and ``AWS_ACCESS_KEY_ID``/``AWS_SECRET_ACCESS_KEY`` in the environment,
the files go to that S3 server; otherwise to an in-memory server that runs as long as the demo.
With ``PRESS_BACKEND=local`` there is no server: the buckets are folders of ``example/run/buckets``.
With ``memory`` they are in this process, with ``azure`` in Azurite, or in the account that
``AZURE_CONNECTION_STRING`` names, and with ``gcs`` in an emulator of Google Cloud Storage, or there
itself if ``GOOGLE_APPLICATION_CREDENTIALS`` names a key.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
FEWEST_BUCKETS = 4
START_SECONDS = 60
FORBIDDEN = (401, 403)
BACKENDS = ("azure", "gcs", "local", "memory", "s3")
DISK = "workbench"  # the alias of STORAGES that is a disk, not a bucket

try:
    import django
    import urllib3
    from botocore.exceptions import BotoCoreError, ClientError
    from django.core.exceptions import ImproperlyConfigured
    from django.core.files.base import ContentFile
    from django.core.management import CommandError, call_command

    from samples import draft, production_papers, uploads
    from smart_storages.exceptions import SmartStorageError
    from visitor import VisitError, Visitor
except ImportError as error:  # pragma: no cover
    sys.exit(
        f"The demo needs the package and its test tools: pip install -e . moto[server] ({error})"
    )


class DemoError(Exception):
    """The demo cannot go on, or something it checked is wrong."""


@dataclass
class Row:
    """One line of the table."""

    file: str
    module: str
    bucket: str
    key: str
    access: str
    url: str
    result: str
    good: bool


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--serve", action="store_true", help="serve the site until Ctrl-C")
    arguments = options.parse_args()
    # A terminated demo cleans up like one that was interrupted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    known = (BotoCoreError, ClientError, CommandError, DemoError, ImproperlyConfigured, OSError)
    try:
        return run(arguments.serve)
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    except (*known, SmartStorageError, VisitError, urllib3.exceptions.HTTPError) as error:
        say(f"The demo stopped: {error}")
        return 1


def run(serve: bool) -> int:
    with contextlib.ExitStack() as stack:
        run_dir = prepare_run_dir()
        backend = choose_backend()
        if backend == "local":
            say(f"Keeping the buckets in {run_dir / 'buckets'}")
        elif backend == "memory":
            say("Keeping the buckets in memory")
        elif backend == "azure":
            start_azurite(stack, run_dir)
        elif backend == "gcs":
            start_gcs(stack)
        elif not os.environ.get("S3_ENDPOINT_URL"):
            start_embedded_s3(stack)
        else:
            say(f"Using the S3 server at {os.environ['S3_ENDPOINT_URL']}")
        prepare_site()
        log = run_dir / "site.log"
        if backend == "memory":  # of this process, so the site is in it
            site, address = None, serve_here(stack)
        else:
            site, address = start(stack, "the site", [str(HERE / "manage.py"), "serve"], log=log)
        say(f"The site is up at {address}")
        try:
            rows = visit(address)
        except VisitError as error:
            raise DemoError(f"{error} The site's own log is {log}.") from error
        code = report(rows)
        if serve:
            print_line(f"\nServing The Harbour Press Office at {address} (Ctrl-C stops)")
            if site is None:
                threading.Event().wait()
            site.wait()
            raise DemoError(f"The site stopped unexpectedly; its log is {log}.")
        return code


def prepare_run_dir() -> Path:
    """Delete the database, log and workbench of an earlier run; leave the buckets as they are."""
    run_dir = Path(os.environ.setdefault("PRESS_RUN_DIR", str(HERE / "run")))
    run_dir.mkdir(parents=True, exist_ok=True)
    for name in ("db.sqlite3", "db.sqlite3-journal", "site.log"):
        with contextlib.suppress(FileNotFoundError):
            (run_dir / name).unlink()
    shutil.rmtree(run_dir / "workbench", ignore_errors=True)
    return run_dir


def choose_backend() -> str:
    """Return where the modules keep their files."""
    backend = os.environ.get("PRESS_BACKEND") or "s3"
    if backend not in BACKENDS:
        raise DemoError(f"BACKEND must be one of {', '.join(BACKENDS)}, not {backend!r}.")
    return backend


def start_gcs(stack: contextlib.ExitStack) -> None:
    """Start an emulator of Google Cloud Storage, unless a key or another emulator is named."""
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        if os.environ.get(name):
            say(f"Using what {name} names")
            return
    program = shutil.which("fake-gcs-server")
    if program is None:
        raise DemoError(
            "BACKEND=gcs needs fake-gcs-server (tests/servers/install.sh), or a key of a service "
            "account in GOOGLE_APPLICATION_CREDENTIALS."
        )
    say("Starting an emulator of Google Cloud Storage in memory")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = ("-host", "127.0.0.1", "-port", port, "-public-host", f"127.0.0.1:{port}")
    process = subprocess.Popen(
        [program, "-backend", "memory", "-scheme", "http", "-log-level", "error", *address],
        # It takes the time of the zone for that of Greenwich.
        env={**os.environ, "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{port}"
    wait_for(process, f"http://127.0.0.1:{port}/storage/v1/b", "the emulator")


def start_azurite(stack: contextlib.ExitStack, run_dir: Path) -> None:
    """Start Azurite, unless an account is named."""
    if os.environ.get("AZURE_CONNECTION_STRING"):
        say("Using the account of AZURE_CONNECTION_STRING")
        return
    program = shutil.which("azurite-blob")
    if program is None:
        raise DemoError(
            "BACKEND=azure needs Azurite (npm install --global azurite), or an account in "
            "AZURE_CONNECTION_STRING."
        )
    say("Starting Azurite, a server of Azure's blobs in memory")
    account, key = "demo", base64.b64encode(b"the key of the demo").decode()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            program,
            "--blobPort",
            str(port),
            "--inMemoryPersistence",
            "--silent",
            "--disableTelemetry",
            "--skipApiVersionCheck",
        ],
        cwd=run_dir,
        env={**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    endpoint = f"http://127.0.0.1:{port}/{account}"
    os.environ["AZURE_CONNECTION_STRING"] = (
        f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};"
        f"BlobEndpoint={endpoint};"
    )
    wait_for(process, endpoint, "Azurite")
    allow_browsers()


def allow_browsers() -> None:
    """Let pages of any origin upload to Azurite, which knows no pattern for a free port."""
    from azure.storage.blob import BlobServiceClient, CorsRule

    rule = CorsRule(
        ["*"],
        ["GET", "HEAD", "PUT"],
        allowed_headers=["*"],
        exposed_headers=["ETag"],
        max_age_in_seconds=3600,
    )
    account = BlobServiceClient.from_connection_string(os.environ["AZURE_CONNECTION_STRING"])
    account.set_service_properties(cors=[rule])


def wait_for(process: subprocess.Popen, url: str, name: str) -> None:
    """Wait until a server answers."""
    http, give_up = urllib3.PoolManager(retries=False), time.monotonic() + START_SECONDS
    while True:
        try:
            http.request("GET", url)
            return
        except urllib3.exceptions.HTTPError:
            if process.poll() is not None or time.monotonic() > give_up:
                raise DemoError(f"Cannot start {name}.") from None
        time.sleep(0.1)


def serve_here(stack: contextlib.ExitStack) -> str:
    """Serve the site in a thread of this process; return its address."""
    from django.core.servers.basehttp import ThreadedWSGIServer
    from django.core.wsgi import get_wsgi_application

    from newsroom.management.commands.serve import QuietHandler

    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler, allow_reuse_address=True)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}/"


def start_embedded_s3(stack: contextlib.ExitStack) -> None:
    say("Starting an S3 server in memory (moto)")
    _, endpoint = start(stack, "moto's S3 server", [str(HERE / "embedded_s3.py")])
    # Real credentials must not be sent to the in-memory server.
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "PII_ACCESS_KEY_ID", "PII_SECRET_ACCESS_KEY"):
        os.environ.pop(name, None)
    os.environ.update(
        S3_ENDPOINT_URL=endpoint,
        S3_PROVIDER="moto",
        AWS_ACCESS_KEY_ID="demo",
        AWS_SECRET_ACCESS_KEY="demo-secret",
    )


def start(stack, what, command, log=None):
    """Start a Python process that prints its address, and stop it when ``stack`` closes."""
    with contextlib.ExitStack() as opened:
        errors = opened.enter_context(log.open("w")) if log else None
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ,
            universal_newlines=True,
            start_new_session=True,  # Ctrl-C reaches only the demo, which then ends its processes
        )
    stack.callback(stop, process)
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    address = process.stdout.readline().strip() if ready else ""
    if not address:
        where = f"; its log is {log}" if log else ""
        raise DemoError(f"Cannot start {what}{where}.")
    return process, address


def stop(process: subprocess.Popen) -> None:
    """Close standard input, which ends both servers; kill one that hangs."""
    process.stdin.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def prepare_site() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "pressoffice.settings"
    os.environ["PRESS_DEBUG"] = "0"
    django.setup()
    say("Creating the buckets")
    call_command("create_buckets", verbosity=0)
    fill_production()
    say("Creating the database")
    call_command("migrate", verbosity=0, interactive=False)
    say("Sending the static files to their bucket (collectstatic)")
    call_command("collectstatic", verbosity=0, interactive=False)


def fill_production() -> None:
    """Put papers into the production bucket, which the page "Development" reads."""
    from smart_storages.utils import get_storage

    for name, content in production_papers().items():
        get_storage("production").save(name, ContentFile(content))


def visit(address: str) -> List[Row]:
    """Upload everything through the site's forms and fetch everything back."""
    visitor = Visitor(address)
    checks = server_checks_signatures()
    rows = []
    for upload in uploads():
        names = ", ".join(name for name, _ in upload.files.values())
        say(f"Uploading through {upload.page}: {names}")
        shown = visitor.upload(upload.page, upload.fields, upload.files)
        for field, (name, content) in upload.files.items():
            rows.append(check_file(visitor, name, content, shown[field], checks))
    rows += check_development(visitor, checks)
    rows.append(check_stylesheet(visitor))
    if not checks:
        say("Note: this server, like moto, accepts any key and any signature. This run therefore")
        say("      proves nothing about access; set S3_ENDPOINT_URL to a server that checks them.")
    return rows


def server_checks_signatures() -> bool:
    """Return whether a private bucket refuses keys that do not exist."""
    import boto3

    from smart_storages.utils import get_storage

    if choose_backend() != "s3":
        return not os.environ.get("STORAGE_EMULATOR_HOST")
    storage = get_storage("documents")
    stranger = boto3.session.Session("AKIASTRANGER", "not-the-secret").client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT_URL"],
        region_name=storage.region_name,
    )
    try:
        stranger.list_objects_v2(Bucket=storage.bucket_name, MaxKeys=1)
    except ClientError:
        return True
    return False


def check_file(visitor, name, content, file, checks) -> Row:
    problems = []
    status, received = visitor.fetch(file.url)
    if status != 200:
        problems.append(f"the link answered {status}")
    elif received != content:
        problems.append("the link returned different content")
    if stored_bytes(file) != content:
        problems.append("the bucket holds different content")
    note = ""
    if file.access == "signed":
        status, _ = visitor.fetch(file.url.split("?")[0])
        if status in FORBIDDEN:
            note = f", {status} when unsigned"
        elif checks:
            problems.append(f"without its signature the link answered {status}")
        else:
            note = f", {status} when unsigned (not checked)"
    elif urlsplit(file.url).query:
        problems.append("a public link has a signature")
    result = "; ".join(problems) or f"{len(content):,} bytes match{note}"
    place = (file.module, file.bucket, file.key, file.access, file.url)
    return Row(name, *place, result, not problems)


def stored_bytes(file) -> bytes:
    """Read the object at the key that the page shows, directly from the bucket."""
    from smart_storages.utils import get_storage

    if file.module == DISK:
        return (Path(os.environ["PRESS_RUN_DIR"]) / DISK / file.key).read_bytes()
    storage = get_storage(file.module)
    if not storage.is_in_s3:
        with storage.open(file.key[len(storage.location) :].lstrip("/")) as opened:
            return opened.read()
    client = storage.client
    return client.get_object(Bucket=file.bucket, Key=file.key)["Body"].read()


def check_development(visitor, checks) -> List[Row]:
    """Fetch the papers of production, write a file, and check that production is unchanged."""
    page, upload = "/development/", draft()
    shown = visitor.read(page).files
    rows = []
    for name, content in production_papers().items():
        file = shown.get(f"development-{name}")
        if file is None or file.module != "production":
            raise DemoError(f"{page} does not show {name} as production's.")
        rows.append(check_file(visitor, name, content, file, checks))
    before = production_objects()
    name, content = upload.files["upload"]
    say(f"Uploading through {page}: {name}")
    file = visitor.upload(page, upload.fields, upload.files)["upload"]
    row = check_file(visitor, name, content, file, checks)
    if file.module != DISK:
        row.good, row.result = False, f"it went to {file.module}, not to the disk"
    elif production_objects() != before:
        row.good, row.result = False, "the upload changed the production bucket"
    else:
        row.result += ", production unchanged" if row.good else ""
    return [*rows, row]


def production_objects():
    """Return the key, ETag and modification time of every object of the production bucket."""
    from smart_storages.utils import get_storage

    found = get_storage("production").iter_files()
    return [(name, stat.etag, stat.modified_time) for name, stat in found]


def check_stylesheet(visitor) -> Row:
    from django.contrib.staticfiles.storage import staticfiles_storage

    from visitor import ShownFile

    name = "newsroom/press.css"
    [url] = visitor.read("/").stylesheets
    key = staticfiles_storage.location.strip("/") + "/" + name
    place = (staticfiles_storage.module_name, staticfiles_storage.bucket_name, key)
    shown = ShownFile("stylesheet", *place, access="public", url=url)
    content = (HERE / "newsroom" / "static" / name).read_bytes()
    return check_file(visitor, "press.css", content, shown, checks=True)


def report(rows: List[Row]) -> int:
    """Print the table; return 0 if every file matched and they are in enough buckets."""
    window = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print_line()
    for line in lay_out(rows, window):
        print_line(line)
    buckets = {row.bucket for row in rows if row.module != DISK}
    bad = [row for row in rows if not row.good]
    print_line()
    if bad:
        print_line(f"{len(bad)} of {len(rows)} files failed; their line says why.")
    elif len(buckets) < FEWEST_BUCKETS:
        print_line(f"Only {len(buckets)} buckets; there should be {FEWEST_BUCKETS} or more.")
    else:
        print_line(f"{len(rows)} files in {len(buckets)} buckets, every byte matched.")
        return 0
    return 1


def lay_out(rows: List[Row], window: Optional[int]) -> Iterator[str]:
    """Yield the lines of the table; in a narrow window, each URL gets a line of its own."""
    heads = ("File", "Module", "Bucket", "Key", "Access", "Result", "URL fetched")
    table = [
        (row.file, row.module, row.bucket, row.key, row.access, row.result, short(row.url))
        for row in rows
    ]
    widths = [max(len(cell) for cell in column) for column in zip(heads, *table)]
    is_wide = window is None or sum(widths) + 2 * len(widths) <= window
    for line in (heads, ["-" * width for width in widths], *table):
        cells = [cell.ljust(width) for cell, width in zip(line, widths)]
        yield "  ".join(cells if is_wide else cells[:-1]).rstrip()
        if not is_wide and line in table:
            yield f"    {line[-1]}"


def short(url: str) -> str:
    """Shorten a signed URL by its 300 characters of signature."""
    base, mark, _ = url.partition("?")
    return base + (mark and "?...")


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def print_line(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
