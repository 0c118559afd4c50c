"""Release, ReleasePicture: a frozen, named version of a dataset, and the stored files that it needs."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Collection, Frame, Job


class Release(Job):
    """A dataset as it was when somebody froze it: its manifest does not change when labels do.

    `number` counts the versions of a name. The row is work until its manifest is written (`file`, in the store).
    """

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="releases")
    name = models.CharField(max_length=120)
    number = models.PositiveIntegerField()
    notes = models.TextField(blank=True)
    params = models.JSONField(default=dict)  # the recipe
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    total = models.PositiveIntegerField(default=0)  # pictures, with crops
    done = models.PositiveIntegerField(default=0)
    counters = models.JSONField(default=dict, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    file = models.CharField(max_length=100, blank=True)  # the manifest in the store
    sha256 = models.CharField(max_length=64, blank=True)  # of the manifest's lines

    class Meta:
        ordering = ("-pk",)
        constraints = (models.UniqueConstraint(fields=("collection", "name", "number"), name="release_once"),)

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"


class ReleasePicture(models.Model):
    """A stored file that a release needs: it stays, also when its frame is dropped, retagged or deleted."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="release_pictures")
    release = models.ForeignKey(Release, models.CASCADE, related_name="pictures")
    key = models.CharField(max_length=40)  # of the picture in the manifest, without its crops
    file = models.CharField(max_length=100)
    frame = models.ForeignKey(Frame, models.SET_NULL, null=True, blank=True, related_name="release_pictures")

    class Meta:
        ordering = ("release_id", "key")
        constraints = (models.UniqueConstraint(fields=("release", "key"), name="release_picture_once"),)
        indexes = (models.Index(fields=("file",), name="release_picture_file"),)
