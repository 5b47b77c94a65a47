"""The manifest of static files: read when it is first needed, not when a storage is made."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import Storage

from smart_storages.common.compat import HAS_MANIFEST_STORAGE
from smart_storages.exceptions import ConfigurationError

__all__ = ["LazyManifestMixin"]


class LazyManifestMixin(ManifestFilesMixin):
    """Django's ``ManifestFilesMixin``, without its request in the constructor.

    Args:
        manifest_storage: Where the manifest is kept; in the storage itself if ``None``.

    Raises:
        ConfigurationError: ``manifest_storage`` is given, and this version of Django has none.

    Source: ``ManifestFilesMixin`` of Django.
    """

    _manifest: Optional[Tuple[Dict[str, str], str]] = None

    def __init__(
        self, *args: Any, manifest_storage: Optional[Storage] = None, **kwargs: Any
    ) -> None:
        # Past the constructor of ManifestFilesMixin, which does no more than these lines and the
        # reading of the manifest.
        super(ManifestFilesMixin, self).__init__(*args, **kwargs)
        if manifest_storage is not None and not HAS_MANIFEST_STORAGE:
            raise ConfigurationError(
                f"{type(self).__name__}: 'manifest_storage' needs Django 4.0. Leave it out, or "
                "update Django."
            )
        self.manifest_storage: Any = self if manifest_storage is None else manifest_storage
        self._manifest = None

    def retake_settings(self) -> None:
        """Look every option up again; the bucket may be another, and so may its manifest."""
        super().retake_settings()  # type: ignore[misc]
        self._manifest = None

    def _get_manifest(self) -> Tuple[Dict[str, str], str]:
        if self._manifest is None:
            loaded: Any = self.load_manifest()
            # Django 3.2 returns the paths alone.
            self._manifest = loaded if isinstance(loaded, tuple) else (loaded, "")
        return self._manifest

    @property
    def hashed_files(self) -> Dict[str, str]:
        """The name with a hash of each static file, by its plain name."""
        return self._get_manifest()[0]

    @hashed_files.setter
    def hashed_files(self, hashed: Dict[str, str]) -> None:
        self._manifest = (hashed, "" if self._manifest is None else self._manifest[1])

    @property
    def manifest_hash(self) -> str:
        """The hash of the manifest, empty if there is none or Django is older than 4.2."""
        return self._get_manifest()[1]

    @manifest_hash.setter
    def manifest_hash(self, digest: str) -> None:
        self._manifest = (self.hashed_files, digest)
