"""Caption: a person's caption of a frame, used instead of any recipe. ModelCaption: a model's caption of a frame."""

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
    """The caption of a frame by one model version; exports may use the one that was written last."""

    frame = models.ForeignKey(Frame, models.CASCADE, related_name="model_captions")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+")
    text = models.TextField()
    asked = models.CharField(max_length=64)  # of the CaptionAnswer: sha256 of model, prompt and picture
    written_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("frame", "model_version"), name="model_caption_once"),)


class CaptionAnswer(models.Model):
    """A captioning model's answer to an earlier request, by content and not by frame, so that nobody pays twice."""

    asked = models.CharField(max_length=64, primary_key=True)
    text = models.TextField()
