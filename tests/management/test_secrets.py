"""No subcommand shows a secret, whatever becomes of its requests."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from smart_storages.management import subcommands
from tests import leaks
from tests.management.calls import call
from tests.servers.base import free_port
from tests.servers.moto import S3Server

#: How each subcommand is called; ``url`` gives a signed URL away, which is what it is for.
CALLS: Dict[str, List[List[str]]] = {
    "cat": [["keys:a.txt"]],
    "check": [["keys"]],
    "cp": [["keys:a.txt", "keys:b.txt"]],
    "create": [["keys"], ["keys", "--dry-run"]],
    "explain": [["keys"]],
    "list": [[]],
    "ls": [["keys"]],
    "policy": [["keys"], ["keys", "--terraform"], ["keys", "--bucket"]],
    "rm": [["keys:a.txt"]],
    "url": [],
    "usage": [["keys"]],
}


@pytest.mark.parametrize("reached", [True, False])
def test_no_subcommand_shows_a_secret(settings: Any, moto_server: S3Server, reached: bool) -> None:
    port = moto_server.port if reached else free_port()
    options = {
        "bucket_name": moto_server.create_bucket(),
        "endpoint_url": f"http://127.0.0.1:{port}",
        "provider": "moto",
        **leaks.secrets_of_entry(),
    }
    if not reached:
        # Errors of a connection name its proxy.
        options["proxies"] = {"http": f"http://{leaks.PROXY_LOGIN}@127.0.0.1:{free_port()}"}
    settings.SMART_STORAGE_BUCKETS = {"keys": options}
    settings.STORAGES = {}
    with leaks.LeakFinder() as found:
        for name, variants in CALLS.items():
            for arguments in variants:
                for more in ([], ["--json"]) if name != "check" else ([],):
                    answer = call(name, *arguments, *more)
                    shown = answer.out + answer.err
                    assert not leaks.find_in(shown), (name, arguments)
                    assert "AKIDEXAMPLE" not in shown, (name, arguments)
    assert not found.leaks


def test_every_subcommand_that_takes_no_secret_away_is_called() -> None:
    # Those that move data are looked at where they are tested.
    assert {*subcommands.names()} - {*CALLS} <= {"adopt", "audit", "copy", "verify"}
