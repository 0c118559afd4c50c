"""Finds the distinct drawings of a film: a picture that is held, animated, panned or faded becomes one drawing.

Two frames show the same drawing when no small area differs. What counts is the largest mean difference of any 3x3 cell
of a half- or quarter-size picture, in luma and in both chroma planes. Its limit rises with the mean difference of the
whole picture, which allows for film grain. A frame is compared with every drawing of its shot, so a mouth that opens
and closes adds two drawings, not fifty.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.camera import Move, Pyramid, align, guess_shift, is_explained_by_move
from ingest.algorithms.quality import blend_share, coarse_cells, emptiness
from ingest.algorithms.scenes import Cuts

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


NO_STEP = Move().minus(Move())  # a camera that stands still, in the units of `Move.minus`
FrameT = TypeVar("FrameT")  # the caller's own full-size picture of a view


@dataclass(frozen=True)
class GateParams:
    """Limits of the gate. A level is a step of a luma or chroma plane of 0..255.

    Two views show the same drawing when the mean difference of every 3x3 cell is at most `floor + per_mean * m`
    levels, where m is the fine-grained mean difference of the whole picture. A line one pixel wide fills a third of a
    cell, so with a floor of 6 it counts from a contrast of 18 levels. Raise `luma_floor` for fewer frames, lower it to
    separate fainter differences, such as those of eyes.
    """

    luma_floor: float = 6.0
    """Levels: the error of a compressed held picture stays below it, a thin line of a mouth does not."""
    luma_per_mean: float = 3.0
    """Ratio: the worst 3x3 cell of even grain differs by 2.4 times the mean; 3 leaves a margin."""
    chroma_floor: float = 6.0
    """Levels: as for luma, so that a change of colour alone, such as a blush, is a new drawing."""
    chroma_per_mean: float = 3.0
    """Ratio: as for luma."""
    camera_floor: float = 8.0
    """Levels between a view and an aligned drawing: higher than `luma_floor`, since resampling adds an error."""
    camera_range_share: float = 0.8
    """Share (0..1) of the local range (maximum minus minimum of 3x3 pixels) that resampling by part of a pixel may
    change: edges differ after alignment, flat areas must not."""
    overlap_min: float = 0.55
    """Share (0..1) of a panned view that the drawing must cover: with less, almost half of the picture is new and it
    is worth a frame."""
    fade_gain: float = 0.9
    """Gain relative to the best view: a view with less contrast belongs to a fade in or out and is dropped."""
    better_gain: float = 1.02
    """Gain from which a view replaces the best one: differences below 2 % may be errors of the estimate."""
    gain_min: float = 0.06
    """Smallest gain of a match (its inverse is the largest): a picture darkened further is nearly flat and would match
    any other."""
    nearest: int = 6
    """Drawings of the shot that a view is compared with in full, those with the most similar 18x32 cells: bounds the
    cost per frame."""
    recent: int = 3
    """Latest drawings that a view is aligned to, for cameras and fades: alignment is the most expensive step."""
    open_max: int = 96
    """Drawings that hold a full picture while their run may continue: bounds memory in a long, restless shot (96 frames
    of 1920x1080 take about 300 MB)."""
    shades_max: int = 400
    """Views per drawing that are stored as steps of a fade: 16 s at 24 frames per second, longer than fades last."""
    blend_max: int = 48
    """Drawings of one or two frames that are examined as one dissolve: 2 to 4 s at 24 frames per second."""


@dataclass
class View(Generic[FrameT]):
    """One frame as the gate sees it: planes uint8[h, w], of which `gate` is at most 640 wide and the others at most
    320.

    `pts` in ticks of the stream, `time_s` in seconds. `frame` is the caller's full picture; the gate only passes it on
    and drops it (None) as soon as no output can need it.
    """

    number: int
    pts: int
    time_s: float
    gate: U8
    luma: U8
    u: U8
    v: U8
    frame: FrameT | None
    cells: F32 = field(init=False)
    _pyramid: Pyramid | None = None

    def __post_init__(self) -> None:
        self.cells = coarse_cells(self.luma)

    def without_frame(self) -> View[FrameT]:
        """The same view without the caller's full picture."""
        return replace(self, frame=None, gate=self.luma, _pyramid=None)

    @property
    def pyramid(self) -> Pyramid:
        """For alignment; built on first use."""
        if self._pyramid is None:
            self._pyramid = Pyramid(self.luma)
        return self._pyramid


@dataclass
class Drawing(Generic[FrameT]):
    """One distinct drawing: its best view, its run of frames, and why it is dropped (`reason`, empty if it is not).

    `move` and `pace` are the camera's position relative to the best view and its last step.
    """

    best: View[FrameT]
    shot: int
    first_s: float
    last_s: float
    first_number: int
    count: int = 1
    reason: str = ""
    move: Move = field(default_factory=Move)
    pace: Move = NO_STEP
    is_emitted: bool = False
    last_luma: U8 | None = None
    calm: int = 0  # frames in a row without any movement
    is_settled: bool = False  # the best view was taken while the picture was held
    # Views brighter or darker than the best one, with their gain relative to it.
    shades: list[tuple[float, View[FrameT]]] = field(default_factory=list)

    def replace_best(self, view: View[FrameT], gain: float) -> None:
        """Take `view`, which shows the drawing with more contrast, as the best view."""
        self.shades = [(shade / gain, old) for shade, old in self.shades]
        self.shades.append((1.0 / gain, self.best.without_frame()))
        self.best, self.move = view, Move()
        self.calm, self.is_settled = 0, False

    def split_fade(self, gain_min: float) -> Drawing[FrameT] | None:
        """Move the views with a gain below `gain_min` into a drawing of their own, dropped as a fade; None for none."""
        faint = [view for shade, view in self.shades if shade < gain_min]
        self.shades = []
        if not faint or self.count <= len(faint):
            return None
        middle = faint[len(faint) // 2]
        fade = Drawing(middle, self.shot, faint[0].time_s, faint[-1].time_s, faint[0].number, len(faint), "fade")
        self.count -= len(faint)
        if faint[0].number == self.first_number:
            self.first_number, self.first_s = self.best.number, min(self.best.time_s, self.last_s)
        if faint[-1].time_s == self.last_s:
            self.last_s = max(self.best.time_s, faint[0].time_s)
        return fade


class Gate(Generic[FrameT]):
    """Takes views in order. `add` yields drawings whose runs have ended, in order of time; `finish` yields the rest."""

    def __init__(self, params: GateParams | None = None, *, full_range: bool = False) -> None:
        self.params = params or GateParams()
        self.shot = -1
        self.shot_starts: list[float] = []
        self._full_range = full_range
        self._cuts = Cuts()
        self._open: list[Drawing[FrameT]] = []
        self._known: list[Drawing[FrameT]] = []
        self._was_empty = False
        self._recent: list[Drawing[FrameT]] = []
        self._unsettled: list[Drawing[FrameT]] = []

    def add(self, view: View[FrameT]) -> Iterator[Drawing[FrameT]]:
        """Take one frame; yield the drawings that are final."""
        reason = emptiness(view.cells, full_range=self._full_range)
        # A change to or from a black picture is no cut.
        if (self._cuts.add(view.cells) and not reason and not self._was_empty) or self.shot < 0:
            yield from self._end_shot()
            self._begin_shot(view.time_s)
        if reason:
            self._add_empty(view, reason)
            return
        drawing = self._find(view)
        if drawing is None and self._was_empty and self._known:
            yield from self._end_shot()
            self._begin_shot(view.time_s)
        self._was_empty = False
        if drawing is None:
            drawing = Drawing(view, self.shot, view.time_s, view.time_s, view.number, last_luma=view.luma)
            self._open.append(drawing)
            self._known.append(drawing)
            self._unsettled.append(drawing)
        else:
            drawing.count += 1
            drawing.last_s, drawing.last_luma = view.time_s, view.luma
            if drawing.count == 3:
                yield from self._settle(drawing, view)
            self._prefer_settled(drawing, view)
        self._mark_recent(drawing)
        if len(self._open) > self.params.open_max:
            yield from self._overflow()

    def finish(self) -> Iterator[Drawing[FrameT]]:
        """Yield the drawings of the last shot."""
        yield from self._end_shot()

    def _begin_shot(self, time_s: float) -> None:
        self.shot += 1
        self.shot_starts.append(time_s)

    def _end_shot(self) -> Iterator[Drawing[FrameT]]:
        yield from self._emit(self._open)
        self._open, self._known, self._recent, self._unsettled = [], [], [], []

    def _overflow(self) -> Iterator[Drawing[FrameT]]:
        # A long, restless shot: emit the older half. It stays known, so that it is not emitted twice.
        half = self._open[: len(self._open) // 2]
        self._open = self._open[len(half) :]
        self._unsettled = [drawing for drawing in self._unsettled if drawing not in half]
        yield from self._emit(half)

    def _emit(self, drawings: list[Drawing[FrameT]]) -> Iterator[Drawing[FrameT]]:
        fades = [fade for d in drawings if (fade := d.split_fade(self.params.fade_gain)) is not None]
        for drawing in sorted([*drawings, *fades], key=lambda d: d.best.number):
            yield drawing
            drawing.is_emitted = True
            drawing.best.frame = None

    def _add_empty(self, view: View[FrameT], reason: str) -> None:
        last = self._open[-1] if self._open else None
        if last is not None and last.reason == reason:
            last.count, last.last_s = last.count + 1, view.time_s
            return
        self._was_empty, self._unsettled = True, []
        self._open.append(Drawing(view, self.shot, view.time_s, view.time_s, view.number, reason=reason))

    def _mark_recent(self, drawing: Drawing[FrameT]) -> None:
        if self._recent and self._recent[0] is drawing:
            return
        self._recent = [drawing, *(d for d in self._recent if d is not drawing)][: self.params.recent]

    def _find(self, view: View[FrameT]) -> Drawing[FrameT] | None:
        if self._recent and self.is_same(self._recent[0].best, view):
            self._recent[0].move = Move()
            return self._recent[0]
        for drawing in self._nearest(view):
            if self.is_same(drawing.best, view):
                drawing.move = Move()
                return drawing
        for drawing in self._recent:
            if self._is_moved(drawing, view):
                return drawing
        return None

    def _nearest(self, view: View[FrameT]) -> list[Drawing[FrameT]]:
        others = [drawing for drawing in self._known if not self._recent or drawing is not self._recent[0]]
        if len(others) <= self.params.nearest:
            return others
        distances = np.abs(np.stack([drawing.best.cells for drawing in others]) - view.cells).mean(axis=1)
        return [others[i] for i in np.argsort(distances, kind="stable")[: self.params.nearest]]

    def is_same(self, a: View[FrameT], b: View[FrameT]) -> bool:
        """Whether both views show one drawing in the same position: no local difference in luma or chroma."""
        params = self.params
        if a.gate.shape != b.gate.shape:
            return False
        return (
            _is_alike(
                a.gate, b.gate, params.luma_floor, params.luma_per_mean, shared=float(np.abs(a.cells - b.cells).mean())
            )
            and _is_alike(a.u, b.u, params.chroma_floor, params.chroma_per_mean)
            and _is_alike(a.v, b.v, params.chroma_floor, params.chroma_per_mean)
        )

    def _is_moved(self, drawing: Drawing[FrameT], view: View[FrameT]) -> bool:
        """Whether `view` is `drawing` under a moving camera or a fade; the less faded of both is its best view."""
        params, best = self.params, drawing.best
        if best.gate.shape != view.gate.shape:
            return False
        # A camera or a fade changes many cells, even of a flat picture; a mouth changes a few.
        rank = best.cells.size * 88 // 100
        if float(np.partition(np.abs(best.cells - view.cells), rank)[rank]) < 0.4:
            return False
        for guess in self._guesses(drawing, view):
            move = align(best.pyramid, view.pyramid, guess, is_close=drawing is self._recent[0])
            if move is None or move.overlap(view.gate.shape) < params.overlap_min:
                continue
            # Nothing moved and nothing faded: `is_same` has already seen what differs.
            if move.is_identity:
                return False
            # Any picture that is darkened enough looks like a nearly flat one.
            if not params.gain_min < move.gain < 1.0 / params.gain_min:
                continue
            limits = {
                "range_share": params.camera_range_share,
                "floor": params.camera_floor,
                "per_mean": params.luma_per_mean,
            }
            if not is_explained_by_move(best.gate, view.gate, move, **limits):
                continue
            drawing.pace = move.minus(drawing.move)
            drawing.move = move
            if move.gain > params.better_gain and not drawing.is_emitted:
                drawing.replace_best(view, move.gain)
            elif abs(move.gain - 1.0) > 0.015 and len(drawing.shades) < params.shades_max:
                drawing.shades.append((move.gain, view.without_frame()))
            return True
        return False

    def _prefer_settled(self, drawing: Drawing[FrameT], view: View[FrameT]) -> None:
        """Prefer the third frame of a held picture: the first may contain a residue of the one before it."""
        drawing.calm = drawing.calm + 1 if drawing.move.is_still and abs(drawing.move.gain - 1.0) < 0.015 else 0
        if drawing.calm >= 2 and not drawing.is_settled and not drawing.is_emitted:
            drawing.best, drawing.move, drawing.is_settled = view, Move(), True

    def _guesses(self, drawing: Drawing[FrameT], view: View[FrameT]) -> Iterator[Move]:
        """Where the camera may be: one step further at its last pace, or where the whole picture seems to be."""
        yield drawing.move.plus(drawing.pace)
        if drawing is self._recent[0]:
            yield guess_shift(drawing.best.pyramid, view.pyramid)

    def _settle(self, still: Drawing[FrameT], view: View[FrameT]) -> Iterator[Drawing[FrameT]]:
        """Examine the brief drawings before a held picture: they may be blends of it and of the picture before them.

        Three frames of blends are a dissolve: they begin a new shot, and the drawings before them are emitted.
        """
        brief, self._unsettled = self._unsettled, []
        if not brief or brief[-1] is not still:
            return
        brief = [d for d in brief[:-1] if d.count <= 2][-self.params.blend_max :]
        before = [d for d in self._open if brief and d.first_number < brief[0].first_number and not d.reason]
        start = max(before, key=lambda d: d.last_s).last_luma if before else None
        if start is None:
            return
        blends = _blends(brief, start, still.best.luma)
        for drawing, _ in blends:
            drawing.reason = "blend"
        if blends and blends[-1][0].best.number >= still.first_number - 2:
            # The first frames still contain a faint residue of the other picture.
            still.best, still.move = view, Move()
        if sum(drawing.count for drawing, _ in blends) < 3:
            return
        (first, low), (last, high) = blends[0], blends[-1]
        back_s = low * (last.first_s - first.first_s) / (high - low) if high > low else 0.0
        self._begin_shot(max(self.shot_starts[-1], first.first_s - back_s))
        later = [d for d in self._open if d.first_number >= first.first_number]
        for drawing in later:
            drawing.shot = self.shot
        yield from self._emit([d for d in self._open if d not in later])
        self._open, self._known, self._recent = later, [d for d in later if not d.reason], [still]


_GRAIN_MAX = 8.0  # levels of mean difference that count as grain; more is a different picture


def _is_alike(a: U8, b: U8, floor: float, per_mean: float, shared: float = 0.0) -> bool:
    if cv2.norm(a, b, cv2.NORM_INF) <= floor:
        return True
    difference = cv2.absdiff(a, b)
    # Grain changes neighbouring pixels in both directions. A change that whole areas have in common (`shared`, or the
    # change of the mean) comes from a fade or a dissolve and must not raise the limit.
    common_change = abs(cv2.sumElems(a)[0] - cv2.sumElems(b)[0]) / difference.size
    mean = max(0.0, min(_GRAIN_MAX, cv2.sumElems(difference)[0] / difference.size - max(common_change, shared)))
    return bool(cv2.minMaxLoc(cv2.blur(difference, (3, 3)))[1] <= floor + per_mean * mean)


def _blends(brief: list[Drawing[FrameT]], start: U8, end: U8) -> list[tuple[Drawing[FrameT], float]]:
    """The drawings that are mixes of two pictures uint8[h, w], with the share (0..1) of `end`.

    A steadily growing share counts even where one of the two pictures keeps moving.
    """
    if start.shape != end.shape:
        return []
    before, after = (picture.astype(np.float32)[::2, ::2] for picture in (start, end))
    # A half-open mouth is also a mix, of the open and the closed one; a dissolve changes the whole picture.
    if float(np.median(np.abs(after - before))) < 3.0:
        return []
    pictures = [
        (drawing, drawing.best.luma.astype(np.float32)[::2, ::2])
        for drawing in brief
        if drawing.best.luma.shape == start.shape
    ]
    sure = [
        (drawing, share) for drawing, picture in pictures if (share := blend_share(picture, before, after)) is not None
    ]
    likely = [
        (drawing, share)
        for drawing, picture in pictures
        if (share := blend_share(picture, before, after, residual_share=0.25)) is not None
    ]
    if len(likely) >= 5 and all(b[1] > a[1] for a, b in itertools.pairwise(likely)):
        return likely
    return sure
