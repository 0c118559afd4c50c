"""Correct what a file's name said about an episode, and what may be done with its source."""

from __future__ import annotations

from typing import Any

from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.errors import BadInput
from ingest.models import Episode, ImageType, Operation, Source

SEASON_MAX = 999


def edit(
    *,
    episode: Episode,
    series: str,
    season: str,
    number: str,
    title: str,
    image_type: str,
    licence_note: str,
    exportable: bool,
    by: Any,
) -> Operation:
    """Write the corrected values in one operation; BadInput names the field that cannot be used."""
    if season.strip() and not (season.strip().isdigit() and int(season) <= SEASON_MAX):
        raise BadInput(f"Season is a number up to {SEASON_MAX} or empty, not {season!r}.")
    if image_type not in ImageType.values:
        raise BadInput(f"Image type is one of {', '.join(ImageType.values)}.")
    if not title.strip():
        raise BadInput("An episode needs a title.")
    collection = episode.collection
    with history.operation(collection=collection, by=by, kind="episodes.edit", summary=f"{title} edited") as record:
        row = Episode.objects.select_for_update().get(pk=episode.pk)
        before = snapshot(row, names=("series", "season", "number", "title"))
        row.series, row.title = series.strip()[:200], title.strip()[:300]
        row.season = int(season) if season.strip() else None
        row.number = number.strip()[:20]
        row.save(update_fields=["series", "season", "number", "title"])
        record.changed(row, before=before)
        source = Source.objects.select_for_update().get(pk=row.source_id)
        before = snapshot(source, names=("image_type", "licence_note", "exportable"))
        source.image_type, source.licence_note, source.exportable = image_type, licence_note.strip(), exportable
        source.save(update_fields=["image_type", "licence_note", "exportable"])
        record.changed(source, before=before)
    return record.operation
