"""Calls ``manage.py buckets`` as a terminal or a program would."""

from __future__ import annotations

import io
import json
from typing import Any, NamedTuple, Optional

from django.core.management import CommandError, call_command


class Answer(NamedTuple):
    """What a call came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal(io.StringIO):
    """Somebody watches this."""

    def isatty(self) -> bool:
        return True


def call(*arguments: str, err: Optional[io.StringIO] = None, **options: Any) -> Answer:
    """Run ``manage.py buckets`` with these arguments; an error becomes its exit code and text."""
    out = io.StringIO()
    err = io.StringIO() if err is None else err
    try:
        call_command("buckets", *arguments, stdout=out, stderr=err, **options)
    except SystemExit as left:
        return Answer(int(left.code or 0), out.getvalue(), err.getvalue())
    except CommandError as error:
        return Answer(error.returncode, out.getvalue(), err.getvalue() + str(error))
    return Answer(0, out.getvalue(), err.getvalue())
