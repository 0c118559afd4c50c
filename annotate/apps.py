"""Wiring of the app annotate."""

from __future__ import annotations

from django.apps import AppConfig


class AnnotateConfig(AppConfig):
    """What machines and people say about pixels: tags, faces, characters."""

    name = "annotate"
