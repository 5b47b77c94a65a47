"""What every test can ask for: S3 servers, buckets, settings, and a count of real requests."""

from __future__ import annotations

import gc
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, ContextManager, Dict, Iterable, Iterator, List, Optional, Tuple
from zlib import crc32

import botocore.retryhandler
import botocore.session
import hypothesis
import pytest
from django.contrib.auth import apps as auth_apps
from django.core.checks import Tags
from django.core.files.storage import FileSystemStorage
from django.db.models.signals import post_migrate
from django.dispatch import Signal
from django.test import override_settings

from smart_storages import utils
from smart_storages.common import on_loop
from smart_storages.signals import storage_operation
from smart_storages.storages import smart
from tests.servers import CephGateway, CephUnavailableError, Exchange, S3Proxy, S3Server
from tests.servers.azurite import INSTALL as AZURITE_INSTALL
from tests.servers.azurite import Azurite, azurite_program
from tests.servers.ceph import INSTALL, missing_programs
from tests.servers.gcs import INSTALL as GCS_INSTALL
from tests.servers.gcs import GoogleStorage, gcs_program
from tests.servers.keeper import JOIN, Keeper, ask_for
from tests.servers.sshd import INSTALL as SSHD_INSTALL
from tests.servers.sshd import Sshd, sshd_program

REQUIRE_REAL_S3 = os.environ.get("REQUIRE_REAL_S3", "") not in ("", "0")


def _isolate_environment() -> None:
    """Nothing of the machine's accounts of AWS and Google may reach a test, nor a test reach one.

    Runs when this file is imported: processes that tests start inherit it.
    """
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_")) or name in (
            "BOTO_CONFIG",
            "S3_ENDPOINT_URL",
            "STORAGE_EMULATOR_HOST",
        ):
            del os.environ[name]
    nowhere = str(Path(tempfile.gettempdir()) / "no-such-aws-configuration")
    os.environ["AWS_CONFIG_FILE"] = nowhere
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = nowhere
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["CLOUDSDK_CONFIG"] = nowhere
    os.environ["NO_GCE_CHECK"] = "true"
    # A proxy of the machine's must not be asked for servers on loopback.
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(
            filter(None, [os.environ.get(name), "127.0.0.1", "localhost", ".localhost"])
        )


_isolate_environment()


# The suite starts hundreds of Python processes, and each would compile every module anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


#: How many created classes may live on after a test.
_MOST = 100
#: Those that the modules of tests have created.
_classes_of_modules: Dict[Any, Any] = {}

# While tests are collected, nearly all that is made stays: `pytest_collection_finish` turns it on.
gc.disable()


# Most of what a session of botocore costs is reading the description of S3, 65 of 77 ms. Tests make
# thousands of sessions.
botocore.session.create_loader = lru_cache(maxsize=None)(botocore.session.create_loader)


# Between two tries, clients wait up to 1, 2, 4 seconds, which helps no server on loopback. Tests
# wait a twentieth of it; those of the pauses themselves take the fixture `pauses`.
_delay = botocore.retryhandler.delay_exponential
botocore.retryhandler.delay_exponential = lambda **how: _delay(**how) / 20
on_loop.sleep = lambda seconds: time.sleep(seconds / 20)


# How the suite runs, on one process or on many

#: Names the change in the environment of tests that mutmut runs.
MUTANT = "MUTANT_UNDER_TEST"

#: As in `.ci/run`: draw all examples of property tests, and run what takes an S3 server against
#: moto and Ceph. Else draw a tenth of the examples, but not few, and use Ceph alone if it is there.
THOROUGH = os.environ.get("THOROUGH", "") not in ("", "0")


_SUPPRESSED = [hypothesis.HealthCheck.too_slow]
if MUTANT in os.environ:
    # It runs a test again and again within a process.
    _SUPPRESSED.append(hypothesis.HealthCheck.differing_executors)


def examples(most: int) -> hypothesis.settings:
    """Settings of a property test that draws ``most`` examples where the run is thorough."""
    # The machine may be busy: no example fails for the time it took.
    return hypothesis.settings(
        max_examples=most if THOROUGH else max(most // 10, min(most, 15)),
        deadline=None,
        suppress_health_check=_SUPPRESSED,
    )


#: What a failing example does not go through where mutmut runs the tests: to be made smaller takes
#: a minute, and nobody reads it.
_PHASES = set(hypothesis.Phase) - ({hypothesis.Phase.shrink} if MUTANT in os.environ else set())
hypothesis.settings.register_profile("suite", examples(100), phases=_PHASES)
hypothesis.settings.load_profile("suite")

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def shown(value: Any) -> str:
    """The id of a parameter by its ``repr``, without an address: processes compare ids."""
    return _ADDRESS.sub("", repr(value))


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    has_real = not missing_programs() or REQUIRE_REAL_S3
    wants_real = "not real_s3" not in config.getoption("markexpr")
    other = "moto" if has_real and wants_real else "ceph"
    once = {_regardless_of_server(item) for item in items if _server_of(item) not in ("", other)}
    dropped = [
        item
        for item in items
        if _server_of(item) == other
        and (
            item.get_closest_marker("one_server")
            # Where Ceph is missing its tests stay: they are skipped, and the summary says so.
            or (other == "moto" and not THOROUGH and _regardless_of_server(item) in once)
        )
    ]
    if not THOROUGH:
        dropped += _not_sampled(set(items) - set(dropped))
    config.hook.pytest_deselected(items=dropped)
    gone = set(dropped)
    items[:] = [item for item in items if item not in gone]
    for item in items:
        if _ADDRESS.search(item.nodeid):
            raise pytest.UsageError(
                f"{item.nodeid}: the id holds an address, which differs in each process. "
                "Give its parametrize ids=shown, from tests/conftest.py."
            )


def _not_sampled(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The cases that the marker ``sampled`` leaves out: the same ones in each process and run."""
    tests: Dict[str, List[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        (one_of,) = cases[0].get_closest_marker("sampled").args
        cases.sort(key=lambda item: crc32(item.nodeid.encode()))
        yield from cases[-(-len(cases) // one_of) :]


def pytest_collection_finish() -> None:
    # A process of the suite holds a million objects that stay: the tests, and all of Django. Every
    # garbage collection went through them, and many tests ask for one.
    gc.collect()
    gc.freeze()
    gc.enable()
    _classes_of_modules.update(utils._classes)


def pytest_sessionfinish() -> None:
    # pytest collects garbage five times before a process ends, to report what fails only then.
    # Once is enough.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    # Each storage that lives looks its settings up at every change of one, and those that a test
    # has left somewhere live on: 60 of them took a tenth of the time of the suite.
    before = list(smart._instances)
    result = yield
    smart._instances.clear()
    smart._instances.update(before)
    return result


def pytest_runtest_teardown() -> None:
    # A setting that changes is read again by each storage that lives, and a check makes one of each
    # class that was created. A test of all values of all options leaves thousands.
    if len(utils._classes) > len(_classes_of_modules) + _MOST:
        utils._classes.clear()
        utils._classes.update(_classes_of_modules)


def _server_of(item: pytest.Item) -> str:
    """The S3 server that a test runs against, empty if it takes none in turn."""
    call = getattr(item, "callspec", None)
    return str(call.params.get("s3_server", "")) if call else ""


def _regardless_of_server(item: pytest.Item) -> Tuple[str, ...]:
    """The same for a test against moto and against Ceph."""
    name, _, parameters = item.nodeid.partition("[")
    rest = parameters.rstrip("]").split("-")
    if _server_of(item) in rest:
        rest.remove(_server_of(item))
    return (name, *rest)


_keeper = Keeper()


def is_first_process(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput") and JOIN not in os.environ


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What ``-n auto`` means: many tests wait, for a server or a process, so two for each core."""
    cores = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    return 2 * len(cores)


def pytest_configure(config: pytest.Config) -> None:
    if is_first_process(config):
        _keeper.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if is_first_process(config):
        _keeper.stop()


def _no_permissions(**kwargs: Any) -> None:
    """Stands in for Django's ``create_permissions`` while tests empty the database."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """The database is there; a flush after a test need not make Django's permissions again."""
    uid = "django.contrib.auth.management.create_permissions"
    # mutmut runs the tests several times in a process.
    assert post_migrate.disconnect(dispatch_uid=uid) or MUTANT in os.environ
    # A test that changes INSTALLED_APPS connects again what stands here.
    auth_apps.create_permissions = _no_permissions


# Servers, one of each for the whole run


@pytest.fixture(scope="session")
def moto_server() -> S3Server:
    """moto's S3 mock over HTTP, in a process of its own. Checks no signatures."""
    server: S3Server = ask_for("moto").server
    return server


@pytest.fixture(scope="session")
def ceph_gateway() -> CephGateway:
    """The running `CephGateway`, for ``create_user``. Skips where Ceph is not installed."""
    if missing_programs() and not REQUIRE_REAL_S3:
        pytest.skip(f"Ceph is not installed (lacks {missing_programs()}): {INSTALL}")
    try:
        gateway: CephGateway = ask_for("ceph")
    except CephUnavailableError as error:
        pytest.fail(f"REQUIRE_REAL_S3={REQUIRE_REAL_S3:d}: {error}", pytrace=False)
    return gateway


@pytest.fixture(scope="session")
def ceph(ceph_gateway: CephGateway) -> S3Server:
    """Ceph's S3 gateway: enforces signatures, policies, ACLs and conditions.

    Skips where Ceph is not installed; with ``REQUIRE_REAL_S3=1`` that is a failure.
    """
    return ceph_gateway.server


@pytest.fixture(scope="session")
def azurite() -> Azurite:
    """Azurite, a server of Azure's blobs; skips where it is not installed."""
    if azurite_program() is None and not REQUIRE_REAL_S3:
        pytest.skip(f"Azurite is not installed: {AZURITE_INSTALL}")
    server: Azurite = ask_for("azurite")
    return server


@pytest.fixture(scope="session")
def sshd() -> Sshd:
    """OpenSSH's server, for SFTP; skips where it is not installed."""
    if sshd_program() is None and not REQUIRE_REAL_S3:
        pytest.skip(f"OpenSSH's server is not installed: {SSHD_INSTALL}")
    server: Sshd = ask_for("sshd")
    return server


@pytest.fixture(scope="session")
def gcs() -> GoogleStorage:
    """A server of Google Cloud Storage; skips where it is not installed."""
    if gcs_program() is None and not REQUIRE_REAL_S3:
        pytest.skip(f"fake-gcs-server is not installed: {GCS_INSTALL}")
    server: GoogleStorage = ask_for("gcs")
    return server


@pytest.fixture(params=["moto", pytest.param("ceph", marks=pytest.mark.real_s3)])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each S3 server in turn: a test that takes this runs against moto and against Ceph."""
    name = {"moto": "moto_server", "ceph": "ceph"}[request.param]
    server: S3Server = request.getfixturevalue(name)
    return server


# A bucket, and Django settings that lead to it


@dataclass(frozen=True)
class Bucket:
    """A bucket of the test's own. ``client`` is plain boto3, to prepare and to judge with."""

    name: str
    server: S3Server
    client: Any

    @property
    def endpoint_url(self) -> str:
        return self.server.endpoint_url

    @property
    def access_key(self) -> str:
        return self.server.access_key

    @property
    def secret_key(self) -> str:
        return self.server.secret_key

    @property
    def region_name(self) -> str:
        return self.server.region_name

    def put(self, key: str, body: bytes, **arguments: Any) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body, **arguments)

    def get(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def keys(self, prefix: str = "") -> List[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def open_uploads(self) -> List[str]:
        """Keys of the multipart uploads that were neither completed nor aborted."""
        answer = self.client.list_multipart_uploads(Bucket=self.name)
        return [upload["Key"] for upload in answer.get("Uploads", [])]


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> Bucket:
    """A fresh bucket on each S3 server in turn."""
    name = s3_server.create_bucket()
    return Bucket(name, s3_server, s3_server.client())


@pytest.fixture
def moto_bucket(moto_server: S3Server) -> Bucket:
    """A fresh bucket on moto, where a second server would show nothing new."""
    name = moto_server.create_bucket()
    return Bucket(name, moto_server, moto_server.client())


def lead_to(settings: Any, server: S3Server, bucket: Optional[str] = None) -> None:
    """Put the ``AWS_*`` settings of a server and bucket in force until the test ends.

    At once, and not by ``setattr`` one after the other: that lays seven layers over the settings,
    and every look at a setting of Django goes through them all.
    """
    values = server.django_settings()
    if bucket is not None:
        values["AWS_STORAGE_BUCKET_NAME"] = bucket
    override = override_settings(**values)
    override.enable()
    settings._to_restore.append(override)  # as pytest-django's own setattr does


@pytest.fixture
def s3_settings(settings: Any, s3_bucket: Bucket) -> Any:
    """pytest-django's ``settings`` with the ``AWS_*`` settings of `s3_bucket` in force."""
    lead_to(settings, s3_bucket.server, s3_bucket.name)
    return settings


@pytest.fixture
def make_storage(s3_bucket: Bucket, s3_settings: Any) -> Callable[..., Any]:
    """Makes storages of the module ``media`` that keep their files in `s3_bucket`."""
    from smart_storages.storages import SmartS3Storage

    def make(**options: Any) -> SmartS3Storage:
        options.setdefault("provider", s3_bucket.server.name)
        return SmartS3Storage(module_name="media", **options)

    return make


# Disks


@pytest.fixture
def disk(tmp_path: Path) -> Callable[[str], FileSystemStorage]:
    """Makes storages by label, each with a directory of its own."""

    def make(label: str) -> FileSystemStorage:
        (tmp_path / label).mkdir(exist_ok=True)
        return FileSystemStorage(str(tmp_path / label), base_url=f"/{label}/")

    return make


@pytest.fixture
def two(disk: Callable[[str], FileSystemStorage]) -> Tuple[FileSystemStorage, FileSystemStorage]:
    """Two of them, the first and the second that a fallback asks."""
    return disk("first"), disk("second")


# The wire


@pytest.fixture
def s3_proxy(s3_bucket: Bucket, s3_settings: Any) -> Iterator[S3Proxy]:
    """A recording proxy before the server of `s3_bucket`; the settings lead through it."""
    with S3Proxy(s3_bucket.endpoint_url) as proxy:
        s3_settings.AWS_S3_ENDPOINT_URL = proxy.endpoint_url
        yield proxy


@pytest.fixture
def count_requests(s3_proxy: S3Proxy) -> Callable[[], ContextManager[List[Exchange]]]:
    """Counts real HTTP requests of storages made with the settings in force.

    Example:
        with count_requests() as requests:
            storage.open("a.txt").read()
        assert [request.method for request in requests] == ["GET"]
    """
    return s3_proxy.recording


def methods(requests: Iterable[Exchange]) -> List[str]:
    """The HTTP methods of requests that were counted."""
    return [request.method for request in requests]


# Said aloud: a run without a real S3 server proves less


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "real_s3" in report.keywords
    ]
    if skipped:
        terminalreporter.write_sep(
            "!",
            f"{len(skipped)} tests against a real S3 server were SKIPPED: {INSTALL}",
            red=True,
            bold=True,
        )


@pytest.fixture
def django_s3_storage(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The older package, whose storages enter themselves into Django's checks and signals."""
    old = pytest.importorskip("django_s3_storage.storage")
    # Or each of them makes a client whenever a later test changes a setting.
    monkeypatch.setattr(old, "setting_changed", Signal())
    monkeypatch.setattr(old, "checks", SimpleNamespace(register=lambda *_: None, Tags=Tags))
    return old


@pytest.fixture(autouse=True)
def nobody_listens_to_operations() -> None:
    """The app of the monitoring listens from the start; a test that needs it connects it again."""
    storage_operation.disconnect(dispatch_uid="smart_storages.monitoring.noting.error")


@pytest.fixture(autouse=True)
def nothing_is_registered_for_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test, a page or a docstring has registered is not in the project of another test."""
    targets = sys.modules.get("smart_storages.uploads.targets")
    if targets is not None:
        monkeypatch.setattr(targets, "_uploaders", {})
