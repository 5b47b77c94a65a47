"""Rules that use the content of a save; the choice is recorded in the name."""

from __future__ import annotations

import mimetypes
from typing import Any, Dict, Mapping, Optional

from smart_storages.common.arguments import require_names, require_numbers, require_tables
from smart_storages.resolvers.base import FALLBACK, StorageResolver, known

__all__ = ["ByContentType", "BySize"]


class ByContentType(StorageResolver):
    """Chooses by the type of the content at save time; the choice is recorded in the name.

    The type is the upload's ``content_type``, or is guessed from the name. It is what the browser
    claims, and does not prove what the bytes are.

    Args:
        table: Aliases by type: ``"application/pdf"``, or ``"image/*"``.
        default: Alias for every other type; ``None`` for the fallback.

    Example:
        >>> rule = ByContentType({"image/*": "media"}, default="files")
        >>> rule.resolve({}, "save", "logo.png", {"content": None})
        'media'
    """

    records = True

    def __init__(self, table: Mapping[str, str], default: Optional[str] = None) -> None:
        require_tables(type(self), table=table)
        self.table = {key.lower(): alias for key, alias in table.items()}
        self.default = default
        self.aliases = known(*table.values(), default or FALLBACK)
        self._found: Dict[str, Optional[str]] = {}

    def _type_of(self, filename: str, params: Mapping[str, Any]) -> str:
        claimed = getattr(params.get("content"), "content_type", None)
        guessed = claimed or mimetypes.guess_type(filename)[0] or "application/octet-stream"
        return str(guessed)

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        content = params.get("content")
        if content is None and type(filename) is str:
            # Without content, as in every call except a save, the extension alone is usually
            # enough, and faster. Not for ".png" (a name without an extension), URLs, and
            # compressed files.
            dot = filename.rfind(".")
            extension = filename[dot:]
            # The table of mimetypes itself, so that a call of add_type() counts at once.
            guessed = mimetypes.types_map.get(extension) if mimetypes.inited else None
            if (
                guessed is not None
                and dot > 0
                and filename[dot - 1] not in "/."
                and ":" not in filename
                and extension not in mimetypes.encodings_map
                and extension not in mimetypes.suffix_map
            ):
                if guessed not in self._found:
                    self._found[guessed] = self._look_up(guessed)
                return self._found[guessed]
        return self._look_up(self._type_of(filename, params))

    def _look_up(self, content_type: str) -> Optional[str]:
        content_type = content_type.split(";", maxsplit=1)[0].strip().lower()
        family = content_type.split("/")[0] + "/*"
        return self.table.get(content_type, self.table.get(family, self.default))

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        return f"{filename!r} is {self._type_of(filename, params)}."


class BySize(StorageResolver):
    """Chooses by the size of the content at save time; the choice is recorded in the name.

    A name without a recorded alias was saved before this rule was used: the file is looked for in
    the fallback.

    Args:
        limit: Largest size, in bytes, that counts as small.
        small: Alias for content up to the limit.
        large: Alias for larger content, and for content whose size is not known in advance.

    Example:
        >>> from django.core.files.base import ContentFile
        >>> rule = BySize(limit=5_000_000, small="media", large="archive")
        >>> rule.resolve({}, "save", "a.txt", {"content": ContentFile(b"abc")})
        'media'
    """

    records = True

    def __init__(self, limit: int, small: str, large: str) -> None:
        require_numbers(type(self), "bytes", limit=limit)
        require_names(type(self), small=small, large=large)
        self.limit, self.small, self.large = limit, small, large
        self.aliases = known(small, large)

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        content = params.get("content")
        if content is None:
            return None
        size = _size_of(content)
        return self.small if size is not None and size <= self.limit else self.large

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        content = params.get("content")
        if content is None:
            return "The name has no recorded alias, and there is no content to measure."
        size = _size_of(content)
        return f"The content has {'an unknown number of' if size is None else size} bytes."


def _size_of(content: Any) -> Optional[int]:
    try:
        return int(content.size)
    except (AttributeError, OSError, TypeError):
        return None
