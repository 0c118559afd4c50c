"""The simple ways to pick frames (key frames, intervals, mpdecimate), with the same face as the drawings gate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.gate import Drawing, View
from ingest.algorithms.mpdecimate import Mpdecimate
from ingest.algorithms.quality import emptiness
from ingest.algorithms.sampling import Interval
from ingest.algorithms.scenes import Cuts
from ingest.imaging.planes import eight_bit_planes


class Picker(Protocol):
    """Takes views in order and gives drawings back; `shot_starts` holds the times (s) of cuts so far."""

    shot_starts: list[float]

    def add(self, view: View) -> Iterator[Drawing]:
        """Takes one frame; yields what is decided."""
        ...

    def finish(self) -> Iterator[Drawing]:
        """Yields what is left."""
        ...


class Everything:
    """Takes every frame, or one an interval; the frames until the next one taken make its run."""

    def __init__(self, interval: Interval | None = None, *, full_range: bool = False) -> None:
        self.shot_starts: list[float] = []
        self._interval, self._full_range = interval, full_range
        self._cuts = Cuts()
        self._held: Drawing | None = None

    def takes(self, view: View) -> bool:
        """Whether this view begins a new picture."""
        return self._interval is None or self._interval.add(view.time_s)

    def add(self, view: View) -> Iterator[Drawing]:
        """See Picker."""
        if self._cuts.add(view.cells):
            self.shot_starts.append(view.time_s)
        if self._held is not None and not self.takes(view):
            self._held.count += 1
            self._held.last_s = view.time_s
            return
        if self._held is None:
            self.takes(view)
        yield from self.finish()
        reason = emptiness(view.cells, full_range=self._full_range)
        shot = len(self.shot_starts) - 1
        self._held = Drawing(view, shot, view.time_s, view.time_s, view.number, reason=reason)

    def finish(self) -> Iterator[Drawing]:
        """See Picker."""
        held, self._held = self._held, None
        if held is not None:
            yield held


class MpdecimateMode(Everything):
    """Takes what ffmpeg's mpdecimate would let through."""

    def __init__(self, *, full_range: bool = False) -> None:
        super().__init__(full_range=full_range)
        self._rule = Mpdecimate()

    def takes(self, view: View) -> bool:
        """See Everything. `view.token` is the decoded frame."""
        return self._rule.add(_planes(view.token))


def _planes(frame: Any) -> list[NDArray[np.uint8]]:
    return eight_bit_planes(frame)
