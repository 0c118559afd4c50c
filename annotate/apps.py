"""Wiring of the app annotate."""

from __future__ import annotations

from django.apps import AppConfig


class AnnotateConfig(AppConfig):
    """What machines and people say about pixels: tags, faces, characters."""

    name = "annotate"

    def ready(self) -> None:
        """Say what is counted of faces and tags."""
        from annotate.counters import face_columns, face_counts, tag_counts
        from ingest import counting
        from ingest.actions import history

        counting.register(face_counts.FACES, face_counts.NAMED_FRAMES, tag_counts.TAGS)
        history.settled_by("annotate.Face", face_columns.settle)
