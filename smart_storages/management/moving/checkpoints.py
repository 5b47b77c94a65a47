"""Where a copy that was interrupted goes on: a small file, replaced as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence

from django.core.files import locks
from django.core.management.base import CommandError

__all__ = ["Checkpoint", "State", "default_path"]

#: A checkpoint that is older than this many seconds is not used: the files may have changed.
_LIFETIME = 24 * 60 * 60
#: Seconds between two writes.
_INTERVAL = 1.0
_VERSION = 1


@dataclass
class State:
    """How far a copy has come.

    Args:
        after: The last name up to which everything is done.
        started: When the copy was started, in seconds since 1970.
        updated: When this was written.
        large: Names that were being written in parts: what is left of them is to be removed.
    """

    after: str = ""
    started: float = 0.0
    updated: float = 0.0
    large: List[str] = field(default_factory=list)


def default_path(parts: Sequence[str]) -> Path:
    """Return where the checkpoint of a copy is kept, unless the user says.

    Args:
        parts: What identifies the copy; it may not hold a secret.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return Path(cache) / "django-smart-storages" / f"copy-{digest[:32]}.json"


class Checkpoint:
    """The checkpoint of one copy; locked for as long as the copy runs.

    Args:
        path: The file.
        parts: What identifies the copy: a file of another one is not used.

    Raises:
        CommandError: from ``with``: another process holds it, or it cannot be written there.

    Example::

        with Checkpoint(path, ["photos", "archive"]) as checkpoint:
            checkpoint.state.after
    """

    def __init__(self, path: Path, parts: Sequence[str]) -> None:
        self.path = path
        self._digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
        self._written = 0.0
        self._lock: Any = None
        self._writing = threading.Lock()
        self.state = State()
        #: Whether a copy was interrupted, and the state is that of it.
        self.is_resumed = False

    def __enter__(self) -> Checkpoint:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = open(f"{self.path}.lock", "a")
        except OSError as error:
            raise CommandError(
                f"The checkpoint {str(self.path)!r} cannot be written: {error.strerror}. Name "
                "another file with --checkpoint.",
                returncode=2,
            ) from error
        if not locks.lock(self._lock, locks.LOCK_EX | locks.LOCK_NB):
            self._lock.close()
            raise CommandError(
                f"Another process makes this copy: it has locked {str(self.path)!r}."
            )
        found = self._read()
        self.is_resumed = found is not None
        self.state = found or State(started=time.time())
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.close()

    def restart(self) -> None:
        """Begin at the first name; what was being written in parts is still known."""
        self.state = State(started=self.state.started, large=self.state.large)

    @contextmanager
    def writing_large(self, name: str) -> Iterator[None]:
        """Within this block a file is written that may leave parts behind if this is killed."""
        with self._writing:
            self.state.large.append(name)
            self._write()
        yield
        with self._writing:  # not after an error either: the parts may be there still
            self.state.large.remove(name)

    def save(self, *, now: bool = False) -> None:
        """Write the state, but not more than once a second unless it must be there ``now``."""
        if not now and time.monotonic() - self._written < _INTERVAL:
            return
        with self._writing:
            self._write()

    def _write(self) -> None:
        self.state.updated = time.time()
        text = json.dumps({"version": _VERSION, "copy": self._digest, **asdict(self.state)})
        temporary = Path(f"{self.path}.new")
        try:
            temporary.write_text(text, encoding="utf-8", errors="surrogatepass")
            os.replace(str(temporary), str(self.path))
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise CommandError(
                f"The checkpoint {str(self.path)!r} cannot be written: {error.strerror}. Nothing "
                "was deleted. Make room, or name another file with --checkpoint."
            ) from error
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete the file: the copy is complete."""
        for path in (self.path, Path(f"{self.path}.new"), Path(f"{self.path}.lock")):
            with suppress(FileNotFoundError):
                path.unlink()

    def _read(self) -> Optional[State]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8", errors="surrogatepass"))
            if (found.pop("version"), found.pop("copy")) != (_VERSION, self._digest):
                return None
            state = State(**found)
            return state if 0 <= time.time() - state.updated < _LIFETIME else None
        except (AttributeError, KeyError, OSError, TypeError, ValueError):
            return None
