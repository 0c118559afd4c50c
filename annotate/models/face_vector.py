"""FaceVector: a vector of a face by another embedder than the collection's."""

from __future__ import annotations

from django.db import models

from annotate.models.face import Face
from annotate.models.model_version import ModelVersion
from ingest.history_rules import HistoryRules


class FaceVector(models.Model):
    """Packed in the embedder's format. Stale once the face has another crop; computed on demand, so not in backups."""

    face = models.ForeignKey(Face, models.CASCADE, related_name="vectors")
    model_version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="+")
    head = models.CharField(max_length=100)  # the crop that was described, by its name
    data = models.BinaryField()

    history = HistoryRules(computed=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("model_version", "face"), name="face_vector_once"),)
