"""FaceExample: one face as an upscaling model draws it for the export page."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from ingest.models import Collection, Job


class FaceExample(Job):
    """Made once for what is asked; `digest` tells picture, crop, passes, size and the model's files apart.

    A cache: rows are few, the oldest go, and a backup leaves them out.
    """

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="face_examples")
    digest = models.CharField(max_length=64)
    params = models.JSONField(default=dict)  # how it is made: see export.preview.example_faces
    asked_at = models.DateTimeField()  # first, or again after it failed
    wanted_at = models.DateTimeField(default=timezone.now)  # by an open page, last
    data = models.BinaryField(null=True)  # WebP

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("collection", "digest"), name="face_example_once"),)
