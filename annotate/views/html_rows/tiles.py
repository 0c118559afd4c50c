"""The tiles of the frames page, read as plain values: a page has sixty, and each has many parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from annotate.models import Face, FaceState
from annotate.views.html_rows.parts import list_query
from ingest.actions.frames import form_state
from ingest.humane import timecode
from ingest.models import DropReason, Frame, FrameState, episode_label
from ingest.views.macros import render_macro

FIELDS = (
    *("pk", "episode_id", "index", "time_s", "name", "width", "height", "preview", "placeholder", "state", "reason"),
    *("distance", "excluded", "decided_by_id", "episode__number", "episode__season", "episode__title"),
)
REASONS = {value: str(label) for value, label in DropReason.choices}


@dataclass(slots=True)
class _Tile:
    pk: int
    width: int
    height: int
    preview: str
    placeholder: str
    name: str
    place: str
    names: list[str]  # of characters
    unnamed: int  # faces
    copies: int
    shown: str  # the state as a form says it
    dropped: bool
    excluded: bool
    reason: str
    distance: float | None


def read(keys: Iterable[int]) -> list[Any]:
    """Rows of FIELDS in page order."""
    return list(Frame.objects.filter(pk__in=list(keys)).values_list(*FIELDS, named=True))


def html(rows: Sequence[Any], places: Mapping[str, str], *, query: str = "", swapped: bool = False) -> str:
    """The tiles of rows as `read` gives them: two queries for the names and copies of all.

    `places` as `parts.bases` gives them; `query` filters the list that the tiles are of; `swapped` for tiles
    that htmx puts in the place of those on the page.
    """
    keys = [row.pk for row in rows]
    names: dict[int, set[str]] = {}
    unnamed: dict[int, int] = {}
    faces = Face.objects.filter(frame_id__in=keys, state=FaceState.FACE).values_list("frame_id", "character__name")
    for frame, name in faces:
        if name:
            names.setdefault(frame, set()).add(name)
        else:
            unnamed[frame] = unnamed.get(frame, 0) + 1
    copies = dict(
        Frame.objects.filter(duplicate_of_id__in=keys).values_list("duplicate_of").annotate(n=Count("pk")).order_by()
    )
    tiles = [_tile(row, sorted(names.get(row.pk, ())), unnamed.get(row.pk, 0), copies.get(row.pk, 0)) for row in rows]
    return render_macro(
        "annotate/tiles.html",
        "tiles",
        tiles,
        files=places["files"],
        frames=places["frame_base"],
        query=list_query(query),
        swapped=swapped,
    )


def _tile(row: Any, names: list[str], unnamed: int, copies: int) -> _Tile:
    label = episode_label(row.episode__number, row.episode__season, row.episode__title)
    return _Tile(
        pk=row.pk,
        width=row.width,
        height=row.height,
        preview=row.preview,
        placeholder=row.placeholder,
        name=row.name,
        place=f"{label} {timecode(row.time_s)}",
        names=names,
        unnamed=unnamed,
        copies=copies,
        shown=form_state(state=row.state, excluded=row.excluded, decided_by_id=row.decided_by_id),
        dropped=row.state == FrameState.DROPPED,
        excluded=row.excluded,
        reason=REASONS.get(row.reason, row.reason),
        distance=row.distance,
    )
