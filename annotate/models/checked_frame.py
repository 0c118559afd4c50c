"""CheckedFrame: a frame whose faces are all reviewed: every face has a box, and every box is a face."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Frame


class CheckedFrame(models.Model):
    """The boxes at that time have `box_by_person`; boxes that later runs add are not part of the ground truth."""

    frame = models.OneToOneField(Frame, models.CASCADE, related_name="faces_checked")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
