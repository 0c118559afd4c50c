"""ModelJob, ModelTiming: what is being done to the models folder, and how fast models are on this machine."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Job


class ModelJob(Job):
    """One download, check, import or measurement of a model, asked for on the models page."""

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
    message = models.TextField(blank=True)  # the file it is at, then what came out

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("name",), condition=models.Q(state__in=("queued", "running")), name="model_job_one_open"
            ),
        )


class ModelTiming(models.Model):
    """How long a model takes for a picture on a device of this machine, reading of files left out."""

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
