"""Caption: the words of a person for a frame; they win over every recipe."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Frame


class Caption(models.Model):
    frame = models.OneToOneField(Frame, models.CASCADE, related_name="caption")
    text = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)
