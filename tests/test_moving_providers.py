"""A live project moves from one bucket to another, and no request notices.

The steps are those of "Without a copy" in docs/moving-providers.md. Workers take over each step's
storage at moments of their own, as the hosts of a project do while it is deployed.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest
from django.core.files.base import ContentFile

from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.storages import SmartS3Storage

pytestmark = [
    pytest.mark.real_s3,
    pytest.mark.parametrize("s3_server", ["ceph"], indirect=True),
]
WORKERS = 4
BACKLOG = 60
REQUESTS_A_STEP = 150


class Traffic:
    """Workers that save, read, look for and delete files until they are stopped."""

    def __init__(self, storage):
        self.storages = [storage] * WORKERS
        self.files = {}
        #: How often each name was saved or deleted: one that was deleted is soon taken again.
        self.changes = Counter()
        self.failures = []
        self.counts = Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(i,)) for i in range(WORKERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def deploy(self, storage):
        """Change the workers over one by one, with requests between them."""
        for number in range(WORKERS):
            self.storages[number] = storage
            self.wait_for(REQUESTS_A_STEP // WORKERS)

    def wait_for(self, requests):
        wanted = self.total + requests
        deadline = time.monotonic() + 60
        while self.total < wanted and not self.failures:
            assert time.monotonic() < deadline, "the traffic stands still"
            time.sleep(0.01)

    @property
    def total(self):
        return sum(self.counts.values())

    def _work(self, number):
        rng = random.Random(number)  # noqa: S311 - traffic, not keys
        while not self._stop.is_set():
            action = rng.choice(["save", "save", "read", "read", "read", "exists", "delete"])
            try:
                getattr(self, f"_{action}")(self.storages[number], rng, number)
            except Exception as error:
                self.failures.append((action, repr(self.storages[number]), repr(error)))
            with self._lock:
                self.counts[action] += 1

    def changes_so_far(self):
        with self._lock:
            return self.changes.copy()

    def may_lack(self, name, changes):
        """Whether a file may be missing, or another one, since its name had so many changes."""
        with self._lock:
            return name not in self.files or self.changes[name] != changes

    def _pick(self, rng):
        """Return a file: its name, its content, and how often the name was changed."""
        with self._lock:
            if not self.files:
                return None
            name = rng.choice(sorted(self.files))
            return name, self.files[name], self.changes[name]

    def _save(self, storage, rng, number):
        content = rng.getrandbits(8 * 2000).to_bytes(2000, "big")
        name = storage.save(f"docs/{number}/{rng.randrange(20)}.bin", ContentFile(content))
        with self._lock:
            assert name not in self.files
            self.files[name] = content
            self.changes[name] += 1

    def _read(self, storage, rng, number):
        picked = self._pick(rng)
        if picked is None:
            return
        name, content, changes = picked
        try:
            with storage.open(name) as file:
                found = file.read()
        except FileNotFoundError:
            assert self.may_lack(name, changes), f"{name} was lost"
            return
        assert found == content or self.may_lack(name, changes), f"{name} was changed"

    def _exists(self, storage, rng, number):
        picked = self._pick(rng)
        if picked is not None:
            name, _, changes = picked
            assert storage.exists(name) or self.may_lack(name, changes), f"{name} was lost"

    def _delete(self, storage, rng, number):
        with self._lock:
            own = sorted(name for name in self.files if name.startswith(f"docs/{number}/"))
            if len(own) < 5:
                return
            name = rng.choice(own)
            del self.files[name]
            self.changes[name] += 1
        storage.delete(name)
        assert not storage.exists(name), f"{name} came back"


def all_names(storage, path=""):
    directories, files = storage.listdir(path)
    for file in files:
        yield f"{path}{file}"
    for directory in directories:
        yield from all_names(storage, f"{path}{directory}/")


@pytest.mark.slow
def test_a_live_project_moves_to_another_provider_without_a_failed_request(
    s3_settings, s3_bucket, s3_server
):
    old = SmartS3Storage("old", file_overwrite=False)
    new = SmartS3Storage("new", bucket_name=s3_server.create_bucket(), file_overwrite=False)

    contents = [b"%d" % number * 100 for number in range(BACKLOG)]
    backlog = {old.save("docs/backlog/a.bin", ContentFile(each)): each for each in contents}

    with Traffic(old) as traffic:
        traffic.files.update(backlog)
        traffic.wait_for(REQUESTS_A_STEP)

        # 1. Write to both, read the old one.
        both = MirrorStorage(old, [new])
        traffic.deploy(both)
        # What a host that was not yet changed over deleted from the old bucket alone.
        for found in both.find_divergences():
            if found.kind == "extra":
                both.repair(found.name)

        # 2. Read the new one first; what it lacks is copied when it is read.
        leading = MirrorStorage(new, [old])
        moving = FallbackStorage(
            {"new": leading, "old": old},
            write_to=["new"],
            delete_from=["new", "old"],
            copy_on_read=True,
        )
        traffic.deploy(moving)
        traffic.wait_for(REQUESTS_A_STEP)
        copied_by_reading = sum(new.exists(name) for name in backlog)

        # 3. Read the rest once, so that it is copied too; then the old one only follows.
        before = traffic.changes_so_far()
        for name in list(all_names(old)):
            try:
                moving.open(name).close()
            except FileNotFoundError:
                assert traffic.may_lack(name, before[name]), (name, traffic.failures)
        traffic.deploy(leading)
        traffic.wait_for(REQUESTS_A_STEP)

        # 4. The old one is not needed any more.
        traffic.deploy(new)
        traffic.wait_for(REQUESTS_A_STEP)

    assert traffic.failures == []
    assert copied_by_reading > 0
    assert traffic.counts["save"] > 50
    assert traffic.counts["delete"] > 10
    assert set(all_names(new)) == set(traffic.files)
    for name, content in traffic.files.items():
        with new.open(name) as file:
            assert file.read() == content, name


def test_the_old_bucket_stays_a_way_back(s3_settings, s3_bucket, s3_server):
    old = SmartS3Storage("old", file_overwrite=False)
    new = SmartS3Storage("new", bucket_name=s3_server.create_bucket(), file_overwrite=False)
    storage = MirrorStorage(new, [old])
    with Traffic(storage) as traffic:
        traffic.wait_for(REQUESTS_A_STEP)
    assert traffic.failures == []
    assert list(storage.find_divergences()) == []
    assert set(all_names(old)) == set(traffic.files)
