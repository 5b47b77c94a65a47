"""Stops botocore's clock, so that two signers can be compared byte for byte."""

from __future__ import annotations

import datetime as real
from contextlib import contextmanager
from typing import Any, Iterator
from unittest import mock

import botocore.auth
import botocore.signers


@contextmanager
def botocore_clock_at(now: int) -> Iterator[None]:
    """Let botocore sign as if the time were ``now`` seconds since the epoch."""
    moment = real.datetime(1970, 1, 1) + real.timedelta(seconds=now)

    class Stopped(real.datetime):
        @classmethod
        def utcnow(cls) -> real.datetime:
            return moment

    def stopped(*_args: Any, **_kwargs: Any) -> real.datetime:
        return moment

    with mock.patch("time.time", return_value=float(now)):
        patches = []
        for module in (botocore.auth, botocore.signers):
            if hasattr(module, "get_current_datetime"):
                patches.append(mock.patch.object(module, "get_current_datetime", stopped))
            else:  # botocore before 1.41
                fake = mock.Mock(wraps=real, datetime=Stopped)
                patches.append(mock.patch.object(module, "datetime", fake))
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()
