"""What a store can do that takes files in parts: keep them unseen until they become one object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence

from smart_storages.common.parts import MAX_PART_SIZE, MAX_PARTS, MIN_PART_SIZE
from smart_storages.exceptions import ContentMismatchError

if TYPE_CHECKING:
    from smart_storages.backends.s3.stat import Stat
    from smart_storages.backends.store import Attributes
    from smart_storages.common.parts import StartedUpload, UploadedPart

__all__ = ["KEPT_SECONDS", "Uploads", "require_same"]

#: How long an upload that was neither completed nor aborted is kept: 7 days, as in a bucket for
#: which ``manage.py buckets create`` has set the rule, and as in Azure.
KEPT_SECONDS = 7 * 24 * 3600


class Uploads(ABC):
    """The uploads in parts of one bucket. Its methods may be called from any thread.

    An upload that does not exist is a ``FileNotFoundError``.
    """

    #: Fewest and most bytes of a part, and most parts of an upload. Where nothing else limits them,
    #: those of S3: what works in development works in production.
    min_part_size, max_part_size, max_parts = MIN_PART_SIZE, MAX_PART_SIZE, MAX_PARTS
    #: Whether a part with another SHA-256 than its URL was signed for is refused.
    signs_part_digests = True

    @abstractmethod
    def create(self, key: str, attributes: Attributes) -> str:
        """Begin an upload, and return its identifier."""

    @abstractmethod
    def put_part(
        self, key: str, upload_id: str, number: int, chunks: Iterator[bytes]
    ) -> UploadedPart:
        """Keep a part, whole or not at all; it replaces one with the same number."""

    @abstractmethod
    def parts(self, key: str, upload_id: str) -> List[UploadedPart]:
        """Return the parts that have arrived, in their order."""

    @abstractmethod
    def complete(
        self, key: str, upload_id: str, parts: Sequence[UploadedPart], *, overwrite: bool
    ) -> Stat:
        """Make an object of the parts, and forget the upload.

        Raises:
            ContentMismatchError: a part has not arrived, or is another one.
            FileExistsError: the key is taken, and ``overwrite`` is false. The upload stays.
        """

    @abstractmethod
    def abort(self, key: str, upload_id: str) -> None:
        """Forget an upload; one that does not exist is no error."""

    @abstractmethod
    def open_uploads(self, prefix: str) -> Iterator[StartedUpload]:
        """Yield the uploads whose keys begin with a prefix; their names are keys."""

    def sign_part(
        self, key: str, upload_id: str, number: int, *, expires: int
    ) -> Optional[Dict[str, Any]]:
        """Return where a part is sent, ``None`` if the view of this package takes it.

        Args:
            key: Key of the object.
            upload_id: Identifier of the upload.
            number: Number of the part.
            expires: Until when it may be sent, in seconds since 1970.
        """
        return None


def require_same(parts: Sequence[UploadedPart], arrived: Sequence[UploadedPart]) -> None:
    """Raise a ``ContentMismatchError`` unless each of these parts has arrived as it is described.

    Example:
        >>> require_same([], [])
    """
    known = {part.number: part for part in arrived}
    for part in parts:
        found = known.get(part.number)
        if found is None or (found.etag, found.size) != (part.etag, part.size):
            raise ContentMismatchError(
                f"The part {part.number} has not arrived, or was uploaded again after the parts "
                "were listed. List the parts, and upload again what is missing.",
                code="InvalidPart",
            )
