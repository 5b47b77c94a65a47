"""A file open for writing that is published whole when it is closed, or not at all."""

from __future__ import annotations

from typing import Any, Iterable, Optional, TypeVar

from django.core.files.base import File

__all__ = ["WholeFile"]

_File = TypeVar("_File", bound="WholeFile")


class WholeFile(File):  # type: ignore[type-arg]
    """What such files share; a subclass says how content is kept, and where it is published.

    A subclass publishes in ``close()``, and defines ``write()``, ``size``, :meth:`discard` and
    :meth:`start_again`.
    """

    mode: str

    def discard(self) -> None:
        """Close the file without publishing anything."""
        raise NotImplementedError

    def start_again(self) -> None:
        """Make a closed file one that is open and empty."""
        raise NotImplementedError

    def writelines(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self.write(line)

    def open(self: _File, mode: Optional[str] = None, *args: Any, **kwargs: Any) -> _File:
        """Return the file itself; if it was closed, it starts again as an empty file.

        Raises:
            ValueError: the mode is not the one the file was opened with.
        """
        if mode and mode != self.mode:
            raise ValueError(
                f"The file {self.name!r} was opened in mode {self.mode!r}, not {mode!r}. "
                "Open it again through its storage."
            )
        if self.closed:
            self.start_again()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<{type(self).__name__}: {self.name!r} {state} for writing>"

    def _raise_if_closed(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
