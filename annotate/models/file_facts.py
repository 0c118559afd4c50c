"""FileFacts and FileCaption: what files beside a picture say of it that is no tag; made anew from their texts."""

from __future__ import annotations

from django.db import models

from ingest.models import Frame


class FileFacts(models.Model):
    """Score and rating as in the files, and notes on what was not understood or not used."""

    frame = models.OneToOneField(Frame, models.CASCADE, related_name="file_facts")
    score = models.IntegerField(null=True, blank=True)
    rating = models.CharField(max_length=40, blank=True)  # "s" or "safe", as it stands there
    rating_scheme = models.CharField(max_length=4, blank=True)  # by which its letter was read: old, new, or not known
    left = models.JSONField(default=list, blank=True)  # texts

    class Meta:
        indexes = (models.Index(fields=("score", "frame"), name="file_facts_score"),)

    @property
    def rating_unread(self) -> bool:
        """Whether there is a rating whose meaning is not known."""
        return any(text.startswith("rating ") for text in self.left)


class FileCaption(models.Model):
    """A sentence or more about a picture from a file beside it, or beside a copy that was dropped."""

    frame = models.ForeignKey(Frame, models.CASCADE, related_name="file_captions")
    beside = models.ForeignKey(Frame, models.CASCADE, related_name="+")  # the frame itself, or its copy
    position = models.PositiveIntegerField()
    text = models.TextField()

    class Meta:
        ordering = ("frame_id", "position")
        constraints = (models.UniqueConstraint(fields=("frame", "position"), name="file_caption_once"),)
