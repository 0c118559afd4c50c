"""The simple modes of picking frames (key frames, intervals, mpdecimate), with the interface of the drawings gate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from av.video.frame import VideoFrame

from ingest.algorithms.gate import Drawing, View
from ingest.algorithms.mpdecimate import Mpdecimate
from ingest.algorithms.quality import emptiness
from ingest.algorithms.sampling import Interval
from ingest.algorithms.scenes import Cuts
from ingest.imaging.planes import eight_bit_planes

FilmView = View[VideoFrame]
FilmDrawing = Drawing[VideoFrame]


class Picker(Protocol):
    """Takes views in order and yields drawings; `shot_starts` holds the times (seconds) of the cuts so far."""

    shot_starts: list[float]

    def add(self, view: FilmView) -> Iterator[FilmDrawing]:
        """Take one frame; yield the drawings that are final."""
        ...

    def finish(self) -> Iterator[FilmDrawing]:
        """Yield the remaining drawings."""
        ...


class Everything:
    """Takes every frame, or one per interval; the frames until the next one belong to its run."""

    def __init__(self, interval: Interval | None = None, *, full_range: bool = False) -> None:
        self.shot_starts: list[float] = []
        self._interval, self._full_range = interval, full_range
        self._cuts = Cuts()
        self._held: FilmDrawing | None = None

    def starts_run(self, view: FilmView) -> bool:
        """Whether this view begins a new run."""
        return self._interval is None or self._interval.add(view.time_s)

    def add(self, view: FilmView) -> Iterator[FilmDrawing]:
        """See Picker."""
        if self._cuts.add(view.cells):
            self.shot_starts.append(view.time_s)
        if self._held is not None and not self.starts_run(view):
            self._held.count += 1
            self._held.last_s = view.time_s
            return
        if self._held is None:
            self.starts_run(view)
        yield from self.finish()
        reason = emptiness(view.cells, full_range=self._full_range)
        shot = len(self.shot_starts) - 1
        self._held = Drawing(view, shot, view.time_s, view.time_s, view.number, reason=reason)

    def finish(self) -> Iterator[FilmDrawing]:
        """See Picker."""
        held, self._held = self._held, None
        if held is not None:
            yield held


class MpdecimateMode(Everything):
    """Takes the frames that ffmpeg's mpdecimate keeps."""

    def __init__(self, *, full_range: bool = False) -> None:
        super().__init__(full_range=full_range)
        self._rule = Mpdecimate()

    def starts_run(self, view: FilmView) -> bool:
        """See Everything."""
        assert view.frame is not None  # only emitted drawings give theirs up
        return self._rule.add(eight_bit_planes(view.frame))
