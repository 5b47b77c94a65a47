from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.core.management.base import CommandError, OutputWrapper

from smart_storages.exceptions import ConfigurationError
from smart_storages.management import subcommands
from smart_storages.management.output import Context
from tests.management.calls import call

ROOT = Path(__file__).resolve().parents[2]


def test_every_subcommand_says_what_it_does_and_its_exit_codes(capsys: Any) -> None:
    assert "list" in subcommands.names()
    for name in subcommands.names():
        assert subcommands.load(name).HELP.endswith(".")
        assert call(name, "--help").code == 0
        shown = capsys.readouterr().out
        assert "exit codes:" in shown
        assert "--json" in shown


def test_the_exit_code_of_a_subcommand_is_that_of_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def handle(context: Any, options: Any) -> int:
        raise options["raises"]

    subcommand = SimpleNamespace(HELP="Fail.", add_arguments=lambda parser: None, handle=handle)
    refused = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    monkeypatch.setattr(subcommands, "load", lambda name: subcommand)
    for error, code, text in [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (ConfigurationError("It has no bucket."), 1, "It has no bucket."),
        (ClientError(refused, "PutObject"), 1, "S3 denied the request."),
        (EndpointConnectionError(endpoint_url="http://joe:pass@host"), 1, "S3 did not answer"),
    ]:
        answer = commands_run(error)
        assert answer[0] == code
        assert text in answer[1]
        assert "joe:pass" not in answer[1]


def commands_run(error: BaseException) -> Any:
    err = io.StringIO()
    context = Context(OutputWrapper(io.StringIO()), OutputWrapper(err))
    try:
        code = subcommands.run("any", context, {"raises": error})
    except CommandError as told:
        return told.returncode, str(told)
    return code, err.getvalue()


def test_as_a_process_it_leaves_with_its_codes() -> None:
    # All in one: a process takes a second to import what it needs.
    code = """
from django.conf import settings
settings.configure(INSTALLED_APPS=["smart_storages"], SMART_STORAGE_BUCKETS={"media": {}})
from django.core.management import execute_from_command_line
for arguments in ["list"], ["list", "--json"], ["no-such-subcommand"], [], ["explain"]:
    try:
        execute_from_command_line(["manage.py", "buckets", *arguments])
    except SystemExit as left:
        print("left with", left.code)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), capture_output=True, text=True, check=True
    )
    left = [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("left")]
    assert left == ["1", "1", "2", "2", "2"]
    assert "Traceback" not in result.stderr
