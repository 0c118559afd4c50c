"""Claim and Presence: who works on which item, and who has which page open. Both expire."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Collection


class ItemKind(models.TextChoices):
    """What can be held; a claim's key is that of the row."""

    CLUSTER = "cluster", "cluster of faces"


class Claim(models.Model):
    """A reviewer holds an item until `until`, so that others get the next one.

    It never blocks a label: the versions of the labelled rows decide.
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
    """A person has a page of a collection open; `place` names it: `faces`, `frame:12`, `character:3`."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    place = models.CharField(max_length=40)
    until = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "user", "place"), name="presence_once"),)
        indexes = (models.Index(fields=("collection", "place", "until"), name="presence_here"),)
