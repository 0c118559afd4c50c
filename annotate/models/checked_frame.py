"""CheckedFrame: a person says that every face of a frame has its box, and that every box is one."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Frame


class CheckedFrame(models.Model):
    """The boxes that were there then carry `box_by_person`; what a run finds later is no part of the truth."""

    frame = models.OneToOneField(Frame, models.CASCADE, related_name="faces_checked")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
