"""FrameCharacter: a character of a picture, from a person, a file or a tagger; also without a visible face."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from annotate.models.character import Character
from annotate.models.tag import TagState
from ingest.history_rules import HistoryRules
from ingest.models import Frame


class NameOrigin(models.TextChoices):
    """Where a name comes from, the highest rank first (`algorithms.name_evidence.RANKS`)."""

    PERSON = "person", "a person"
    COPY = "copy", "a person, on a copy"
    TAG = "tag", "a person's tag"
    FILE = "file", "a file"
    TAGGER = "tagger", "a tagger"


class FrameCharacter(models.Model):
    """A character of a frame. `yes` applies to folders, metadata, captions and searches as a named face does.

    Labels by people are kept. The others follow from their evidence; they are `no` where the labelled faces contradict
    them.
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
        """Whether runs must not change it."""
        return self.origin == NameOrigin.PERSON
