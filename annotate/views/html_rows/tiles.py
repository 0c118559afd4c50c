"""The tiles of the frames page, read as plain values and drawn as text: a page has sixty, and each has many parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from django.db.models import Count
from django.utils.safestring import SafeString, mark_safe

from annotate.models import Face, FaceState
from ingest import humane
from ingest.actions.frames import shown
from ingest.humane import timecode
from ingest.models import DropReason, Frame, FrameState, episode_label

FIELDS = (
    *("pk", "episode_id", "index", "time_s", "name", "width", "height", "preview", "placeholder", "state", "reason"),
    *("distance", "excluded", "decided_by_id", "episode__number", "episode__season", "episode__title"),
)
REASONS = dict(DropReason.choices)


def read(keys: Iterable[int]) -> list[Any]:
    """Rows of FIELDS in page order."""
    return list(Frame.objects.filter(pk__in=list(keys)).values_list(*FIELDS, named=True))


def draw(rows: Sequence[Any], places: Mapping[str, str], *, swapped: bool = False) -> SafeString:
    """The tiles of rows as `read` gives them: two queries for the names and copies of all.

    `places` as `parts.bases` gives them; `swapped` for tiles that htmx puts in the place of those on the page.
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
    where = ' hx-swap-oob="true"' if swapped else ""
    return mark_safe(
        "".join(
            _tile(row, places, sorted(names.get(row.pk, ())), unnamed.get(row.pk, 0), copies.get(row.pk, 0), where)
            for row in rows
        )
    )


def _tile(row: Any, places: Mapping[str, str], names: Sequence[str], unnamed: int, copies: int, where: str) -> str:
    pk, frames, size = row.pk, places["frame_base"], f'width="{row.width}" height="{row.height}"'
    label = episode_label(row.episode__number, row.episode__season, row.episode__title)
    place = escape(f"{label} {timecode(row.time_s)}")
    dropped = row.state == FrameState.DROPPED
    kind = f"tile{' dropped' if dropped else ''}{' excluded' if row.excluded else ''}"
    blurred = f' style="background-image:url({escape(row.placeholder)})"' if row.placeholder else ""
    people = [escape(name) for name in names]
    title = ", ".join(people) if people else f'<span class="dim">{escape(row.name) or place}</span>'
    seen = shown(state=row.state, excluded=row.excluded, decided_by_id=row.decided_by_id)
    badges = ""
    if unnamed:
        without = f"{humane.count(unnamed, 'face')} without a name"
        badges += f'<span class="badge warn" title="{without}">? {unnamed}</span>'
    if copies:
        like = f"{frames}?q=like:{pk}"
        badges += f'<a class="badge" href="{like}" title="{copies} similar, dropped">≈ {copies}</a>'
    if row.excluded:
        badges += '<span class="badge" title="left out of exports">⊘ out</span>'
    if dropped:
        reason = escape(str(REASONS.get(row.reason, row.reason)))
        far = ("", "") if row.distance is None else (f", distance {row.distance:.2f}", f" {row.distance:.3f}")
        badges += f'<span class="badge" title="{reason}{far[0]}">✕ {reason}{far[1]}</span>'
    return (
        f'<div class="{kind}" id="f{pk}" data-id="{pk}" style="--w:{row.width};--hh:{row.height}"{where}>\n'
        f'<a href="{frames}{pk}/" tabindex="-1"><img src="{places["files"]}{escape(row.preview)}" {size} '
        f'loading="lazy" decoding="async" alt="{" ".join([place, *people])}"{blurred}></a>\n'
        f'<label class="pick"><input type="checkbox" name="frame" value="{pk}:{seen}" '
        f'aria-label="Select {place}"></label>\n'
        f'<span class="tile-foot"><span class="clip">{title}</span><span class="grow"></span>\n{badges}</span></div>\n'
    )
