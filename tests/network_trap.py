"""A process in which whoever asks for the network, or for AWS credentials, is caught.

A hook of the interpreter's own, which nothing below can go round; it ends the process, since an
exception might be swallowed, as botocore does with those of its search for credentials.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

#: Exit status of a process that was caught.
CAUGHT = 97

_HOOK = f"""
import os, sys, traceback

EVENTS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
          "socket.gethostbyname", "socket.gethostbyaddr")

def hook(event, arguments):
    if event in EVENTS or event == "open" and str(arguments[0]).endswith("trapped-credentials"):
        os.write(1, f"caught: {{event}} {{arguments[:1]}}\\n".encode())
        traceback.print_stack(file=sys.stdout)
        sys.stdout.flush()
        os._exit({CAUGHT})

sys.addaudithook(hook)
"""


def set_trap(directory: Path) -> Dict[str, str]:
    """Lay the trap in a directory that is on ``PYTHONPATH``; returns the environment it takes.

    The interpreter imports ``sitecustomize`` by itself, before anything of the program.
    """
    directory.joinpath("sitecustomize.py").write_text(_HOOK)
    credentials = directory / "trapped-credentials"
    credentials.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    environment = {name: os.environ[name] for name in ("LANG",) if name in os.environ}
    return {
        **environment,
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "AWS_CONFIG_FILE": str(credentials),
        # Otherwise botocore would not even try to ask the machine for its role.
        "AWS_EC2_METADATA_DISABLED": "false",
    }
