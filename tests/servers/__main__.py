"""Start servers, run a command, and stop them: ``python -m tests.servers .venv/bin/mutmut run``.

Every test run that the command starts joins in: it uses these servers and starts none of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import List

from tests.servers.keeper import JOIN, Keeper


def main(command: List[str]) -> int:
    """Return the exit code of the command."""
    with Keeper():
        return subprocess.run(command, env={**os.environ, JOIN: "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
