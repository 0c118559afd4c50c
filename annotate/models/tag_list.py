"""TagList: an uploaded list of a collection by which tags of models are dropped."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Collection


class TagList(models.Model):
    """Implied or unwanted tags. At most one list per kind is in use; older ones can be chosen again."""

    class Kind(models.TextChoices):
        INCLUDED = "included", "Implied tags"
        UNWANTED = "unwanted", "Unwanted tags"

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="tag_lists")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=200)  # of the file, as the person sees it
    text = models.TextField()  # the file's text
    digest = models.CharField(max_length=16)
    tags = models.PositiveIntegerField()  # how many it lists
    used = models.BooleanField(default=False)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("collection", "kind"), condition=models.Q(used=True), name="tag_list_one_used"
            ),
            models.UniqueConstraint(fields=("collection", "kind", "digest"), name="tag_list_once"),
        )
