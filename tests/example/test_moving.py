"""The site moves from S3 to Azure and back while people work with it, and nobody notices.

Two hosts with workers of their own serve the site, and editors work on both in turn. The steps are
those of docs/moving-providers.md. A step is deployed to one host after the other, so that for a
while the two run with different settings.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple

import psutil
import pytest
import urllib3

from tests.example.conftest import EXAMPLE, site_environment
from tests.example.test_darkroom import picture
from tests.example.test_deleting import confirm
from tests.example.test_demo import environment_of
from tests.servers import free_port
from tests.servers.keeper import ask_for
from tests.servers.queues import Redis

pytestmark = [pytest.mark.soak, pytest.mark.real_s3]

EDITORS = 3
WORKERS = 2
ACTIONS_A_STEP = 20
BACKLOG = 200
PATIENCE = 300
MOVING = ("kits", "attachments-small")


class Host:
    """A host that serves the site with workers of gunicorn; :meth:`deploy` replaces them all."""

    def __init__(self, directory: Path, name: str, environment: Dict[str, str]) -> None:
        self.address = f"http://127.0.0.1:{free_port()}/"
        self.step = directory / f"{name}.step"
        self.log = directory / f"{name}.log"
        self._environment = {**environment, "MOVING_STEP": str(self.step)}

    def start(self, step: str) -> None:
        self.step.write_text(step)
        bind = self.address.rstrip("/").partition("//")[2]
        command = ["gunicorn", "pressoffice.wsgi", "--bind", bind, "--workers", str(WORKERS)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command, "--timeout", "300", "--graceful-timeout", "300"],
                cwd=EXAMPLE,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        http, give_up = urllib3.PoolManager(retries=False), time.monotonic() + PATIENCE
        while True:
            try:
                assert http.request("GET", self.address).status == 200
                return
            except urllib3.exceptions.HTTPError:
                assert self._process.poll() is None, self.log.read_text()
                assert time.monotonic() < give_up, self.log.read_text()
            time.sleep(0.1)

    def deploy(self, step: str) -> None:
        before = self._workers()
        self.step.write_text(step)
        self._process.send_signal(signal.SIGHUP)
        give_up = time.monotonic() + PATIENCE
        while self._workers() & before or len(self._workers()) < WORKERS:
            assert time.monotonic() < give_up, self.log.read_text()
            time.sleep(0.1)

    def _workers(self) -> Set[int]:
        return {each.pid for each in psutil.Process(self._process.pid).children()}

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)


class Site:
    """Both hosts, and the command line of one of them."""

    def __init__(self, directory: Path, environment: Dict[str, str]) -> None:
        self._environment = {**environment, "MOVING_STEP": str(directory / "one.step")}
        self.kits = f"{environment['PRESS_BUCKET_PREFIX']}-kits"
        self.hosts = [Host(directory, name, environment) for name in ("one", "two")]
        self.hosts[0].step.write_text("s3")

    def start(self) -> None:
        for host in self.hosts:
            host.start("s3")

    def stop(self) -> None:
        for host in self.hosts:
            host.stop()

    def manage(self, *arguments: str, may_fail: bool = False) -> Tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(EXAMPLE / "manage.py"), *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert may_fail or done.returncode == 0, f"{arguments}: {done.stdout}"
        return done.returncode, done.stdout

    def contents(self, place: str) -> Dict[str, Dict[str, str]]:
        """What a place has, past the site: by module and name, a digest of the content."""
        _, said = self.manage("shell", "-c", _CONTENTS.format(place=place))
        found: Dict[str, Dict[str, str]] = json.loads(said[said.index("{") :])
        return found


_CONTENTS = f"""
import json
from hashlib import sha256
from smart_storages.utils import get_storage
found = dict()
for module in {MOVING}:
    storage = get_storage(module + "-{{place}}")
    found[module] = dict()
    for name, _ in storage.iter_files():
        with storage.open(name) as file:
            found[module][name] = sha256(file.read()).hexdigest()
print(json.dumps(found))
"""


class Traffic:
    """Editors who file stories, add and replace files, read them and delete them, without pause."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.counts: Counter = Counter()
        self.failures: List[str] = []
        #: What the moving storages have to hold, by module and name: the content.
        self.files: Dict[str, Dict[str, bytes]] = {module: {} for module in MOVING}
        self.lock = threading.Lock()
        self._stop = threading.Event()
        self.editors = [Editor(self, number) for number in range(EDITORS)]

    def __enter__(self) -> Traffic:
        for editor in self.editors:
            editor.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for editor in self.editors:
            editor.thread.join(PATIENCE)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def is_over(self) -> bool:
        return self._stop.is_set()

    def wait(self, actions: int = ACTIONS_A_STEP) -> None:
        wanted = self.total + actions
        give_up = time.monotonic() + PATIENCE
        while self.total < wanted and not self.failures:
            assert time.monotonic() < give_up, "the editors stand still"
            time.sleep(0.05)
        assert self.failures == []

    def deploy(self, step: str) -> None:
        for host in self.site.hosts:
            host.deploy(step)
            self.wait()


class Editor:
    """Somebody whose stories nobody else changes; the names of the files are everybody's."""

    def __init__(self, traffic: Traffic, number: int) -> None:
        from visitor import Visitor

        self.thread = threading.Thread(target=self._work)
        self.traffic = traffic
        self.rng = random.Random(number)  # noqa: S311 - contents, not keys
        self.visitor = Visitor("")
        #: Stories by number: the files by the handle that the page gives them.
        self.stories: Dict[str, Dict[str, Tuple[str, str, bytes]]] = {}

    def _work(self) -> None:
        hosts = [host.address for host in self.traffic.site.hosts]
        while not self.traffic.is_over:
            hosts.reverse()
            self.visitor.site = hosts[0]
            choices = ["file", "attach", "attach", "replace", "read", "read", "detach", "delete"]
            action = self.rng.choice(choices) if len(self.stories) > 1 else "file"
            try:
                getattr(self, f"_{action}")()
            except Exception as error:
                said = f"{action} at {hosts[0]}: {type(error).__name__}: {error}"
                self.traffic.failures.append(said)
                return
            with self.traffic.lock:
                self.traffic.counts[action] += 1

    def _kit(self) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as kit:
            kit.writestr("picture.bin", self.rng.getrandbits(8 * 5000).to_bytes(5000, "big"))
        return made.getvalue()

    def _text(self) -> bytes:
        return b"".join(b"%d\n" % self.rng.getrandbits(60) for _ in range(50))

    def _keep(self, shown: Any, content: bytes) -> Tuple[str, str, bytes]:
        module = shown.module.rpartition("-")[0]
        name = shown.key.partition("/")[2] if module == "kits" else shown.key
        with self.traffic.lock:
            files = self.traffic.files[module]
            assert name not in files, f"{module}: {name} was given to two"
            files[name] = content
        return module, name, content

    def _forget(self, files: List[Tuple[str, str, bytes]]) -> None:
        # Before the request: somebody else may get the name while it is answered.
        with self.traffic.lock:
            for module, name, _ in files:
                del self.traffic.files[module][name]

    def _file(self) -> None:
        kit = self._kit()
        fields = {"headline": "Under way", "standfirst": "It moves."}
        given = {"image": ("harbour.jpg", picture()), "kit": ("kit.zip", kit)}
        shown = self.visitor.upload("/", fields, given)
        pk = shown["kit"].handle.split("-")[1]
        self.stories[pk] = {shown["kit"].handle: self._keep(shown["kit"], kit)}

    def _attach(self) -> None:
        pk, content = self.rng.choice(sorted(self.stories)), self._text()
        given = {"attachment": ("notes.txt", content)}
        shown = self.visitor.upload(f"/stories/{pk}/", {}, given)["attachment"]
        self.stories[pk][shown.handle] = self._keep(shown, content)

    def _replace(self) -> None:
        # The site keeps the file that was replaced.
        pk, kit = self.rng.choice(sorted(self.stories)), self._kit()
        page = self.visitor.read(f"/stories/{pk}/")
        fields = {"kit": ("kit.zip", kit), "csrfmiddlewaretoken": page.token}
        answer = self.visitor._ask("POST", page.url, fields=fields)
        assert answer.status == 302, answer.status
        shown = self.visitor.read(f"/stories/{pk}/").files[f"article-{pk}-kit"]
        self.stories[pk][shown.handle] = self._keep(shown, kit)

    def _read(self) -> None:
        self.check(self.rng.choice(sorted(self.stories)))

    def check(self, pk: str) -> None:
        """Every file of a story is there, as it was uploaded."""
        shown = self.visitor.read(f"/stories/{pk}/").files
        assert set(shown) == {f"article-{pk}-image", *self.stories[pk]}
        for handle, (module, name, content) in self.stories[pk].items():
            assert self.visitor.fetch(shown[handle].url) == (200, content), f"{module}: {name}"

    def _detach(self) -> None:
        pk = self.rng.choice(sorted(self.stories))
        handles = [each for each in self.stories[pk] if each.startswith("attachment-")]
        if handles:
            self._delete_row("attachment", handles[0].split("-")[1], pk, handles[:1])
            assert handles[0] not in self.visitor.read(f"/stories/{pk}/").files

    def _delete(self) -> None:
        pk = self.rng.choice(sorted(self.stories))
        self._delete_row("article", pk, pk, list(self.stories[pk]))
        del self.stories[pk]
        assert self.visitor._ask("GET", f"{self.visitor.site}stories/{pk}/").status == 404

    def _delete_row(self, kind: str, pk: str, story: str, handles: List[str]) -> None:
        self._forget([self.stories[story].pop(handle) for handle in handles])
        if kind == "article":
            self.stories[story] = {}
        answer = confirm(self.visitor, f"/delete/{kind}/{pk}/")
        assert answer.status == 302
        page = self.visitor._ask("GET", self.visitor.site).data.decode()
        assert "not all of its files" not in page


@pytest.fixture
def site(tmp_path: Path, ceph: Any, azurite: Any) -> Iterator[Site]:
    if Redis.missing() and not os.environ.get("REQUIRE_REAL_S3"):
        pytest.skip(f"Redis is not installed: {Redis.missing()}")
    environment = site_environment(tmp_path, **environment_of(ceph))
    environment["PYTHONPATH"] = os.pathsep.join([str(EXAMPLE), environment["PYTHONPATH"]])
    environment.update(
        AZURE_CONNECTION_STRING=azurite.connection_string,
        DJANGO_SETTINGS_MODULE="tests.example.moving_settings",
        MOVING_CACHE=ask_for("redis").url,
        PRESS_DEBUG="0",
    )
    made = Site(tmp_path, environment)
    made.manage("buckets", "create", "--no-versioning")
    made.manage("migrate")
    made.start()
    yield made
    made.stop()


def copy_until_equal(traffic: Traffic, source: str, target: str) -> None:
    for module in MOVING:
        ends = f"{module}-{source}", f"{module}-{target}"
        before = traffic.total
        traffic.site.manage("buckets", "copy", *ends, "--delete")
        assert traffic.total > before, "nobody worked while the files were copied"
        # What is saved or deleted at this very moment may differ; a real difference stays.
        for _ in range(5):
            code, said = traffic.site.manage("buckets", "verify", *ends, may_fail=True)
            if code == 0:
                break
        assert code == 0, said


def put_backlog(ceph: Any, site: Site) -> Dict[str, bytes]:
    """Files from before, which nobody touches."""
    backlog = {f"2025/{number}.zip": b"%d" % number * 500 for number in range(BACKLOG)}
    for name, content in backlog.items():
        ceph.client().put_object(Bucket=site.kits, Key=f"kits/{name}", Body=content)
    return backlog


def test_a_live_site_moves_to_azure_and_back_and_no_upload_is_refused(
    site: Site, ceph: Any
) -> None:
    backlog = put_backlog(ceph, site)
    with Traffic(site) as traffic:
        traffic.files["kits"].update(backlog)
        traffic.wait()
        for there, other in (("s3", "azure"), ("azure", "s3")):
            traffic.deploy(f"{there}, mirrored in {other}")
            copy_until_equal(traffic, there, other)
            traffic.wait()
            traffic.deploy(f"{other}, mirrored in {there}")
            traffic.deploy(other)
            traffic.wait()
    assert traffic.failures == []
    for editor in traffic.editors:
        for pk in editor.stories:
            editor.check(pk)
    # Nothing else either: what was deleted has not come back.
    found = site.contents("s3")
    for module, files in traffic.files.items():
        expected = {name: sha256(content).hexdigest() for name, content in files.items()}
        assert found[module] == expected
    assert min(traffic.counts[each] for each in ("file", "attach", "replace", "delete")) > 5
