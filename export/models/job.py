"""ExportJob: one build of a recipe, with its parameters frozen."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from export.models.release import Release
from ingest.models import Collection, Job


class ExportJob(Job):
    """A dataset being written, or written; of a release, or of the collection as it was then.

    `folder` is below KOMA_EXPORT_DIR and appears whole or not at all.
    """

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="export_jobs")
    release = models.ForeignKey(Release, models.RESTRICT, null=True, blank=True, related_name="export_jobs")
    name = models.CharField(max_length=200)
    params = models.JSONField(default=dict)  # the recipe as it was
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    counters = models.JSONField(default=dict, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    folder = models.CharField(max_length=400, blank=True)
    zip_file = models.CharField(max_length=400, blank=True)
    size_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("-pk",)
