"""Content that comes in pieces, cut to the sizes that a server takes."""

from __future__ import annotations

from typing import Iterator, List, Tuple

__all__ = ["JoinedContent", "take_beginning"]


def take_beginning(chunks: Iterator[bytes], size: int) -> Tuple[bytes, bool]:
    """Return the beginning of some content, and whether that is all of it."""
    taken: List[bytes] = []
    length = 0
    for chunk in chunks:
        taken.append(chunk)
        length += len(chunk)
        if length > size:
            return b"".join(taken), False
    return b"".join(taken), True


class JoinedContent:
    """The beginning of some content, and what follows; counts its bytes."""

    def __init__(self, beginning: bytes, rest: Iterator[bytes]) -> None:
        self._rest = rest
        self._held = beginning
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        pieces = [self._held]
        length = len(self._held)
        while size < 0 or length < size:
            piece = next(self._rest, b"")
            if not piece:
                break
            pieces.append(piece)
            length += len(piece)
        content = b"".join(pieces)
        end = len(content) if size < 0 else size
        taken, self._held = content[:end], content[end:]
        self.size += len(taken)
        return taken
