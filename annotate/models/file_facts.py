"""FileFacts and FileCaption: content of files next to a picture that is not a tag; recomputed from their texts."""

from __future__ import annotations

from django.db import models

from ingest.models import Frame


class FileFacts(models.Model):
    """Score and rating from the files, and notes on unused or unrecognized text."""

    frame = models.OneToOneField(Frame, models.CASCADE, related_name="file_facts")
    score = models.IntegerField(null=True, blank=True)
    rating = models.CharField(max_length=40, blank=True)  # "s" or "safe", as in the file
    rating_scheme = models.CharField(max_length=4, blank=True)  # the scheme for its letter: old, new, or unknown
    left = models.JSONField(default=list, blank=True)  # texts

    class Meta:
        indexes = (models.Index(fields=("score", "frame"), name="file_facts_score"),)

    @property
    def rating_unread(self) -> bool:
        """Whether there is a rating of unknown meaning."""
        return any(text.startswith("rating ") for text in self.left)


class FileCaption(models.Model):
    """A caption from a file next to a picture, or next to a dropped duplicate of it."""

    frame = models.ForeignKey(Frame, models.CASCADE, related_name="file_captions")
    beside = models.ForeignKey(Frame, models.CASCADE, related_name="+")  # the frame itself, or its copy
    position = models.PositiveIntegerField()
    text = models.TextField()

    class Meta:
        ordering = ("frame_id", "position")
        constraints = (models.UniqueConstraint(fields=("frame", "position"), name="file_caption_once"),)
