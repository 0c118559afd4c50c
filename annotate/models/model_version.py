"""ModelVersion: exactly which model a label comes from."""

from __future__ import annotations

from django.db import models


class ModelVersion(models.Model):
    """A model or algorithm that labels: every machine label points here."""

    task = models.CharField(max_length=20)  # faces, tags, embedding, identity
    name = models.CharField(max_length=100)
    revision = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)  # of the weights file; empty for pure algorithms
    licence = models.CharField(max_length=100, blank=True)
    settings = models.JSONField(default=dict, blank=True)  # thresholds and the like

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("task", "name", "revision", "sha256"), name="model_version_once"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.revision}".strip()
