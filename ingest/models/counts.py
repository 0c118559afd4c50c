"""FrameCount: how many frames an episode has of each kind, kept up to date by the database itself."""

from __future__ import annotations

from django.db import models

from ingest.models.frame import DropReason, FrameState


class FrameCount(models.Model):
    """Frames of one episode with one state and reason. Written by triggers only; see `ingest/counting.py`.

    Keys are plain numbers: a foreign key would delete rows in the middle of a cascade that still counts into them.
    """

    collection_id = models.BigIntegerField()
    episode_id = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=FrameState.choices)
    reason = models.CharField(max_length=20, choices=DropReason.choices, blank=True)
    with_faces = models.BooleanField()
    n = models.IntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("collection_id", "episode_id", "state", "reason", "with_faces"), name="frame_count_once"
            ),
        )
