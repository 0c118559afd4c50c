"""Caption: the words of a person for a frame, which win over every recipe. ModelCaption: what a model wrote of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from annotate.models.model_version import ModelVersion
from ingest.models import Frame


class Caption(models.Model):
    frame = models.OneToOneField(Frame, models.CASCADE, related_name="caption")
    text = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)


class ModelCaption(models.Model):
    """The sentences of one model version about a frame; exports may use those of the row written last."""

    frame = models.ForeignKey(Frame, models.CASCADE, related_name="model_captions")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+")
    text = models.TextField()
    asked = models.CharField(max_length=64)  # of the CaptionAnswer: sha256 of model, prompt and picture
    written_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("frame", "model_version"), name="model_caption_once"),)


class CaptionAnswer(models.Model):
    """What a model answered to a question before, so that nobody pays twice; by content, not by frame."""

    asked = models.CharField(max_length=64, primary_key=True)
    text = models.TextField()
