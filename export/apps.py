"""Wiring of the app export."""

from __future__ import annotations

from django.apps import AppConfig


class ExportConfig(AppConfig):
    """Data sets out: recipes, folders, captions, balance."""

    name = "export"
