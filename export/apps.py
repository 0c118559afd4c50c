"""Configuration of the app export."""

from __future__ import annotations

from django.apps import AppConfig


class ExportConfig(AppConfig):
    """Datasets out: recipes, folders, captions, balance."""

    name = "export"
