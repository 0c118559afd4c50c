"""Wiring of the app ingest."""

from __future__ import annotations

from django.apps import AppConfig


class IngestConfig(AppConfig):
    """Pixels in: collections, sources, frames, the run engine and the history."""

    name = "ingest"
