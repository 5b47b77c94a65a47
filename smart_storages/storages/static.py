"""The storages of static files, with presets; imported where they are used, as few processes do."""

from __future__ import annotations

from smart_storages.storages.collecting import CollectingMixin
from smart_storages.storages.manifest import LazyManifestMixin
from smart_storages.storages.smart import SmartS3Storage

__all__ = ["ManifestStaticStorage", "StaticStorage"]


class StaticStorage(CollectingMixin, SmartS3Storage):
    """Static files, with URLs that stay the same.

    ``collectstatic`` lists the bucket once, uploads in parallel, and uploads what has changed.
    """

    module_name = "static"
    location = "static"
    querystring_auth = False


class ManifestStaticStorage(LazyManifestMixin, StaticStorage):  # type: ignore[misc]
    """Static files whose names contain a hash of their content, so that browsers keep them.

    As Django's ``ManifestStaticFilesStorage``. The manifest is written last, when every file that
    it names is there.
    """


# Migrations and pickles name a class by its module. This public path must not change.
for _class in (ManifestStaticStorage, StaticStorage):
    _class.__module__ = "smart_storages.storages"
