"""What the blobs of a module need: a container, and that anybody may read it if they are public."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, List, Sequence

from smart_storages.backends.azure_errors import translating
from smart_storages.backends.store import Need
from smart_storages.exceptions import BucketNotFoundError

__all__ = ["AzureContainerMixin"]

#: Anybody may read a blob whose name he knows, and nobody may list them.
_BLOBS = "blob"


class AzureContainerMixin:
    """``needs`` of the store; ``_container`` is a client of the SDK."""

    _bucket: str
    _container: Any

    def needs(self, *, is_public: bool, by_acl: bool = False) -> Sequence[Need]:
        found: List[Need] = [
            Need(f"the container {self._bucket}", self._has_container, self._create_container)
        ]
        if is_public:
            what = "permission for anybody to read its blobs"
            found.append(Need(what, self._is_public, self._make_public))
        return found

    def _has_container(self) -> bool:
        try:
            with translating():
                self._container.get_container_properties()
        except BucketNotFoundError:
            return False
        return True

    def _create_container(self) -> None:
        with suppress(FileExistsError), translating():
            self._container.create_container()

    def _is_public(self) -> bool:
        with translating():
            return self._container.get_container_properties()["public_access"] is not None

    def _make_public(self) -> None:
        with translating():
            # One request replaces both: the access policies of the container stay as they are.
            kept = self._container.get_container_access_policy()["signed_identifiers"]
            policies = {each.id: each.access_policy for each in kept}
            self._container.set_container_access_policy(policies, public_access=_BLOBS)
