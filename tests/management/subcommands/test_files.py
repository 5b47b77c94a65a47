"""ls, cat, cp, rm and url, on what ``module:path`` names."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Dict

import pytest

from smart_storages.management import files
from smart_storages.storages.lookup import get_storage
from tests.conftest import Bucket
from tests.management.calls import call

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def bucket(s3_bucket: Bucket, s3_settings: Any) -> Bucket:
    provider = {"provider": s3_bucket.server.name}
    s3_settings.SMART_STORAGE_BUCKETS = {
        "media": {"location": "m/", **provider},
        "archive": {"location": "", "file_overwrite": True, **provider},
    }
    for key in ("m/a.txt", "m/2024/b.txt", "m/2024/c/d.txt", "m/2024/", "mother.txt"):
        s3_bucket.put(key, f"content of {key}".encode() if key[-1] != "/" else b"")
    return s3_bucket


def names(*arguments: str) -> Dict[str, Any]:
    answer = call("ls", *arguments, "--json")
    assert answer.code == 0, answer
    return {each["name"]: each["size"] for each in answer.json}


def test_a_folder_is_listed_without_what_is_in_its_folders() -> None:
    assert names("media") == names("media:") == {"2024/": None, "a.txt": 18}
    assert names("media:2024") == names("media:2024/") == {"c/": None, "b.txt": 23}
    assert names("media:a.txt") == {"a.txt": 18}
    assert {"m/", "mother.txt"} == {*names("archive")}
    lines = call("ls", "media").out.splitlines()
    assert lines[0].strip() == "2024/"
    assert lines[1].endswith("        18 B a.txt")


def test_everything_is_listed_if_asked_for() -> None:
    assert {*names("media", "-r")} == {"a.txt", "2024/b.txt", "2024/c/d.txt"}
    assert {*names("media:2024", "--recursive")} == {"b.txt", "c/d.txt"}


def test_what_is_not_there_is_a_failure() -> None:
    for arguments, code in [
        (("ls", "media:missing"), 1),
        (("cat", "media:missing"), 1),
        (("cp", "media:missing", "archive:x"), 1),
        (("cp", "./missing", "archive:x"), 1),
        (("rm", "media:missing"), 1),
        (("rm", "media:2024"), 1),
        (("rm", "media:"), 2),
        (("cp", "./a", "./b"), 2),
        (("ls", "nothing"), 2),
        (("url", "media:a.txt", "--expire", "9999999"), 2),
        (("cat", "media:../archive/a.txt"), 1),
        (("ls", "media:../archive"), 1),
        (("rm", "media:../archive/a.txt"), 1),
        (("cp", "media:a.txt", "media:../archive/a.txt"), 1),
        (("url", "media:../archive/a.txt"), 1),
    ]:
        answer = call(*arguments)
        assert (answer.code, answer.out) == (code, ""), arguments
        assert answer.err


def test_cat_writes_the_bytes() -> None:
    answer = call("cat", "media:a.txt", "media:2024/b.txt")
    assert answer.out == "content of m/a.txtcontent of m/2024/b.txt"
    (told,) = call("cat", "media:a.txt", "--json").json
    assert (told["name"], told["size"]) == ("media:a.txt", 18)


def test_url_gives_what_the_storage_gives() -> None:
    answer = call("url", "media:a.txt", "--expire", "60")
    with urllib.request.urlopen(answer.out.strip()) as read:
        assert read.read() == b"content of m/a.txt"
    (told,) = call("url", "media:a.txt", "--json").json
    assert told["url"].startswith("http")


def test_files_are_copied_between_modules(bucket: Bucket) -> None:
    answer = call("cp", "media:a.txt", "archive:kept/")
    assert answer.out == "media:a.txt -> archive:kept/a.txt\n"
    assert call("cp", "media:a.txt", "archive:b.txt").code == 0
    assert call("cp", "media:2024", "archive:all", "-r").code == 0
    for key in ("kept/a.txt", "b.txt", "all/b.txt", "all/c/d.txt"):
        assert bucket.get(key).startswith(b"content of m/"), key


def test_files_come_from_and_go_to_this_machine(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("cp", "media:a.txt", "./here.txt").code == 0
    assert Path("here.txt").read_bytes() == b"content of m/a.txt"
    assert Path("here.txt").stat().st_mode & 0o777 == 0o666 & ~files._umask()
    assert call("cp", "media:2024", "./tree/", "-r").code == 0
    assert Path("tree/c/d.txt").read_bytes() == b"content of m/2024/c/d.txt"
    assert call("cp", "./here.txt", "media:").code == 0
    assert bucket.get("m/here.txt") == b"content of m/a.txt"
    assert call("cp", "./tree", "media:up", "-r").code == 0
    assert bucket.get("m/up/c/d.txt") == b"content of m/2024/c/d.txt"
    assert call("cp", "./tree", "media:up").code == 2


def test_an_interrupted_download_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(source: Any, written: Any, size: int) -> None:
        written.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(files.shutil, "copyfileobj", interrupted)
    answer = call("cp", "media:a.txt", str(tmp_path / "a.txt"))
    assert answer.code == 130
    assert "0 of 1 were copied" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_one_file_is_deleted_without_a_question(bucket: Bucket) -> None:
    assert call("rm", "media:a.txt").out == "media:a.txt deleted\n"
    left = bucket.keys()
    assert "m/a.txt" not in left


def test_many_files_are_deleted_only_after_a_question(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = bucket.keys()
    # Nobody there to be asked.
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    answer = call("rm", "media:2024", "-r")
    assert (answer.code, "give --no-input" in answer.err) == (2, True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    questions = []

    def say(answer: str) -> None:
        monkeypatch.setattr("builtins.input", lambda text: questions.append(text) or answer)

    say("")
    answer = call("rm", "media:2024", "-r")
    assert (answer.code, answer.err) == (1, "Nothing was deleted.\n")
    assert questions == ["Delete 2 files of media:2024? [y/N] "]
    assert call("rm", "media:2024", "-r", "--dry-run").out.endswith("2 files would be deleted.\n")
    assert bucket.keys() == everything
    say("y")
    assert call("rm", "media:2024", "-r").out == "2 files deleted.\n"
    assert call("rm", "archive:", "-r", "--no-input").code == 0
    left = bucket.keys()
    assert [key for key in left if not key.endswith("/")] == []


def test_an_interrupted_deletion_says_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(names: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(get_storage("media"), "delete_many", interrupted)
    answer = call("rm", "media:2024", "-r", "--no-input")
    assert answer.code == 130
    assert "At least 0 of 2 were deleted" in answer.err


@pytest.mark.parametrize("s3_server", ["moto"], indirect=True)
def test_a_reader_that_has_seen_enough_is_no_error(bucket: Bucket) -> None:
    bucket.put("m/large.bin", os.urandom(3_000_000))
    code = f"""
import sys
from django.conf import settings
settings.configure(INSTALLED_APPS=["smart_storages"], **{bucket.server.django_settings()!r},
                   SMART_STORAGE_BUCKETS={{"media": {{"bucket_name": {bucket.name!r},
                                                    "location": "m/"}}}})
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "buckets", "cat", "media:large.bin"])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert len(process.stdout.read(10)) == 10
    process.stdout.close()
    told = process.stderr.read()  # on Python 3.8 cryptography warns of its age
    assert b"Error" not in told
    assert b"Traceback" not in told
    assert process.wait() == 0
