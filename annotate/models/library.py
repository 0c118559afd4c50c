"""ModelJob, ModelTiming: work on the models folder, and the speed of models on this machine."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Job


class ModelJob(Job):
    """One download, check, import or measurement of a model, started on the models page."""

    class Act(models.TextChoices):
        DOWNLOAD = "download", "Download"
        VERIFY = "verify", "Check"
        IMPORT = "import", "Import"
        MEASURE = "measure", "Measure"

    act = models.CharField(max_length=10, choices=Act.choices)
    name = models.CharField(max_length=100)
    params = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    done_bytes = models.BigIntegerField(default=0)
    total_bytes = models.BigIntegerField(default=0)
    message = models.TextField(blank=True)  # the current file, then the result

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("name",), condition=models.Q(state__in=("queued", "running")), name="model_job_one_open"
            ),
        )


class ModelTiming(models.Model):
    """Milliseconds per picture of a model on a device of this machine, without reading files."""

    task = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64, blank=True)
    device = models.CharField(max_length=100)
    batch = models.PositiveSmallIntegerField(default=1)
    ms_per_picture = models.FloatField()
    opening_s = models.FloatField(default=0)
    pictures = models.PositiveIntegerField()
    measured_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-measured_at",)
        constraints = (models.UniqueConstraint(fields=("task", "name", "device"), name="model_timing_once"),)
