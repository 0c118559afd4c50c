"""Wiring of the app annotate."""

from __future__ import annotations

from django.apps import AppConfig


class AnnotateConfig(AppConfig):
    """What machines and people say about pixels: tags, faces, characters."""

    name = "annotate"

    def ready(self) -> None:
        """Say what is counted of faces."""
        from annotate import face_counts
        from ingest import counting

        counting.register(face_counts.FACES, face_counts.NAMED_FRAMES)
