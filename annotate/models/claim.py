"""Claim and Presence: who works on an item right now, and who looks at a page. Both run out by themselves."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Collection


class ItemKind(models.TextChoices):
    """What can be worked on: its key is that of the row."""

    CLUSTER = "cluster", "cluster of faces"


class Claim(models.Model):
    """A reviewer holds an item until `until`, so that others take the next one.

    It never stands in the way of an answer: the versions of what was answered decide.
    """

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="claims")
    kind = models.CharField(max_length=12, choices=ItemKind.choices)
    item = models.BigIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    until = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "kind", "item"), name="claim_once"),)
        indexes = (models.Index(fields=("collection", "until"), name="claim_open"),)


class Presence(models.Model):
    """Somebody has a page of a collection open; `place` names it: `faces`, `frame:12`, `character:3`."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    place = models.CharField(max_length=40)
    until = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "user", "place"), name="presence_once"),)
        indexes = (models.Index(fields=("collection", "place", "until"), name="presence_here"),)
