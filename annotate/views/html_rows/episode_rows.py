"""The rows of the episodes page, read as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.text import Truncator

from annotate.queries.figures import EpisodeFigures
from ingest.models import Collection, ImageType, episode_label
from ingest.views.macros import render_macro

FIELDS = ("series", "duration_s", "decoded", "warnings", "source__name", "source__image_type", "source__exportable")
NAME_MAX = 60
IMAGE_TYPES = {value: str(label) for value, label in ImageType.choices}
AT_WORK = frozenset(("running", "queued", "waiting"))


@dataclass(slots=True)
class Row:
    """An episode, its figures, names of stills, and state by stage (label, state)."""

    pk: int
    label: str
    series: str
    duration_s: float
    decoded: int
    warnings: list[str]
    source: str  # the name, short
    image_type: str  # in words; empty for screenshots
    exportable: bool
    counts: EpisodeFigures
    stills: Sequence[str] = ()
    stages: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        """Whether a stage is at work or waits for it."""
        return any(state in AT_WORK for _, state in self.stages)


def read(collection: Collection, figures: Mapping[int, EpisodeFigures]) -> list[Row]:
    """All episodes in order. One query."""
    rows = collection.episodes.values_list("pk", "number", "season", "title", *FIELDS)
    return [
        Row(
            pk=pk,
            label=episode_label(number, season, title),
            series=series,
            duration_s=duration_s,
            decoded=decoded,
            warnings=warnings,
            source=Truncator(name).chars(NAME_MAX),
            image_type="" if image_type == ImageType.SCREENSHOTS else IMAGE_TYPES.get(image_type, image_type),
            exportable=exportable,
            counts=figures.get(pk, EpisodeFigures()),
        )
        for pk, number, season, title, series, duration_s, decoded, warnings, name, image_type, exportable in rows
    ]


def html(rows: Iterable[Row], urls: Mapping[str, str], *, lead: bool) -> str:
    """The table's rows. `urls`: `files`, `episode` (then the key), `frames`, `start` and `runs`."""
    return render_macro("annotate/episodes.html", "episodes", rows, urls=urls, can_lead=lead)
