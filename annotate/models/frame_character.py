"""FrameCharacter: who is on a picture, by a person, a file beside it, or a tagger; also where no face is seen."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from annotate.models.character import Character
from annotate.models.tag import TagState
from ingest.history_rules import HistoryRules
from ingest.models import Frame


class NameOrigin(models.TextChoices):
    """Whose word it is, the highest first (`algorithms.name_evidence.RANKS`)."""

    PERSON = "person", "a person"
    COPY = "copy", "a person, on a copy"
    TAG = "tag", "a person's tag"
    FILE = "file", "a file"
    TAGGER = "tagger", "a tagger"


class FrameCharacter(models.Model):
    """A character of a frame. `yes` counts for folders, metadata, captions and searches as a named face does.

    A person's yes and no stay; the others follow from their evidence, and are `no` where what people said of the faces
    leaves no room for them.
    """

    frame = models.ForeignKey(Frame, models.CASCADE, related_name="frame_characters")
    character = models.ForeignKey(Character, models.CASCADE, related_name="frame_characters")
    state = models.CharField(max_length=4, choices=TagState.choices, default=TagState.YES)
    origin = models.CharField(max_length=8, choices=NameOrigin.choices)
    score = models.FloatField(default=1.0)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    # Relative face box (left, top, right, bottom) where a file has one for the name.
    box = models.JSONField(null=True, blank=True)

    history = HistoryRules(
        guards={"origin": frozenset({"state", "origin", "score", "by_id", "box", "character_id"})},
        by_models={"character": (~models.Q(origin=NameOrigin.PERSON), None)},
        words={"character": "{is} marked as showing {it}"},
        noun="frame",
        author="by",
    )

    class Meta:
        ordering = ("frame_id", "pk")
        constraints = (models.UniqueConstraint(fields=("frame", "character"), name="frame_character_once"),)
        indexes = (models.Index(fields=("character", "state", "frame"), name="frame_character_search"),)

    @property
    def by_person(self) -> bool:
        """What no run changes."""
        return self.origin == NameOrigin.PERSON
