"""Operation and Revision: the append-only history. The operation is the unit of undo."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models.collection import Collection


class Operation(models.Model):
    """One thing that a person (or a run) did, with all its changes."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="operations")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    model = models.CharField(max_length=100, blank=True)  # "name revision" when a model did it
    kind = models.CharField(max_length=40)  # "faces.name", "tags.add"...: app noun and verb
    summary = models.CharField(max_length=300)  # "38 faces named KuraueHinata"
    at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    passed_at = models.DateTimeField(null=True, blank=True)  # nothing of it could be undone: the undo key goes past it
    undoes = models.OneToOneField("self", models.SET_NULL, null=True, blank=True, related_name="undone_by")
    key = models.CharField(max_length=64, blank=True)  # idempotency key of the request: a double submit writes once

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=("collection", "by", "-id"), name="operation_mine"),)
        constraints = (
            models.UniqueConstraint(
                fields=("collection", "by", "key"), condition=~models.Q(key=""), name="operation_key_once"
            ),
        )


class Revision(models.Model):
    """One row before and after. `before` is null when it was created, `after` when it was deleted."""

    operation = models.ForeignKey(Operation, models.CASCADE, related_name="revisions")
    model = models.CharField(max_length=60)  # "annotate.Face"
    object_id = models.BigIntegerField()
    frame_id = models.BigIntegerField(null=True, blank=True)  # whose history page shows it
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        ordering = ("pk",)
        indexes = (
            models.Index(fields=("frame_id",), name="revision_frame"),
            models.Index(fields=("model", "object_id"), name="revision_object"),
        )
