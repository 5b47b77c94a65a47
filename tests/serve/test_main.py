"""``python -m smart_storages.serve``: an S3 server with the buckets of a project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from smart_storages.storages import MediaStorage
from smart_storages.testing import override_buckets
from smart_storages.testing.s3_server import main, running

ROOT = Path(__file__).resolve().parents[2]

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["smart_storages"]
SMART_STORAGE_BUCKETS = {
    "media": {"bucket_name": "acme-media"},
    "tenant_*": {"bucket_name": "acme-{module}"},
    "reports": {"bucket_name": "acme-reports"},
    "drafts": {"backend": "memory"},
}
"""


@pytest.mark.slow
def test_it_has_the_buckets_of_the_settings_and_says_what_to_set(tmp_path):
    (tmp_path / "shop_settings.py").write_text(SETTINGS)
    command = [sys.executable, "-m", "smart_storages.serve", "--port", "0"]
    done = subprocess.run(
        [*command, "--settings", "shop_settings"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": ""},
        input="",  # its end is that of the server
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("http://127.0.0.1:")
    assert f'    AWS_S3_ENDPOINT_URL = "{lines[0]}"' in lines
    assert lines[-1] == "Its buckets: acme-media, acme-reports."


@pytest.mark.slow
def test_it_says_that_a_directory_keeps_the_files_of_all_modules(tmp_path):
    local = SETTINGS + f"SMART_STORAGE_LOCAL = {str(tmp_path)!r}\n"
    (tmp_path / "shop_settings.py").write_text(local)
    command = [sys.executable, "-m", "smart_storages.serve", "--port", "0"]
    done = subprocess.run(
        [*command, "--settings", "shop_settings"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": ""},
        input="",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "SMART_STORAGE_LOCAL keeps the files" in done.stdout.splitlines()[-1]


def test_it_goes_on_in_the_background_where_there_is_no_standard_input():
    with subprocess.Popen(
        [sys.executable, "-m", "smart_storages.serve", "--port", "0", "--no-buckets"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout.readline().startswith("http://")
            with pytest.raises(subprocess.TimeoutExpired):
                server.wait(timeout=1)
        finally:
            server.kill()


def test_a_test_uses_it_for_the_real_protocol():
    with running() as server, override_buckets("s3", **server.options):
        server.create_bucket("acme-media")
        storage = MediaStorage(bucket_name="acme-media")
        storage.save("a.txt", ContentFile(b"hello"))
        assert [each.key for each in storage.bucket.objects.all()] == ["media/a.txt"]
        assert storage.url("a.txt").startswith(f"{server.endpoint_url}/acme-media/media/a.txt?")


def test_without_moto_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "moto.server", None)
    assert main(["--port", "0"]) == 1
    assert "pip install 'django-smart-storages[demo]'" in capsys.readouterr().err


def test_a_server_that_does_not_start_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="did not start"), running():
        pass
