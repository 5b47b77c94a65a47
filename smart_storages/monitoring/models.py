"""What was found out about the buckets, and when."""

from __future__ import annotations

import json
from typing import Dict, List

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

__all__ = ["BucketCheck", "BucketUsage"]


class BucketCheck(models.Model):
    """What one run of ``manage.py buckets check`` said about a module."""

    module = models.CharField(_("module"), max_length=200, db_index=True, editable=False)
    bucket = models.CharField(_("bucket"), max_length=255, blank=True, editable=False)
    checked_at = models.DateTimeField(_("checked"), default=timezone.now, editable=False)
    is_fine = models.BooleanField(_("fine"), editable=False)
    # Not a JSONField: Django's check of one opens the database, and checks send no request.
    findings_json = models.TextField(_("findings"), default="[]", editable=False)

    class Meta:
        # Explicit, because without our app in INSTALLED_APPS Django would use "smart_storages".
        app_label = "smart_storages_monitoring"
        verbose_name = _("bucket")
        verbose_name_plural = _("buckets")

    def __str__(self) -> str:
        return f"{self.module}, {self.checked_at:%Y-%m-%d %H:%M}"

    @property
    def findings(self) -> List[Dict[str, str]]:
        """A dict for each step that failed or warned; see ``signals.bucket_checked``."""
        found: List[Dict[str, str]] = json.loads(self.findings_json)
        return found

    @findings.setter
    def findings(self, found: List[Dict[str, str]]) -> None:
        self.findings_json = json.dumps(found)


class BucketUsage(models.Model):
    """What a module took up when ``manage.py buckets usage`` counted it."""

    module = models.CharField(_("module"), max_length=200, db_index=True, editable=False)
    bucket = models.CharField(_("bucket"), max_length=255, blank=True, editable=False)
    location = models.CharField(_("location"), max_length=1024, blank=True, editable=False)
    measured_at = models.DateTimeField(_("counted"), default=timezone.now, editable=False)
    files = models.BigIntegerField(_("files"), editable=False)
    bytes = models.BigIntegerField(_("bytes"), editable=False)
    newest = models.DateTimeField(_("newest file"), null=True, editable=False)
    incomplete_uploads = models.PositiveIntegerField(
        _("incomplete uploads"), null=True, editable=False
    )

    class Meta:
        app_label = "smart_storages_monitoring"
        verbose_name = _("usage of a bucket")
        verbose_name_plural = _("usage of buckets")

    def __str__(self) -> str:
        return f"{self.module}, {self.measured_at:%Y-%m-%d %H:%M}"
