"""Wiring of the app annotate."""

from __future__ import annotations

from django.apps import AppConfig


class AnnotateConfig(AppConfig):
    """What machines and people say about pixels: tags, faces, characters."""

    name = "annotate"

    def ready(self) -> None:
        """Register what is counted of faces and tags, and what undo takes back on which page."""
        from annotate.actions import undo_places
        from annotate.counters import face_columns, face_counts, tag_counts
        from annotate.models import Character
        from ingest import counting
        from ingest.actions import history

        counting.register(face_counts.FACES, face_counts.NAMED_FRAMES, tag_counts.TAGS)
        history.settled_by("annotate.Face", face_columns.settle)
        for page in (undo_places.faces, undo_places.frames, undo_places.tags, undo_places.captions):
            history.undone_on(page.__name__, page)
        history.undone_on("character", undo_places.character, home=(Character, "characters"))
