"""A field of Django REST framework that gives the signed URL of a file; needs the extra ``drf``."""

from __future__ import annotations

from typing import Any, Optional

from rest_framework import serializers

from smart_storages.serve.urls import file_url

__all__ = ["SignedUrlField"]


class SignedUrlField(serializers.URLField):  # type: ignore[misc]
    """The URL of a file, with a life of its own; ``None`` if a row has no file. It is read-only.

    For a list of files it is the child of a ``ListField``. An address of the site, as files on a
    disk have, is made absolute if the serializer's context has the request.

    Args:
        expire: Seconds for which the URL is valid, as many as the storage says if ``None``.
        download: Whether a browser is to save the file in place of showing it.
        kwargs: Arguments of every field, such as ``source``.

    Example::

        class ReportSerializer(serializers.ModelSerializer):
            file = SignedUrlField(expire=300)
    """

    def __init__(
        self, *, expire: Optional[int] = None, download: bool = False, **kwargs: Any
    ) -> None:
        self.expire = expire
        self.download = download
        super().__init__(**{"read_only": True, **kwargs})

    def to_representation(self, value: Any) -> Optional[str]:
        """Return the URL of a file."""
        url = file_url(value, expire=self.expire, download=self.download)
        if url.startswith("/") and self.context.get("request") is not None:
            return str(self.context["request"].build_absolute_uri(url))
        return url or None
