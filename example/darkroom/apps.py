from __future__ import annotations

from django.apps import AppConfig


class DarkroomConfig(AppConfig):
    name = "darkroom"
    verbose_name = "Darkroom"
