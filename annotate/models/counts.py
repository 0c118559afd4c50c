"""Faces by character and origin, frames with a named face, frames by tag; see `FrameCount`."""

from __future__ import annotations

from django.db import models

from annotate.models.face import FaceState, NamedBy
from annotate.models.tag import TagState
from ingest.models import FrameState


class FaceCount(models.Model):
    """Faces of one episode by the frame's state, the face's state, character (0: none) and who named them.

    Written by triggers only; see `ingest/counting.py`. Keys are plain numbers, as in `FrameCount`.
    """

    collection_id = models.BigIntegerField()
    episode_id = models.BigIntegerField()
    frame_state = models.CharField(max_length=10, choices=FrameState.choices)
    state = models.CharField(max_length=12, choices=FaceState.choices)
    character_id = models.BigIntegerField()
    named_by = models.CharField(max_length=8, choices=NamedBy.choices, blank=True)
    n = models.IntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("collection_id", "episode_id", "frame_state", "state", "character_id", "named_by"),
                name="face_count_once",
            ),
        )


class NamedFrameCount(models.Model):
    """Frames of one episode and state on which at least one face has a name. Written by triggers only."""

    collection_id = models.BigIntegerField()
    episode_id = models.BigIntegerField()
    frame_state = models.CharField(max_length=10, choices=FrameState.choices)
    n = models.IntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("collection_id", "episode_id", "frame_state"), name="named_frame_count_once"
            ),
        )


class TagCount(models.Model):
    """Frames of a collection by tag and state (yes, no). Written by triggers only."""

    collection_id = models.BigIntegerField()
    tag_id = models.BigIntegerField()
    state = models.CharField(max_length=4, choices=TagState.choices)
    n = models.IntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection_id", "tag_id", "state"), name="tag_count_once"),)
