"""Storage used by a collection and a person, and their limits.

What counts: uploaded files (unfinished ones too), and the pictures extracted from episodes: from those of a collection,
and from those that a person added. Files of the video library are stored elsewhere and do not count; their pictures do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum

from ingest.errors import KomaError
from ingest.humane import filesize
from ingest.imaging.store import UnknownName
from ingest.models import (
    Collection,
    CollectionLimits,
    Episode,
    EpisodeSize,
    FrameCount,
    Membership,
    PersonLimits,
    Role,
    Source,
    Upload,
)
from ingest.storage import stored_files
from ingest.storage.stored_files import store

MEASURE_MAX_S = 2.0  # of one sweep


class OverQuota(KomaError):
    """A limit set by a site admin would be exceeded; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What is stored, and the limits; 0 means no limit."""

    bytes: int
    pictures: int
    bytes_max: int
    pictures_max: int


def may_create(user: Any) -> bool:
    """Whether the person may create collections: as a site admin has set, else site admins, leads and admins."""
    if getattr(user, "is_superuser", False):
        return True
    allowed = PersonLimits.objects.filter(user=user).values_list("may_create", flat=True).first()
    return is_lead_somewhere(user) if allowed is None else allowed


def is_lead_somewhere(user: Any) -> bool:
    """The default of `may_create`."""
    return Membership.objects.filter(user=user, role__gte=Role.LEAD).exists()


def of_collection(collection: Collection) -> Usage:
    """Usage and limits of a collection."""
    limits = CollectionLimits.objects.filter(collection=collection).first()
    return Usage(
        *_used(
            Source.objects.filter(collection=collection),
            Upload.objects.filter(collection=collection),
            Episode.objects.filter(collection=collection),
        ),
        _limit(limits.bytes_max if limits else None, settings.KOMA_QUOTA_COLLECTION_BYTES),
        _limit(limits.pictures_max if limits else None, settings.KOMA_QUOTA_COLLECTION_PICTURES),
    )


def of_person(user: Any) -> Usage:
    """Usage and limits of a person, over all collections; site admins have no limit."""
    limits = PersonLimits.objects.filter(user=user).first()
    free = bool(user.is_superuser)
    return Usage(
        *_used(
            Source.objects.filter(added_by=user),
            Upload.objects.filter(user=user),
            Episode.objects.filter(source__added_by=user),
        ),
        0 if free else _limit(limits.bytes_max if limits else None, settings.KOMA_QUOTA_PERSON_BYTES),
        0 if free else _limit(limits.pictures_max if limits else None, settings.KOMA_QUOTA_PERSON_PICTURES),
    )


def check(*, collection: Collection, by: Any, more_bytes: int = 0, more_pictures: int = 0) -> None:
    """Raise OverQuota when so much more would exceed a limit of the collection or of the person (None: no person)."""
    _check(of_collection(collection), f"The collection {collection.name}", more_bytes, more_pictures)
    if by is not None:
        _check(of_person(by), by.get_username(), more_bytes, more_pictures)


class Allowance:
    """What a stage may still write for an episode; counts in memory, so that a long film queries the database once."""

    def __init__(self, collection: Collection, episode: Episode | None, *, again: bool) -> None:
        """`again`: the episode's pictures are overwritten."""
        by = episode.source.added_by if episode is not None else None
        used = _used_by(episode) if episode is not None and again else (0, 0)
        self._of = [(of_collection(collection), f"The collection {collection.name}")]
        if by is not None:
            self._of.append((of_person(by), by.get_username()))
        self._bytes, self._pictures = -used[0], -used[1]

    def spend(self, size: int, pictures: int) -> None:
        """Raise OverQuota when this batch would exceed a limit; call it before its files are written."""
        self._bytes += size
        self._pictures += pictures
        for usage, whose in self._of:
            _check(usage, whose, max(0, self._bytes), max(0, self._pictures))


def mark_changed(episode: Episode) -> None:
    """Note that the episode's files must be measured again."""
    if not EpisodeSize.objects.filter(pk=episode.pk).update(stale=True, changes=F("changes") + 1):
        EpisodeSize.objects.update_or_create(episode=episode, defaults={"stale": True})


def measure_changed() -> int:
    """Measure episodes with changed files, for at most MEASURE_MAX_S; returns how many. Workers call it."""
    sizes = EpisodeSize.objects.filter(episode=OuterRef("pk"))
    episodes = Episode.objects.filter(~Exists(sizes) | Exists(sizes.filter(stale=True))).order_by("pk")
    until, count = time.monotonic() + MEASURE_MAX_S, 0
    for episode in episodes.iterator(chunk_size=50):
        row, _ = EpisodeSize.objects.get_or_create(episode=episode)
        size = size_of(episode)
        # In one statement, and only where nothing changed meanwhile: a kill in between leaves the row stale.
        EpisodeSize.objects.filter(pk=row.pk, changes=row.changes).update(bytes=size, stale=False)
        count += 1
        if time.monotonic() > until:
            break
    return count


def size_of(episode: Episode) -> int:
    """Bytes of the stored files that the episode's rows refer to."""
    files, total = store(), 0
    for name in stored_files.names_of({"collection": episode.collection_id, "episode": episode}):
        try:
            total += files.path(name).stat().st_size
        except (FileNotFoundError, UnknownName):
            continue
    return total


def _used(sources: QuerySet[Source], uploads: QuerySet[Upload], episodes: QuerySet[Episode]) -> tuple[int, int]:
    """Bytes and number of pictures."""
    uploaded = sources.filter(uploaded=True).aggregate(n=Sum("size_bytes"))["n"] or 0
    coming = 0
    for upload in uploads.filter(source__isnull=True):
        coming += upload.size_bytes if upload.is_reserved() else upload.received
    derived = EpisodeSize.objects.filter(episode__in=episodes.order_by()).aggregate(n=Sum("bytes"))["n"] or 0
    keys = episodes.order_by().values("pk")
    pictures = FrameCount.objects.filter(episode_id__in=keys).aggregate(n=Sum("n"))["n"] or 0
    return uploaded + coming + derived, pictures


def _used_by(episode: Episode) -> tuple[int, int]:
    derived = EpisodeSize.objects.filter(pk=episode.pk).values_list("bytes", flat=True).first() or 0
    return derived, FrameCount.objects.filter(episode_id=episode.pk).aggregate(n=Sum("n"))["n"] or 0


def _limit(limit: int | None, default: int) -> int:
    return default if limit is None else limit


def _check(usage: Usage, whose: str, more_bytes: int, more_pictures: int) -> None:
    if usage.bytes_max and more_bytes and usage.bytes + more_bytes > usage.bytes_max:
        raise OverQuota(
            f"{whose} has {filesize(usage.bytes)} of {filesize(usage.bytes_max)} in use; {filesize(more_bytes)} "
            "more don't fit. Delete episodes, or ask a site admin for a higher limit."
        )
    if usage.pictures_max and more_pictures and usage.pictures + more_pictures > usage.pictures_max:
        raise OverQuota(
            f"{whose} has {usage.pictures:,} of {usage.pictures_max:,} pictures; {more_pictures:,} more don't fit. "
            "Delete episodes, or ask a site admin for a higher limit."
        )


def people() -> QuerySet[Any]:
    """All accounts with their limits, for the page of site admins."""
    lead = Membership.objects.filter(user=OuterRef("pk"), role__gte=Role.LEAD)
    return (
        get_user_model()
        .objects.filter(Q(is_active=True) | Q(last_login__isnull=False))
        .select_related("limits")
        .annotate(is_lead=Exists(lead))
        .order_by("username")
    )
