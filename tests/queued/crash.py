"""The crash test: web processes, workers and sweeps are killed while they work.

``python -m tests.queued.crash --kills 300`` forks small processes that save, overwrite,
delete, read, transfer and sweep. Each is killed with SIGKILL, either at one of the named steps of
``smart_storages.queued.ledger.crash_points`` or at a random moment; some workers are stopped at a
step, often for longer than their lease, and then go on. Afterwards everything is started once
more, swept once, and looked at: what is committed must be in the remote, byte for byte, and
nothing else.

No message ever arrives while the killing goes on: the workers poll the ledger.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

NAMES = [f"dir{number % 3}/file{number}.bin" for number in range(40)]
LEASE = float(os.environ.get("CRASH_LEASE", "0.6"))
#: The share of workers that are stopped past their lease, and go on afterwards.
STOPPED = float(os.environ.get("CRASH_STOPPED", "0"))

#: Where a worker is stopped for longer than its lease, and then goes on.
STOPS = (
    "transfer:claimed",
    "transfer:sending",
    "transfer:uploading",
    "transfer:verified",
    "transfer:recorded",
    "remove:claimed",
    "remove:remote-deleted",
    "settle:verified",
)

messages = []


def broker(pk, delay):
    """Take a message; only the process that restarts everything reads them."""
    messages.append((time.monotonic() + delay, pk))


def make_storages(root):
    from smart_storages.queued.backends import QueuedStorage
    from smart_storages.queued.tasks import TransferAndDelete

    remote, options = "django.core.files.storage.FileSystemStorage", {"location": f"{root}/remote"}
    if os.environ.get("CRASH_S3"):
        remote = "smart_storages.storages.SmartS3Storage"
        options = {**json.loads(os.environ["CRASH_S3"]), "location": "overwritten"}
    unique = {**options}
    unique["location"] = f"{root}/unique" if "bucket_name" not in options else "unique"
    if "bucket_name" in options:
        unique["file_overwrite"] = False
    disk = "django.core.files.storage.FileSystemStorage"
    common = {"task": TransferAndDelete, "durable": False}
    return [
        QueuedStorage(
            disk,
            remote,
            {"location": f"{root}/local"},
            options,
            overwrite=True,
            key="over",
            **common,
        ),
        QueuedStorage(
            disk,
            remote,
            {"location": f"{root}/local"},
            unique,
            overwrite=False,
            key="unique",
            **common,
        ),
        QueuedStorage(
            disk,
            disk,
            {"location": f"{root}/local"},
            {"location": f"{root}/held"},
            delayed=True,
            overwrite=True,
            key="held",
            **common,
        ),
        QueuedStorage(
            disk,
            disk,
            {"location": f"{root}/local"},
            {"location": f"{root}/direct"},
            overwrite=True,
            max_local_bytes=0,
            key="direct",
            **common,
        ),
    ]


class Actor:
    """What a forked process does until it is killed."""

    def __init__(self, root, seed):
        self.root = root
        self.random = random.Random(seed)  # noqa: S311
        self.storages = make_storages(root)

    def web(self):
        from django.db import OperationalError, transaction

        from smart_storages.queued.ledger.deadlocks import is_deadlock
        from tests.queued.models import Document

        while True:
            (storage,) = self.random.choices(self.storages, [55, 20, 10, 15])
            act = self.random.random()
            try:
                with transaction.atomic():
                    if act < 0.55:
                        self.save(storage, Document)
                    elif act < 0.75:
                        self.delete(storage, Document)
                    if storage.delayed:
                        self.ask(storage, Document)
                    if self.random.random() < 0.1:
                        raise RolledBackError
            except RolledBackError:
                pass
            except OperationalError as error:
                # SQLite refuses a transaction that reads, then writes. PostgreSQL breaks off one of
                # two that lock a file's row and its document in different orders. Rolled back.
                if "locked" not in str(error) and not is_deadlock(error):
                    raise
            if act >= 0.75:
                self.read(storage, Document)
            time.sleep(self.random.uniform(0, 0.01))

    def save(self, storage, documents):
        from django.core.files.base import ContentFile

        size = self.random.choice([0, 10, 1000, 20_000, 600_000])
        body = self.random.getrandbits(8 * size).to_bytes(size, "big") if size else b""
        name = storage.save(self.random.choice(NAMES), ContentFile(body))
        documents.objects.update_or_create(
            name=f"{storage.key}:{name}", defaults={"sha256": hashlib.sha256(body).hexdigest()}
        )

    def delete(self, storage, documents):
        found = list(documents.objects.filter(name__startswith=f"{storage.key}:"))
        if found:
            chosen = self.random.choice(found)
            # Who deletes the row decides; the file goes in the same transaction.
            if documents.objects.filter(pk=chosen.pk, sha256=chosen.sha256).delete()[0]:
                storage.delete(chosen.name.partition(":")[2])

    def ask(self, storage, documents):
        found = list(documents.objects.filter(name__startswith=f"{storage.key}:"))
        if found:
            with suppress(FileNotFoundError):  # it was deleted, or it is done and forgotten
                storage.transfer(self.random.choice(found).name.partition(":")[2])

    def read(self, storage, documents):
        found = list(documents.objects.filter(name__startswith=f"{storage.key}:"))
        if not found:
            return
        chosen = self.random.choice(found)
        name = chosen.name.partition(":")[2]
        try:
            body, problem = storage.open(name).read(), None
        except Exception as error:
            body, problem = b"", error
        unchanged = documents.objects.filter(pk=chosen.pk, sha256=chosen.sha256).exists()
        if unchanged and (problem or hashlib.sha256(body).hexdigest() != chosen.sha256):
            with open(f"{self.root}/violations", "a") as log:
                log.write(f"read of {chosen.name}: {problem!r} {len(body)} bytes\n")

    def worker(self):
        from django.utils import timezone

        from smart_storages.queued import ledger
        from smart_storages.queued.engines import run
        from smart_storages.queued.models import WORK_STATES

        while True:
            due = list(
                ledger.rows()
                .filter(ledger.no_lease(timezone.now()), state__in=WORK_STATES)
                .values_list("pk", flat=True)
                .order_by("?")[:20]
            )
            if not due:
                time.sleep(0.005)
                continue
            run(self.random.choice(due))

    def sweeper(self):
        from smart_storages.queued import ledger
        from smart_storages.queued.actions import operations
        from smart_storages.queued.actions.sweeper import sweep

        while True:
            # An orphan is older than the longest transaction; here none lasts ten seconds.
            sweep(orphan_age=10, requeue_age=0)
            # Some rows fail, whatever becomes of them meanwhile; and some are forgotten.
            waiting = list(ledger.rows().filter(state="queued", lease_token="")[:3])
            for row in waiting:
                ledger.requeue(row, state="failed")
            operations.retry(ledger.rows().filter(state="failed"))
            operations.prune(0)
            time.sleep(0.02)


class RolledBackError(Exception):
    pass


class Harness:
    def __init__(self, root, kills, each_step, seed):
        self.root = root
        self.kills = kills
        self.each_step = each_step
        self.random = random.Random(seed)  # noqa: S311
        self.slots = {}
        self.killed = 0
        self.killed_at = {}
        self.stops = 0
        self.problems = []

    def run(self):
        kinds = ["web", "web", "worker", "worker", "worker", "sweeper"]
        for slot, kind in enumerate(kinds):
            self.spawn(slot, kind)
        while not self.is_done():
            self.reap()
            now = time.monotonic()
            for slot, (pid, label, until) in list(self.slots.items()):
                if now < until:
                    continue
                if label == "stopped":
                    os.kill(pid, signal.SIGCONT)
                    self.slots[slot] = (pid, "woken", now + 0.5)
                else:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        for pid, *_ in self.slots.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def is_done(self):
        from smart_storages.queued.ledger.crash_points import STEPS

        return self.killed >= self.kills and all(
            self.killed_at.get(step, 0) >= self.each_step for step in STEPS
        )

    def reap(self):
        for slot, (pid, label, _) in list(self.slots.items()):
            done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if not done:
                continue
            if os.WIFSTOPPED(status):
                self.stops += 1
                wake = time.monotonic() + self.random.uniform(0.3, 1.3) * LEASE
                self.slots[slot] = (pid, "stopped", wake)
                continue
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                self.killed += 1
                at = self.note_of(pid) or "random"
                self.killed_at[at] = self.killed_at.get(at, 0) + 1
            else:
                self.problems.append(f"a {label} ended by itself: status {status}")
                self.killed += 1
            self.spawn(slot, self.kind_of[slot])

    def note_of(self, pid):
        path = Path(f"{self.root}/died-{pid}")
        if not path.exists():
            return ""
        note = path.read_text()
        path.unlink()
        return note

    kind_of = {}

    def spawn(self, slot, kind):
        self.kind_of[slot] = kind
        seed = self.random.random()
        step, after = None, 1
        stop = kind == "worker" and self.random.random() < STOPPED
        if not stop and self.random.random() < 0.7:
            from smart_storages.queued.ledger.crash_points import STEPS

            prefixes = {
                "web": ("save:", "delete:", "ask:"),
                "worker": ("transfer:", "remove:", "settle:"),
                "sweeper": ("sweep:", "retry:"),
            }[kind]
            steps = [each for each in STEPS if each.startswith(prefixes)]
            # Every other time the one that was reached least often so far.
            step = self.random.choice(steps)
            if self.random.random() < 0.5:
                step = min(steps, key=lambda each: (self.killed_at.get(each, 0), each))
            after = self.random.choice([1, 2, 3] if kind == "worker" else [1, 3, 10])
        if stop:
            step = self.random.choice(STOPS)
        life = 4.0 if stop else 2.5 if step else self.random.uniform(0.02, 0.4)
        pid = os.fork()
        if pid == 0:
            self.live(kind, seed, step, after, stop)
        self.slots[slot] = (pid, kind, time.monotonic() + life)

    def live(self, kind, seed, step, after, stop):
        try:
            from smart_storages.queued.ledger import crash_points

            left = [after]
            pause = random.Random(seed)  # noqa: S311

            def hook(reached):
                if reached.startswith("transfer:up"):
                    time.sleep(pause.uniform(0, 0.01))  # saves and deletes come in between
                if reached == step:
                    left[0] -= 1
                    if stop and not left[0]:
                        os.kill(os.getpid(), signal.SIGSTOP)
                    elif not left[0]:
                        Path(f"{self.root}/died-{os.getpid()}").write_text(step)
                        os.kill(os.getpid(), signal.SIGKILL)

            crash_points.hook = hook
            getattr(Actor(self.root, seed), kind)()
        except BaseException:
            import traceback

            with open(f"{self.root}/violations", "a") as log:
                log.write(f"{kind}: {traceback.format_exc()}\n")
        finally:
            os._exit(1)


def wait_for_the_dead():
    """Wait until PostgreSQL has ended what the killed processes had asked of it."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            if cursor.fetchone()[0] == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("PostgreSQL still works for processes that were killed.")


def restart(root):
    """Start once more: one sweep, and a worker that has what the sweep sent."""
    from smart_storages.queued import ledger
    from smart_storages.queued.actions import operations
    from smart_storages.queued.actions.sweeper import sweep
    from smart_storages.queued.engines import run

    actor = Actor(root, 0)
    wait_for_the_dead()
    time.sleep(1.1 * LEASE)  # a sweep finds an attempt dead when its lease has run out
    messages.clear()
    report = sweep(orphan_age=0, requeue_age=0)
    operations.retry(ledger.rows().filter(state="failed"))
    for row in ledger.rows().filter(state="held"):
        actor.storages[2].transfer(row.name)
    deadline = time.monotonic() + 120
    while messages and time.monotonic() < deadline:
        messages.sort()
        due, pk = messages.pop(0)
        time.sleep(max(0.0, due - time.monotonic()))
        run(pk)
    return actor, report


def find_violations(root, actor):
    """Compare what was committed with what the ledger, the remote and the disk hold."""
    from smart_storages.queued.models import QueuedFile
    from tests.queued.models import Document

    log = Path(f"{root}/violations")
    found = log.read_text().splitlines() if log.exists() else []
    rows = {(row.storage, row.name): row for row in QueuedFile.objects.all()}
    documents = {tuple(each.name.split(":", 1)): each.sha256 for each in Document.objects.all()}
    found += [
        f"stuck: {row} {row.last_error} {row.local_name!r}"
        for row in rows.values()
        if row.state != "done" or row.local_name
    ]
    found += [f"no document: {key}" for key in set(rows) - set(documents)]
    for storage in actor.storages:
        # A row that was forgotten said nothing that the remote does not.
        expected = {
            rows[key, name].remote_name if (key, name) in rows else name: (name, sha)
            for (key, name), sha in documents.items()
            if key == storage.key
        }
        found += compare(storage, expected)
    found += [f"left behind: {name}" for name in walk(actor.storages[0].local, "")]
    return found, len(documents)


def compare(storage, expected):
    there = set(walk(storage.remote, ""))
    for remote_name in there - set(expected):
        if storage.key == "direct" and remote_name not in NAMES:
            continue  # of a save that was rolled back or killed; no reader is sent there
        yield f"came back, or never left: {storage.key} {remote_name}"
    for remote_name, (name, sha) in expected.items():
        if remote_name not in there:
            yield f"lost: {storage.key} {name}"
            continue
        for where, label in ((storage, name), (storage.remote, remote_name)):
            body = where.open(label).read()
            if hashlib.sha256(body).hexdigest() != sha:
                yield f"wrong bytes: {storage.key} {label}"


def walk(storage, path):
    try:
        directories, files = storage.listdir(path)
    except FileNotFoundError:
        return
    for name in files:
        yield f"{path}{name}"
    for name in directories:
        yield from walk(storage, f"{path}{name}/")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--each-step", type=int, default=0, help="kills at each named step")
    parser.add_argument("--root", required=True, help="an empty directory")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--database", default="", help="DATABASES['default'] as JSON")
    options = parser.parse_args()
    database = options.database or json.dumps(
        {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{options.root}/ledger.sqlite3",
            "OPTIONS": {"timeout": 60},
        }
    )
    os.environ["CRASH_DATABASE"] = database
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.queued.crash_settings"
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)

    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0, run_syncdb=True)
    connections.close_all()
    for directory in ("local", "remote", "unique", "held", "direct"):
        Path(options.root, directory).mkdir(exist_ok=True)
    import smart_storages.queued.backends  # noqa: F401 - forks need not import it again

    started = time.monotonic()
    harness = Harness(options.root, options.kills, options.each_step, seed)
    harness.run()
    killing = time.monotonic() - started
    actor, report = restart(options.root)
    violations, files = find_violations(options.root, actor)
    violations += harness.problems
    sys.stdout.write(
        json.dumps(
            {
                "seed": seed,
                "kills": harness.killed,
                "seconds": round(killing, 1),
                "stops": harness.stops,
                "kills_by_step": dict(sorted(harness.killed_at.items())),
                "files_at_the_end": files,
                "requeued_by_the_sweep": report.requeued,
                "orphans_swept": report.orphans,
                "violations": violations[:50],
            },
            indent=1,
        )
    )
    return 1 if violations else 0


if __name__ == "__main__":
    # Under its own name, where the settings look for the broker.
    from tests.queued import crash  # noqa: PLW0406

    sys.exit(crash.main())
