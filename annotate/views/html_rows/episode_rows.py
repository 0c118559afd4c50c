"""The rows of the episodes page, read as plain values and drawn as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from annotate.queries.figures import EpisodeFigures
from ingest.humane import percent_of, timecode
from ingest.models import Collection, ImageType, episode_label
from ingest.views.html_rows import dots

FIELDS = ("series", "duration_s", "decoded", "warnings", "source__name", "source__image_type", "source__exportable")
NAME_MAX = 60
IMAGE_TYPES = dict(ImageType.choices)
AT_WORK = frozenset(("running", "queued", "waiting"))


@dataclass(slots=True)
class Row:
    """An episode: FIELDS as `values`, its figures, names of stills, and state by stage (label, state)."""

    pk: int
    label: str
    values: tuple[Any, ...]
    counts: EpisodeFigures
    stills: Sequence[str] = ()
    stages: list[tuple[str, str]] = field(default_factory=list)


def read(collection: Collection, figures: Mapping[int, EpisodeFigures]) -> list[Row]:
    """All episodes in order. One query."""
    found = collection.episodes.values_list("pk", "number", "season", "title", *FIELDS)
    return [
        Row(pk, episode_label(number, season, title), tuple(values), figures.get(pk, EpisodeFigures()))
        for pk, number, season, title, *values in found
    ]


def draw(rows: Iterable[Row], urls: Mapping[str, str], *, lead: bool) -> SafeString:
    """The table's rows. `urls`: `files`, `episode` (then the key), `frames`, `start` and `runs`."""
    return mark_safe("".join(_row(row, urls, lead=lead) for row in rows))


def _row(row: Row, urls: Mapping[str, str], *, lead: bool) -> str:
    series, duration, decoded, warnings, name, image_type, exportable = row.values
    here, counts = f"{urls['episode']}{row.pk}/", row.counts
    stills = "".join(
        f'<img src="{urls["files"]}{escape(still)}" width="50" height="32" loading="lazy" alt="">'
        for still in row.stills
    )
    about = escape(Truncator(name).chars(NAME_MAX))
    if image_type != ImageType.SCREENSHOTS:
        about += f" · {escape(str(IMAGE_TYPES.get(image_type, image_type)))}"
    about += "" if exportable else ' · <span class="warn">not for export</span>'
    seen = "".join(f'<br><span class="small warn">⚠ {escape(str(warning))}</span>' for warning in warnings)
    of = f'<br> <span class="small dim" style="white-space:nowrap">of {decoded:,}</span>' if decoded else ""
    named = '<span class="dim">–</span>'
    if counts.faces:
        share = percent_of(counts.named, counts.faces)
        named = f'<div class="row"><span class="bar grow"><b style="width:{share}%"></b></span>{share} %</div>'
    run = ""
    if any(state in AT_WORK for _, state in row.stages):
        run = f'<a class="btn quiet" href="{urls["runs"]}">Running…</a>'
    elif lead:
        run = f'<a class="btn quiet" href="{urls["start"]}?episode={row.pk}">Run</a>'
    shown = f' <span class="dim">{escape(series)}</span>' if series else ""
    return (
        f'<tr><td><a class="strip" href="{here}" tabindex="-1">{stills}</a></td>\n'
        f'<td><a class="link" href="{here}"><b>{escape(row.label)}</b></a>'
        f'{shown}<br><span class="small dim">{about}</span>{seen}</td>\n'
        f'<td class="num" data-word="length">{timecode(duration) if duration else "–"}</td>'
        f'<td class="num" data-word="kept">'
        f'<a class="link" href="{urls["frames"]}?q=episode:{row.pk}">{counts.kept:,}</a>{of}</td>'
        f'<td class="num" data-word="with faces">{counts.with_faces:,}</td>\n<td data-word="named">{named}</td>\n'
        f'<td data-word="stages">{dots(row.stages)}</td><td class="num">{run}</td></tr>'
    )
