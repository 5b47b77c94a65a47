"""A file that is about to be uploaded in parts: what is known of it before its bytes arrive."""

from __future__ import annotations

from typing import Any, Optional

from django.core.files import File

__all__ = ["AnnouncedFile"]


class AnnouncedFile(File):  # type: ignore[type-arg]
    """The ``content`` that a resolver gets for an upload in parts; it has no bytes.

    Args:
        name: Name of the file.
        content_type: Its type, as the browser claims.
        size: Its bytes, ``None`` if nobody knows.

    Raises:
        ValueError: it is read.

    Example:
        >>> AnnouncedFile("a.mp4", content_type="video/mp4", size=5).size
        5
    """

    def __init__(self, name: str, *, content_type: str, size: Optional[int]) -> None:
        self.name = name
        self.mode = "rb"
        self.content_type = content_type or None
        self.size = size  # type: ignore[assignment]

    @property
    def file(self) -> Any:  # type: ignore[override]
        raise ValueError(
            f"The file {self.name!r} has not arrived yet, so that its storage can be chosen only "
            "by its name, its size, its type and the context."
        )
