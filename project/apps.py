"""The site's own app: start-up commands, health and pages that belong to no other app."""

from __future__ import annotations

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Start-up and health; it has no models."""

    name = "project"
    verbose_name = "Koma"
