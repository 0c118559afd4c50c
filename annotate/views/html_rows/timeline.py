"""The lanes of an episode's timeline: one path a kind of mark, and the frames' keys for the script."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ingest.views.macros import render_macro

UNITS = 1000  # the timeline's width
LEAST = 1.2  # of a mark


class Timeline:
    """Frames from `start` to `end` (seconds), as key, start and end in order.

    A mark is some twenty bytes of a path; `static/js/timeline.js` finds the frame under the pointer by the list of
    `frames()` and each lane's `data-frames`: places in that list.
    """

    def __init__(self, frames: Iterable[tuple[int, float, float]], start: float, end: float) -> None:
        unit = UNITS / max(0.001, end - start)
        self._place: dict[int, int] = {}
        self._rows: list[tuple[int, float, float, float]] = []  # key, left, width, start
        for pk, begin, stop in frames:
            self._place[pk] = len(self._rows)
            self._rows.append((pk, unit * (begin - start), max(LEAST, unit * (stop - begin)), begin))

    def frames(self) -> str:
        """Key, left and width (of 1000), and start in seconds of each frame, as JSON: numbers only."""
        rows = [[pk, round(left, 1), round(width, 1), round(start, 1)] for pk, left, width, start in self._rows]
        return json.dumps(rows, separators=(",", ":"))

    def lane(self, label: str, marks: Iterable[tuple[int, str]]) -> str:
        """Marks as wide as their frames are long, of pairs of a frame's key and a CSS class."""
        return self._lane(label, marks, y=3, height=14, thin=False)

    def thin_lane(self, label: str, frames: Iterable[int]) -> str:
        """Thin marks for dropped frames."""
        return self._lane(label, ((pk, "dropped") for pk in frames), y=5, height=10, thin=True)

    def _lane(self, label: str, marks: Iterable[tuple[int, str]], *, y: int, height: int, thin: bool) -> str:
        paths: dict[str, list[str]] = {}
        places: dict[int, None] = {}  # in order, each once: two faces of one frame are one mark
        for pk, kind in marks:
            place = self._place[pk]
            _, left, width, _ = self._rows[place]
            wide = 1.5 if thin else round(width, 1)
            paths.setdefault(kind, []).append(f"M{left:.1f} {y}h{wide}v{height}h-{wide}z")
            places[place] = None
        outlines = [(kind, "".join(parts)) for kind, parts in paths.items()]
        return render_macro(
            "annotate/timeline.html", "lane", label, frame_count=len(places), places=_deltas(places), paths=outlines,
            width=UNITS,
        )  # fmt: skip


def _deltas(places: Iterable[int]) -> str:
    """`0 3 4 9` as `0 3 1 5`: half as long."""
    before, parts = 0, []
    for place in places:
        parts.append(str(place - before))
        before = place
    return " ".join(parts)
