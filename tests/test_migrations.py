"""Fields with our storages survive makemigrations, in a project and processes of their own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import django
import pytest

from tests.network_trap import CAUGHT, set_trap

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["smart_storages", "press"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AWS_STORAGE_BUCKET_NAME = "acme"
SMART_STORAGE_BUCKETS = {
    "pii": {"bucket_name": "pii", "access_key": "hunter2-key", "secret_key": "hunter2-secret"},
}
"""

MODELS = """
from django.db import models
from smart_storages import DocumentStorage, MediaStorage, SmartS3Storage
from smart_storages.utils import create_storage_class, get_storage

TenantStorage = create_storage_class("tenant_x", default_acl="private")
OwnBase = create_storage_class("papers", base=DocumentStorage, location="p")
Secret = create_storage_class("secret", access_key="hunter2-key", secret_key="hunter2-secret")

class PressStorage(SmartS3Storage):
    module_name = "press"

def choose():
    return get_storage("pii")

class Article(models.Model):
    a = models.FileField(storage=MediaStorage())
    b = models.FileField(storage=DocumentStorage(querystring_expire=60))
    c = models.FileField(storage=TenantStorage())
    d = models.FileField(storage=TenantStorage(location="d"))
    e = models.FileField(storage=OwnBase())
    f = models.FileField(storage=SmartS3Storage(module_name="pii"))
    g = models.FileField(storage=SmartS3Storage("x", access_key="hunter2", secret_key="hunter2"))
    h = models.FileField(storage=Secret())
    i = models.FileField(storage=PressStorage())
    j = models.FileField(storage=choose)
    k = models.FileField(storage=get_storage("reports"))
"""

CLASSES = """
    l = models.FileField(storage=MediaStorage)
    m = models.FileField(storage=TenantStorage)
    n = models.FileField(storage=OwnBase)
"""


@pytest.fixture
def project(tmp_path):
    package = tmp_path / "press"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    tmp_path.joinpath("press_settings.py").write_text(SETTINGS)
    return tmp_path


def manage(project, *arguments, **environment):
    return run(project, "-m", "django", *arguments, **environment)


def run(project, *arguments, **environment):
    root = Path(__file__).parents[1]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={
            "PATH": "",
            "PYTHONPATH": f"{project}:{root}",
            "DJANGO_SETTINGS_MODULE": "press_settings",
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_a_migration_can_be_written_imported_run_and_is_complete(project):
    project.joinpath("press", "models.py").write_text(textwrap.dedent(MODELS))
    made = manage(project, "makemigrations", "press")
    assert made.returncode == 0, made.stdout
    text = project.joinpath("press", "migrations", "0001_initial.py").read_text()
    assert "hunter2" not in text
    assert "smart_storages.storages.MediaStorage()" in text
    assert "smart_storages.utils.create_storage('tenant_x', {'default_acl': 'private'})" in text
    again = manage(project, "makemigrations", "--check", "--dry-run", "press")
    assert again.returncode == 0, again.stdout
    migrated = manage(project, "migrate")
    assert migrated.returncode == 0, migrated.stdout


@pytest.mark.slow
def test_a_class_given_as_a_callable_is_written_so_that_it_is_found_again(project):
    if django.VERSION < (4, 0):
        pytest.skip("Django 3.2 writes a class by its bare name; give it an instance")
    project.joinpath("press", "models.py").write_text(textwrap.dedent(MODELS + CLASSES))
    made = manage(project, "makemigrations", "press")
    assert made.returncode == 0, made.stdout
    text = project.joinpath("press", "migrations", "0001_initial.py").read_text()
    assert "smart_storages.utils.create_storage_class('tenant_x', default_acl='private')" in text
    again = manage(project, "makemigrations", "--check", "--dry-run", "press")
    assert again.returncode == 0, again.stdout
    migrated = manage(project, "migrate")
    assert migrated.returncode == 0, migrated.stdout


def test_a_class_with_credentials_is_refused_before_anything_is_written(project):
    secret = "    o = models.FileField(storage=Secret)\n"
    project.joinpath("press", "models.py").write_text(textwrap.dedent(MODELS + secret))
    made = manage(project, "makemigrations", "press")
    if django.VERSION < (4, 0):
        pytest.skip("Django 3.2 writes a class by its bare name; give it an instance")
    assert made.returncode != 0
    assert "SMART_STORAGE_BUCKETS['secret']" in made.stdout
    assert "hunter2" not in made.stdout
    assert not list(project.glob("press/migrations/0*.py"))


@pytest.mark.slow
def test_no_command_asks_for_credentials_or_the_network(project):
    trap = set_trap(project)
    project.joinpath("press", "models.py").write_text(textwrap.dedent(MODELS))
    for command in (
        ("check",),
        ("check", "--deploy"),
        ("makemigrations", "press"),
        ("makemigrations", "--check", "--dry-run"),
        ("sqlmigrate", "press", "0001"),
        ("migrate",),
    ):
        done = manage(project, *command, **trap)
        assert done.returncode == 0, done.stdout
        assert "hunter2" not in done.stdout


ALL_APPS = """
from press_settings import *
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.messages", "django.contrib.sessions",
    "smart_storages", "smart_storages.queued",
]
"""

MAKE_ALL = """
import importlib, pickle, pkgutil
import django
django.setup()
import smart_storages
from django.core.files.storage import FileSystemStorage
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.fallback import FallbackStorage
from smart_storages.mirror import MirrorStorage
from smart_storages.queued.backends import QueuedStorage
from smart_storages.resolvers import ByExtension
from smart_storages.storages import *
from smart_storages.utils import create_storage_class, get_storage
from smart_storages.wrappers import ReadOnlyStorage, ScopedStorage

for module in pkgutil.walk_packages(smart_storages.__path__, "smart_storages."):
    importlib.import_module(module.name)

disk = FileSystemStorage("disk")
storages = [
    SmartS3Storage(), MediaStorage(), StaticStorage(), DocumentStorage(), PrivateStorage(),
    PublicStorage(), SmartS3Storage("pii"), SmartS3Storage(session_profile="default"),
    SmartS3Storage(role_arn="arn:aws:iam::123456789012:role/press"),
    create_storage_class("tenant_x")(), get_storage("pii"),
    FallbackStorage([MediaStorage(), disk]), MirrorStorage(MediaStorage(), [get_storage("pii")]),
    StorageDispatcher(ByExtension({"pdf": "pii"}, default="media")),
    ReadOnlyStorage("pii"), ScopedStorage("pii", "a"), QueuedStorage("disk", "pii"),
]
for storage in storages:
    for text in (repr(storage), str(storage)):
        assert "hunter2" not in text, text
    pickled = pickle.dumps(storage)
    assert b"hunter2" not in pickled
    assert type(pickle.loads(pickled)) is type(storage), storage
print("made", len(storages))
"""


def test_importing_making_showing_and_pickling_ask_for_neither(project):
    project.joinpath("all_settings.py").write_text(ALL_APPS)
    project.joinpath("make_all.py").write_text(MAKE_ALL)
    done = run(project, "make_all.py", DJANGO_SETTINGS_MODULE="all_settings", **set_trap(project))
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("made 17\n")


ASKING = """
from smart_storages import MediaStorage
MediaStorage(endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b").exists("a")
"""


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "from smart_storages import MediaStorage; MediaStorage().client",
        ASKING,
    ],
)
def test_the_trap_catches(project, code):
    project.joinpath("asking.py").write_text(f"import django\ndjango.setup()\n{code}\n")
    assert run(project, "asking.py", **set_trap(project)).returncode == CAUGHT
