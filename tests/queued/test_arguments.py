from __future__ import annotations

import re
from typing import Any

import pytest

from smart_storages.exceptions import ConfigurationError
from smart_storages.queued.arguments import known_options
from smart_storages.queued.backends import (
    DelayedStorage,
    DoubleFilesystemStorage,
    QueuedStorage,
)
from tests.queued.conftest import DISK


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_local_bytes", "10MB"),
        ("max_local_bytes", True),
        ("max_local_bytes", -1),
        ("durable", "no"),
        ("ask_remote", "no"),
        ("delayed", 1),
        ("overwrite", "yes"),
        ("key", 5),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused_by_name(name: str, value: Any) -> None:
    told = re.escape(f"not {value!r}")
    with pytest.raises(ConfigurationError, match=f"^QueuedStorage: {name} must be .*, {told}"):
        QueuedStorage(DISK, "media", **{name: value})


def test_options_that_are_no_dict_are_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="remote_options must be a dict") as caught:
        QueuedStorage(DISK, "media", None, "hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_a_local_that_is_plainly_the_remote_is_refused() -> None:
    for given in (("scratch", "scratch"), (DISK, DISK, {"location": "/a"}, {"location": "/a"})):
        with pytest.raises(ConfigurationError, match="QueuedStorage: local and remote are the"):
            QueuedStorage(*given)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="DoubleFilesystemStorage: local and remote"):
        DoubleFilesystemStorage()
    QueuedStorage(DISK, DISK, {"location": "/a"}, {"location": "/b"})


def test_the_options_of_a_class_are_its_parents_too() -> None:
    assert {"local", "remote", "durable", "task"} <= set(known_options(DelayedStorage))
    doubled = known_options(DoubleFilesystemStorage)
    assert {"local_kwargs", "durable"} <= set(doubled)
