"""A run has one server of each kind, and leaves nothing behind however it ends."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import psutil
import pytest

from tests.conftest import REQUIRE_REAL_S3, is_first_process
from tests.servers import S3Server, keeper
from tests.servers.queues import Redis
from tests.servers.test_servers import ROOT, wait_until

# A run of its own: a keeper, a server it started, a program of a test, and one that daemonised.
RUN = """
import json, os, subprocess, sys
from tests.servers.keeper import MARK, Keeper, ask_for
keeper = Keeper()
keeper.start()
server = ask_for("moto").server
program = [sys.executable, "-c", "import time; time.sleep(600)"]
stray = subprocess.Popen(program)
daemon = subprocess.Popen(program, start_new_session=True)
print(json.dumps([os.environ[MARK], stray.pid, daemon.pid]), flush=True)
sys.stdin.read()
keeper.stop()
"""


def marked(directory: str) -> List[int]:
    """The processes of a run that are still there."""
    found = []
    for process in psutil.process_iter(["environ", "status"]):
        environment: Dict[str, str] = process.info["environ"] or {}
        is_there = process.info["status"] != psutil.STATUS_ZOMBIE
        if is_there and environment.get(keeper.MARK) == directory:
            found.append(process.pid)
    return found


def test_another_process_of_the_run_gets_the_same_server(moto_server: S3Server) -> None:
    code = "from tests.servers.keeper import ask_for; print(ask_for('moto').server.endpoint_url)"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), stdout=subprocess.PIPE, check=True
    ).stdout
    assert printed.decode().strip() == moto_server.endpoint_url


@pytest.mark.slow
@pytest.mark.parametrize("end", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=str)
def test_nothing_is_left_of_a_run_however_it_ends(end: Any) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", RUN],
        cwd=str(ROOT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # What Ctrl-C reaches: a process group of its own.
        start_new_session=True,
    )
    assert child.stdout is not None
    directory, stray, daemon = json.loads(child.stdout.readline())
    assert {stray, daemon} < set(marked(directory))
    if end is not None:
        os.killpg(child.pid, end)
    child.communicate()
    wait_until(lambda: not marked(directory))
    wait_until(lambda: not Path(directory).exists())


def test_a_server_that_does_not_start_says_why_to_all_who_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = []

    class Broken:
        def start(self) -> None:
            started.append(self)
            raise OSError("no room")

    monkeypatch.setattr(keeper, "KINDS", {"broken": Broken})
    servers = keeper._Servers()
    answers = [servers.give("broken") for _ in range(2)]
    assert [str(answer) for answer in answers] == ["no room", "no room"]
    assert len(started) == 1


@pytest.mark.slow
@pytest.mark.skipif(bool(Redis.missing()) and not REQUIRE_REAL_S3, reason="Redis is not installed")
def test_another_process_can_halt_a_server_and_start_it_again() -> None:
    with Redis() as server:
        for act, is_ready in (("halt", False), ("start", True)):
            code = f"import pickle, sys; pickle.load(sys.stdin.buffer).{act}()"
            subprocess.run(
                [sys.executable, "-c", code],
                cwd=str(ROOT),
                input=pickle.dumps(server),
                check=True,
            )
            assert server.is_ready() is is_ready


@pytest.mark.slow
def test_a_block_of_one_name_is_in_one_process_at_a_time(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from tests.servers.keeper import exclusive
for _ in range(200):
    with exclusive("counting"):
        file = Path(sys.argv[1])
        file.write_text(str(int(file.read_text()) + 1))
"""
    count = tmp_path / "count"
    count.write_text("0")
    program = [sys.executable, "-c", code, str(count)]
    children = [subprocess.Popen(program, cwd=str(ROOT)) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert count.read_text() == "600"


@pytest.mark.slow
def test_a_command_has_servers_that_the_runs_within_it_share(monkeypatch: Any) -> None:
    code = (
        "import os, sys; from tests.servers.keeper import JOIN, run_directory\n"
        "print(os.environ[JOIN], run_directory(), run_directory().is_dir()); sys.exit(3)"
    )
    environment = {**os.environ}
    del environment[keeper.MARK]
    done = subprocess.run(
        [sys.executable, "-m", "tests.servers", sys.executable, "-c", code],
        cwd=str(ROOT),
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 3
    joins, directory, existed = done.stdout.decode().split()
    assert (joins, existed) == ("1", "True")
    assert not Path(directory).exists()
    assert is_first_process(Config())
    monkeypatch.setenv(keeper.JOIN, "1")
    assert not is_first_process(Config())


class Config:
    """pytest's, of a process that is none of pytest-xdist's workers."""
