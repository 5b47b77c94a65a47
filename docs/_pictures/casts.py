"""The terminals: a project as a reader has it, and the commands that are run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

from docs._pictures import ROOT, terminal

_SETTINGS = """
INSTALLED_APPS += ["smart_storages", "stories"]
SMART_STORAGE_BUCKETS = {
    "media": {"bucket_name": "acme-media", "default_acl": "public-read"},
    "documents": {"bucket_name": "acme-docs"},
    "tenant_*": {"bucket_name": "acme-tenants", "location": "{module}/"},
}
"""
_MODELS = """
from django.db import models

from smart_storages.storages import DocumentStorage, MediaStorage


class Story(models.Model):
    headline = models.CharField(max_length=120)
    picture = models.FileField(storage=MediaStorage(), upload_to="stories")
    source = models.FileField(storage=DocumentStorage(), upload_to="stories", blank=True)
"""
_KEYS = """
AWS_S3_REGION_NAME = "eu-west-1"
AWS_S3_ACCESS_KEY_ID = "AKIAEXAMPLE"
AWS_S3_SECRET_ACCESS_KEY = "not-a-secret"
"""
#: Somebody has opened a private bucket by hand.
_OPENED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::acme-docs/*"],
        }
    ],
}

Parts = List[Tuple[str, List[terminal.Line]]]


@dataclass(frozen=True)
class Cast:
    """One terminal.

    Args:
        title: For those who do not see it.
        parts: Runs the commands; gives each with its lines.
        columns: Width of the terminal, in characters.
    """

    title: str
    parts: Callable[[Path, int], Parts]
    columns: int = 100

    def draw(self) -> str:
        """Run the commands and return the picture."""
        with tempfile.TemporaryDirectory() as folder:
            return terminal.draw(self.title, self.parts(Path(folder), self.columns), self.columns)


def plain_environment() -> Dict[str, str]:
    """Return the environment of a terminal in which this package is installed, and nothing set."""
    return {
        "HOME": os.devnull,  # nobody's ~/.aws
        "AWS_EC2_METADATA_DISABLED": "true",
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }


def _start_project(folder: Path, settings: str) -> None:
    for command in (["startproject", "mysite", "."], ["startapp", "stories"]):
        subprocess.run(
            [sys.executable, "-m", "django", *command],
            cwd=str(folder),
            env=plain_environment(),
            check=True,
        )
    (folder / "stories/models.py").write_text(_MODELS)
    with (folder / "mysite/settings.py").open("a") as file:
        file.write(_SETTINGS + settings)


def _manage(folder: Path, columns: int, arguments: str) -> Tuple[str, List[terminal.Line]]:
    command = [sys.executable, "manage.py", *arguments.split()]
    written = terminal.record(command, folder, plain_environment(), columns)
    return f"python manage.py {arguments}", terminal.lines_of(written, columns)


def _misspelt(folder: Path, columns: int) -> Parts:
    _start_project(folder, _KEYS)
    settings = folder / "mysite/settings.py"
    misspelt = settings.read_text().replace(
        '"bucket_name": "acme-docs"', '"buckt_name": "acme-docs"'
    )
    settings.write_text(misspelt)
    return [_manage(folder, columns, "check")]


def _listed(folder: Path, columns: int) -> Parts:
    _start_project(folder, _KEYS)
    return [
        _manage(folder, columns, "buckets list"),
        _manage(folder, columns, "buckets explain documents --set"),
    ]


@contextmanager
def _ceph(folder: Path) -> Iterator[None]:
    from tests.servers import CephGateway

    with CephGateway() as server:
        _start_project(
            folder,
            f'AWS_S3_ENDPOINT_URL = "{server.endpoint_url}"\n'
            f'AWS_S3_ACCESS_KEY_ID = "{server.access_key}"\n'
            f'AWS_S3_SECRET_ACCESS_KEY = "{server.secret_key}"\n'
            'SMART_STORAGE_PROVIDER = "ceph"\n',
        )
        subprocess.run(
            [sys.executable, "manage.py", "buckets", "create", "documents"],
            cwd=str(folder),
            env=plain_environment(),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        client = server.client()
        client.delete_public_access_block(Bucket="acme-docs")
        client.put_bucket_policy(Bucket="acme-docs", Policy=json.dumps(_OPENED))
        yield


def _checked(folder: Path, columns: int) -> Parts:
    with _ceph(folder):
        return [_manage(folder, columns, "buckets check documents")]


def _demo(folder: Path, columns: int) -> Parts:
    environment = {**plain_environment(), "PRESS_RUN_DIR": str(folder)}
    # As wide as its table; the picture has the first columns of it.
    command = [sys.executable, "example/demo.py"]
    written = terminal.record(command, ROOT, environment, columns=400)
    return [("make demo", terminal.lines_of(written, columns, crop=True))]


CASTS = {
    "check-misspelt.svg": Cast(
        "manage.py check finds a misspelt option, and says what was probably meant.", _misspelt, 84
    ),
    "buckets-list.svg": Cast(
        "manage.py buckets list shows every module with its bucket; buckets explain says where an "
        "option comes from.",
        _listed,
        92,
    ),
    "buckets-check.svg": Cast(
        "manage.py buckets check finds that a private bucket was opened, and says what closes it.",
        _checked,
    ),
    "demo.svg": Cast(
        "make demo uploads 25 files to 13 buckets and fetches each of them back.", _demo, 116
    ),
}
