"""What a project keeps in its own tables, in the same transactions as the ledger."""

from __future__ import annotations

from django.db import models


class Document(models.Model):
    """Says which content a name must have; the truth that crash tests compare with."""

    name = models.CharField(max_length=200, unique=True)
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.name
