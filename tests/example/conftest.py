"""The example site as its users meet it: a command that is run, pages that are visited."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "example"
DEMO_SECONDS = 240

# demo.py's own helpers are imported as it imports them.
sys.path.insert(0, str(EXAMPLE))


def site_environment(run_dir: Path, **more: str) -> Dict[str, str]:
    """A shell without an AWS account, in which the package can be imported."""
    strange = ("AWS_", "PII_", "PRESS_", "S3_", "DJANGO_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    paths = [str(ROOT), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    env["PRESS_RUN_DIR"] = str(run_dir)
    # No keys may come from the machine either: files of an AWS account, an instance's role.
    nowhere = str(run_dir / "no-such-file")
    env["AWS_CONFIG_FILE"] = env["AWS_SHARED_CREDENTIALS_FILE"] = nowhere
    env["AWS_EC2_METADATA_DISABLED"] = "true"
    env.update(more)
    return env


@pytest.fixture
def run_demo(tmp_path: Path) -> Callable[..., Any]:
    """Runs ``python example/demo.py`` with more environment variables; gives the ended process."""

    def run(**env: str) -> Any:
        return subprocess.run(
            [sys.executable, "-W", "ignore", str(EXAMPLE / "demo.py")],
            env=site_environment(tmp_path, **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEMO_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def manage(tmp_path: Path) -> Callable[..., Any]:
    """Runs ``python example/manage.py``, with more environment variables; gives the process."""

    def run(*arguments: str, **environment: str) -> Any:
        return subprocess.run(
            [sys.executable, "-W", "ignore", str(EXAMPLE / "manage.py"), *arguments],
            env=site_environment(tmp_path, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEMO_SECONDS,
            check=False,
        )

    return run


@dataclass
class RunningSite:
    """``demo.py --serve`` after its uploads, serving."""

    address: str
    process: subprocess.Popen


def start_site(run_dir: Path, **env: str) -> RunningSite:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(EXAMPLE / "demo.py"), "--serve"],
        env=site_environment(run_dir, **env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        # Ctrl-C works in it even if these tests run in the background, where shells turn it off.
        preexec_fn=partial(  # noqa: PLW1509 - it takes no lock
            signal.signal, signal.SIGINT, signal.default_int_handler
        ),
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Serving "):
            return RunningSite(line.split(" at ")[1].split()[0], process)
    process.wait()
    raise AssertionError("The site did not start:\n" + "".join(said))


def stop_site(site: RunningSite) -> None:
    site.process.terminate()
    site.process.wait(timeout=DEMO_SECONDS)
    site.process.stdout.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """The site with the demo's files, over moto; shared, so tests only add to it."""
    running = start_site(tmp_path_factory.mktemp("site"))
    yield running
    stop_site(running)


@pytest.fixture
def visitor(site: RunningSite) -> Any:
    """Somebody who visits the site without a browser."""
    from visitor import Visitor

    return Visitor(site.address)
