"""``collectstatic``: the first run, one in which nothing changed, and one file changed.

Each run is a process of its own, and the contenders have the same source files: half of them
pictures, half style sheets that each name one of the pictures. The clock starts when Django is
set up, and stops when the command has ended.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

from benchmarks import OURS, THEIRS

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row
    from tests.servers import S3Server

TITLE = "Static files: collectstatic"

LATENCY = 0.02
STEPS = ("first run", "nothing changed", "one file changed")
COLLECTFASTA = "Collectfasta"

_THEIRS_MANIFEST = "storages.backends.s3.S3ManifestStaticStorage"
_STRATEGIES = "collectfasta.strategies.boto3"

#: For each kind, the storage of each contender, and the settings that Collectfasta needs.
KINDS: Dict[str, Dict[str, Tuple[str, Dict[str, Any]]]] = {
    "plain": {
        OURS: ("smart_storages.storages.StaticStorage", {}),
        THEIRS: ("storages.backends.s3.S3StaticStorage", {}),
        COLLECTFASTA: (
            "storages.backends.s3.S3StaticStorage",
            {"COLLECTFASTA_STRATEGY": f"{_STRATEGIES}.Boto3Strategy"},
        ),
    },
    "manifest": {
        OURS: ("smart_storages.storages.ManifestStaticStorage", {}),
        THEIRS: (_THEIRS_MANIFEST, {}),
        COLLECTFASTA: (
            _THEIRS_MANIFEST,
            {"COLLECTFASTA_STRATEGY": f"{_STRATEGIES}.Boto3ManifestMemoryStrategy"},
        ),
    },
}
#: As its documentation advises: the command uploads in 16 threads, the hashes are cached.
_FASTA = {"COLLECTFASTA_THREADS": 16, "COLLECTFASTA_CACHE": "default"}


def run(context: Context) -> List[Row]:
    server = context.best_server()
    full = 20 if context.quick else 5_000
    rows: List[Row] = []
    for kind, contenders in KINDS.items():
        taken = []
        for who in contenders:
            # One by one, a file takes django-storages as long among 100 as among 5,000.
            scale = 1 if context.quick else {OURS: 1, THEIRS: 50, COLLECTFASTA: 5}[who]
            taken.append(_measure(context, server, kind, who, full=full, scale=scale))
        rows += [row for case in zip(*taken) for row in case]
    return rows


def _measure(
    context: Context, server: S3Server, kind: str, who: str, *, full: int, scale: int
) -> List[Row]:
    runs = [_run_steps(context, server, kind, who, full // scale) for _ in range(context.repeat)]
    rows: List[Row] = []
    for step, outcomes in zip(STEPS, zip(*runs)):
        row: Row = {
            "case": f"{kind}: {step}, {full:,} files, 20 ms away",
            "who": who,
            "time_ms": statistics.median(each["seconds"] for each in outcomes) * scale * 1000,
            "requests": round(statistics.median(each["requests"] for each in outcomes)) * scale,
        }
        print(f"{row['case']}, {who}: {row['time_ms']:,.0f} ms", file=sys.stderr)
        if scale > 1:
            row["note"] = f"measured with {full // scale:,}, times {scale}"
        rows.append(row)
    return rows


def _run_steps(
    context: Context, server: S3Server, kind: str, who: str, files: int
) -> List[Dict[str, float]]:
    proxy = context.proxy(server, LATENCY)
    settings = {
        **server.django_settings(),
        "AWS_STORAGE_BUCKET_NAME": server.create_bucket(),
        "AWS_S3_ENDPOINT_URL": proxy.endpoint_url,
        "AWS_LOCATION": "static",
    }
    outcomes: List[Dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="bench-static-") as folder:
        sources = Path(folder) / "static"
        write_sources(sources, files)
        for step in STEPS:
            if step == "one file changed":
                (sources / "0.png").write_bytes(b"changed")
            if step != "first run":
                touch(sources)
            proxy.requests.clear()
            outcome = context.measure_once(
                collect,
                kind=kind,
                who=who,
                settings=settings,
                provider=server.name,
                folder=folder,
            )
            outcomes.append({**outcome, "requests": len(proxy.requests)})
    return outcomes


def write_sources(folder: Path, files: int) -> None:
    """Write pictures and style sheets, 50 in a folder."""
    for number in range(files // 2):
        place = folder / f"{number // 25 or ''}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.png").write_bytes(f"picture {number}".encode() * 100)
        (place / f"{number}.css").write_text(f"a {{ background: url({number}.png) }}\n" * 3)


def touch(folder: Path) -> None:
    """Give each file a time after the bucket's, as a new checkout does."""
    later = time.time() + 3600
    for path in folder.rglob("*.*"):
        os.utime(str(path), (later, later))


def collect(
    kind: str, who: str, settings: Dict[str, Any], provider: str, folder: str
) -> Dict[str, float]:
    """Run ``collectstatic`` of one contender in this process."""
    import django
    from django.conf import settings as django_settings
    from django.core.management import call_command

    backend, further = KINDS[kind][who]
    apps = ["django.contrib.staticfiles"]
    if who == COLLECTFASTA:
        apps.insert(0, "collectfasta")
        further = {**further, **_FASTA}
    options = {"provider": provider} if who == OURS else {}
    django_settings.configure(
        INSTALLED_APPS=apps,
        STATIC_URL="/static/",
        STATICFILES_DIRS=[str(Path(folder) / "static")],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
        STORAGES={
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": backend, "OPTIONS": options},
        },
        CACHES={
            "default": {
                "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
                "LOCATION": str(Path(folder) / "cache"),
                "TIMEOUT": None,
                "OPTIONS": {"MAX_ENTRIES": 100_000},
            }
        },
        USE_TZ=True,
        **settings,
        **further,
    )
    django.setup()
    start = time.perf_counter()
    call_command("collectstatic", interactive=False, verbosity=0)
    return {"seconds": time.perf_counter() - start}
