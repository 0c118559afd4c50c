"""Draws what a page has hundreds or thousands of as text: crops, marks of the timeline, bars of the characters.

A template takes ten times as long for each. Whatever came from outside is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from annotate.algorithms.query import Term
from ingest.models import Collection
from ingest.templatetags.humane import timecode

HIGH = 24  # of the bars


def bases(collection: Collection) -> dict[str, str]:
    """What addresses of stored files (`files`) and of frames (`frame_base`, then the key) begin with."""
    return {
        "files": reverse("file", args=[collection.pk, "x"])[:-1],
        "frame_base": reverse("frame", args=[collection.pk, 0]).removesuffix("0/"),
    }


class Marks:
    """Marks of an episode's frames: each a link to its frame, at its time."""

    def __init__(self, frames: Iterable[Mapping[str, Any]], length: float, base: str) -> None:
        """`length` of the episode in seconds; the timeline is 1000 units wide."""
        self._parts = {f["pk"]: self._part(f, length, base) for f in frames}

    @staticmethod
    def _part(frame: Mapping[str, Any], length: float, base: str) -> tuple[str, str, str]:
        x = round(1000 * frame["time_s"] / length, 2)
        width = round(max(1.2, 1000 * (frame["end_s"] - frame["time_s"]) / length), 2)
        shown = f'data-preview="{escape(frame["preview"])}" data-time="{timecode(frame["time_s"])}"/></a>'
        return f'<a href="{base}{frame["pk"]}/" tabindex="-1"><rect x="{x}" ', f'width="{width}" ', shown

    def draw(self, marks: Iterable[tuple[int, str]]) -> SafeString:
        """Marks as wide as their frames are long, of pairs of a frame's key and a class of our own."""
        parts = self._parts
        drawn = []
        for pk, kind in marks:
            begin, width, end = parts[pk]
            drawn.append(f'{begin}{width}class="{kind}" y="3" height="14" {end}')
        return mark_safe("".join(drawn))

    def draw_thin(self, frames: Iterable[int]) -> SafeString:
        """Thin marks for dropped frames."""
        parts = self._parts
        drawn = [f'{parts[pk][0]}width="1.5" class="dropped" y="5" height="10" {parts[pk][2]}' for pk in frames]
        return mark_safe("".join(drawn))


def shots(rows: Iterable[Mapping[str, Any]], *, files: str, frames: str, episode: int) -> SafeString:
    """The strip of shots, each as wide as it is long: rows of `index`, `start`, `length` (seconds) and `preview`."""
    drawn = []
    for row in rows:
        still = f"background-image:url({files}{escape(row['preview'])})" if row["preview"] else ""
        at, index = timecode(row["start"]), row["index"]
        drawn.append(
            f'<a href="{frames}?q=episode:{episode}+shot:{index}" style="--len:{row["length"]};{still}" '
            f'title="Shot {index}, {at}" aria-label="Shot {index} at {at}"></a>'
        )
    return mark_safe("".join(drawn))


def bars(
    counts: Mapping[tuple[int, int], int], people: Sequence[int], labels: Mapping[int, str]
) -> dict[int, SafeString]:
    """For each of the people a bar an episode (`labels` by key, in order) as high as the faces are many."""
    most = max(counts.values(), default=1)
    width = 100 / max(1, len(labels))
    wide = round(max(width - 1, width * 0.7), 2)
    places = [
        (pk, f'<rect x="{round(i * width, 2)}" width="{wide}" y="', escape(text))
        for i, (pk, text) in enumerate(labels.items())
    ]
    found = {}
    for person in people:
        drawn = []
        for episode, begin, label in places:
            n = counts.get((person, episode), 0)
            if n:
                high = round(HIGH * n / most, 1)
                drawn.append(f'{begin}{round(HIGH - high, 1)}" height="{high}"><title>{label}: {n:,}</title></rect>')
        found[person] = mark_safe("".join(drawn))
    return found


def crops(rows: Iterable[Mapping[str, Any]], *, places: Mapping[str, str], strength: int, can_edit: bool) -> SafeString:
    """Face crops to click out of a cluster: rows of `pk`, `frame_id`, `crop`, `score` and `place` (words).

    `places` as `bases` gives them; `strength` in percent is how surely they are one person.
    """
    files, frames = places["files"], places["frame_base"]
    drawn = []
    for row in rows:
        pk, place, score = row["pk"], escape(row["place"]), f"{row['score']:.2f}"
        pick = f'<input type="checkbox" name="out" value="{pk}" aria-label="Take out: {place}">' if can_edit else ""
        image = f'<img src="{files}{escape(row["crop"])}" width="72" height="72" loading="lazy" alt="">'
        drawn.append(
            f'<label class="crop said-model" id="crop{pk}" style="--s:{strength}%" title="{place}, {score}">{pick}'
            f"{image if row['crop'] else ''}"
            f'<a href="{frames}{row["frame_id"]}/" tabindex="-1" class="open" title="Open the frame">↗</a></label>'
        )
    return mark_safe("".join(drawn))


def entries(values: Iterable[tuple[str, str]], *, key: str, rest: str, chosen: str | None) -> SafeString:
    """The entries of a filter's menu, of pairs of a value and its words; `rest` is the query without this filter."""
    begin = f'<a href="?q={quote(rest)}'
    drawn = []
    for value, text in values:
        on = (' aria-current="true"', "✓ ") if value == chosen else ("", "")
        drawn.append(f'{begin}{quote(str(Term(key, value)))}"{on[0]}>{on[1]}{escape(text)}</a>')
    return mark_safe("".join(drawn))
