"""Limits set by site admins: who may create collections, how much may be stored, which library folders are visible."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models.collection import Collection
from ingest.models.source import Episode

# Of the limits below: empty means the site's own (KOMA_QUOTA_*), 0 means none.


class PersonLimits(models.Model):
    """The limits of a person; without a row the site's defaults apply."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="limits")
    may_create = models.BooleanField(null=True, blank=True)  # collections; empty: by their roles
    bytes_max = models.BigIntegerField(null=True, blank=True)
    pictures_max = models.BigIntegerField(null=True, blank=True)


class CollectionLimits(models.Model):
    """The limits of a collection; without a row it sees no library folder and the site's defaults apply."""

    collection = models.OneToOneField(Collection, models.CASCADE, related_name="limits")
    all_folders = models.BooleanField(default=False)  # every folder of KOMA_LIBRARY_DIRS, also those set later
    folders = models.JSONField(default=list, blank=True)  # paths as KOMA_LIBRARY_DIRS names them
    bytes_max = models.BigIntegerField(null=True, blank=True)
    pictures_max = models.BigIntegerField(null=True, blank=True)


class EpisodeSize(models.Model):
    """Bytes of the pictures of an episode, measured on the disk; a stale row is measured again.

    `changes` counts how often its files changed: a measurement that was overtaken leaves the row stale.
    """

    episode = models.OneToOneField(Episode, models.CASCADE, related_name="stored", primary_key=True)
    bytes = models.BigIntegerField(default=0)
    stale = models.BooleanField(default=True)
    changes = models.PositiveIntegerField(default=0, db_default=0)
