"""Which drawings a film shows: each held, flapping, panned or fading picture becomes one drawing with its run.

Two pictures are the same drawing when no small place differs: the largest mean of 3x3 cells of a half- or quarter-size
picture, in brightness and in both colours, against a limit that rises with the mean difference (live grain). A picture
is compared with every drawing of its shot, so a mouth that opens and closes adds two drawings and not fifty.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.camera import Move, Pyramid, align, explained, first_guess
from ingest.algorithms.quality import blend_share, coarse, emptiness
from ingest.algorithms.scenes import Cuts

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class GateParams:
    """Limits in levels of 0..255. Raise `luma_floor` for fewer frames, lower it for noisier eyes."""

    luma_floor: float = 6.0
    luma_per_mean: float = 3.0
    chroma_floor: float = 6.0
    chroma_per_mean: float = 3.0
    camera_floor: float = 8.0
    camera_give: float = 0.8
    least_overlap: float = 0.55
    fade_gain: float = 0.9
    better_gain: float = 1.02
    faintest: float = 0.06
    nearest: int = 6
    recent: int = 3
    most_open: int = 96
    most_shades: int = 400
    longest_blend: int = 48


@dataclass
class View:
    """One frame as the gate sees it: small planes (uint8[h, w]) and what the caller needs back.

    `token` is the full picture, let go as soon as nobody can want it; `look` is small and stays.
    """

    number: int
    pts: int
    time_s: float
    gate: U8
    luma: U8
    u: U8
    v: U8
    token: Any
    look: Any = None
    cells: F32 = field(init=False)
    _pyramid: Pyramid | None = None

    def __post_init__(self) -> None:
        self.cells = coarse(self.luma)

    def without_token(self) -> View:
        """The same view, free of the caller's full picture."""
        return replace(self, token=None, gate=self.luma, _pyramid=None)

    @property
    def pyramid(self) -> Pyramid:
        """For alignment; made when first needed."""
        if self._pyramid is None:
            self._pyramid = Pyramid(self.luma)
        return self._pyramid


@dataclass
class Drawing:
    """One distinct drawing: its best view, its run, and why it is not kept (`reason`, empty when kept)."""

    best: View
    shot: int
    first_s: float
    last_s: float
    first_number: int
    count: int = 1
    reason: str = ""
    move: Move = field(default_factory=Move)
    pace: Move = field(default_factory=lambda: Move().minus(Move()))
    given_out: bool = False
    last_luma: U8 | None = None
    calm: int = 0
    rested: bool = False
    # Views that came brighter or darker than the best one, with their gain relative to it.
    shades: list[tuple[float, View]] = field(default_factory=list)

    def became_better(self, view: View, gain: float) -> None:
        """`view` shows the drawing with more contrast: it is the best view from now on."""
        self.shades = [(shade / gain, old) for shade, old in self.shades]
        self.shades.append((1.0 / gain, self.best.without_token()))
        self.best, self.move = view, Move()
        self.calm, self.rested = 0, False

    def split_fade(self, least: float) -> Drawing | None:
        """Takes the views fainter than `least` out of the run, as a drawing dropped for a fade."""
        faint = [view for shade, view in self.shades if shade < least]
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


class Gate:
    """Feed views in order; `add` gives drawings whose runs are over, in order of time, `finish` the rest."""

    def __init__(self, params: GateParams | None = None, *, full_range: bool = False) -> None:
        self.params = params or GateParams()
        self.shot = -1
        self.shot_starts: list[float] = []
        self._full_range = full_range
        self._cuts = Cuts()
        self._open: list[Drawing] = []
        self._known: list[Drawing] = []
        self._was_empty = False
        self._recent: list[Drawing] = []
        self._unsettled: list[Drawing] = []

    def add(self, view: View) -> Iterator[Drawing]:
        """Takes one frame; yields drawings that nothing can change any more."""
        reason = emptiness(view.cells, full_range=self._full_range)
        # Into and out of black the picture is lost, not cut.
        if (self._cuts.add(view.cells) and not reason and not self._was_empty) or self.shot < 0:
            yield from self._end_shot()
            self._begin_shot(view.time_s)
        if reason:
            self._empty(view, reason)
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
            self._rest(drawing, view)
        self._use(drawing)
        if len(self._open) > self.params.most_open:
            yield from self._overflow()

    def finish(self) -> Iterator[Drawing]:
        """The drawings of the last shot."""
        yield from self._end_shot()

    def _begin_shot(self, time_s: float) -> None:
        self.shot += 1
        self.shot_starts.append(time_s)

    def _end_shot(self) -> Iterator[Drawing]:
        yield from self._give_out(self._open)
        self._open, self._known, self._recent, self._unsettled = [], [], [], []

    def _overflow(self) -> Iterator[Drawing]:
        # A long shot full of movement: the older half is given out, and still known, so that it is not given out twice.
        half = self._open[: len(self._open) // 2]
        self._open = self._open[len(half) :]
        self._unsettled = [d for d in self._unsettled if d not in half]
        yield from self._give_out(half)

    def _give_out(self, drawings: list[Drawing]) -> Iterator[Drawing]:
        fades = [fade for d in drawings if (fade := d.split_fade(self.params.fade_gain)) is not None]
        for drawing in sorted([*drawings, *fades], key=lambda d: d.best.number):
            yield drawing
            drawing.given_out = True
            drawing.best.token = None

    def _empty(self, view: View, reason: str) -> None:
        last = self._open[-1] if self._open else None
        if last is not None and last.reason == reason:
            last.count, last.last_s = last.count + 1, view.time_s
            return
        self._was_empty, self._unsettled = True, []
        self._open.append(Drawing(view, self.shot, view.time_s, view.time_s, view.number, reason=reason))

    def _use(self, drawing: Drawing) -> None:
        if self._recent and self._recent[0] is drawing:
            return
        self._recent = [drawing, *(d for d in self._recent if d is not drawing)][: self.params.recent]

    def _find(self, view: View) -> Drawing | None:
        if self._recent and self.same(self._recent[0].best, view):
            self._recent[0].move = Move()
            return self._recent[0]
        for drawing in self._nearest(view):
            if self.same(drawing.best, view):
                drawing.move = Move()
                return drawing
        for drawing in self._recent:
            if self._moved(drawing, view):
                return drawing
        return None

    def _nearest(self, view: View) -> list[Drawing]:
        others = [d for d in self._known if not self._recent or d is not self._recent[0]]
        if len(others) <= self.params.nearest:
            return others
        far = np.abs(np.stack([d.best.cells for d in others]) - view.cells).mean(axis=1)
        return [others[i] for i in np.argsort(far, kind="stable")[: self.params.nearest]]

    def same(self, a: View, b: View) -> bool:
        """Whether both views show one drawing in one place: no local difference in brightness or colour."""
        p = self.params
        if a.gate.shape != b.gate.shape:
            return False
        return (
            _alike(a.gate, b.gate, p.luma_floor, p.luma_per_mean, smooth=float(np.abs(a.cells - b.cells).mean()))
            and _alike(a.u, b.u, p.chroma_floor, p.chroma_per_mean)
            and _alike(a.v, b.v, p.chroma_floor, p.chroma_per_mean)
        )

    def _moved(self, drawing: Drawing, view: View) -> bool:
        """Whether `view` is `drawing` under a moving camera or a fade; the less faded of both is its best view."""
        p, best = self.params, drawing.best
        if best.gate.shape != view.gate.shape:
            return False
        # A camera or a fade changes many places, even of a flat picture; a mouth changes one.
        place = best.cells.size * 88 // 100
        if float(np.partition(np.abs(best.cells - view.cells), place)[place]) < 0.4:
            return False
        for guess in self._guesses(drawing, view):
            move = align(best.pyramid, view.pyramid, guess, close=drawing is self._recent[0])
            if move is None or move.overlap(view.gate.shape) < p.least_overlap:
                continue
            # Nothing moved and nothing faded: `same` has already seen what differs.
            if move.at_rest:
                return False
            # What is nearly flat looks like anything darkened enough.
            if not p.faintest < move.gain < 1.0 / p.faintest:
                continue
            limits = {"give": p.camera_give, "floor": p.camera_floor, "per_mean": p.luma_per_mean}
            if not explained(best.gate, view.gate, move, **limits):
                continue
            drawing.pace = move.minus(drawing.move)
            drawing.move = move
            if move.gain > p.better_gain and not drawing.given_out:
                drawing.became_better(view, move.gain)
            elif abs(move.gain - 1.0) > 0.015 and len(drawing.shades) < p.most_shades:
                drawing.shades.append((move.gain, view.without_token()))
            return True
        return False

    def _rest(self, drawing: Drawing, view: View) -> None:
        """Of a picture held for three frames the third is the better copy: the first may carry the one before it."""
        drawing.calm = drawing.calm + 1 if drawing.move.still and abs(drawing.move.gain - 1.0) < 0.015 else 0
        if drawing.calm >= 2 and not drawing.rested and not drawing.given_out:
            drawing.best, drawing.move, drawing.rested = view, Move(), True

    def _guesses(self, drawing: Drawing, view: View) -> Iterator[Move]:
        """Where the camera may be now: on at its last pace; else wherever the whole picture seems to have gone."""
        yield drawing.move.plus(drawing.pace)
        if drawing is self._recent[0]:
            yield first_guess(drawing.best.pyramid, view.pyramid)

    def _settle(self, still: Drawing, view: View) -> Iterator[Drawing]:
        """When a picture holds still again: the brief ones before it may be blends of it and of what was before.

        Three frames of them are a dissolve: a new shot begins with them, and the drawings before it are given out.
        """
        brief, self._unsettled = self._unsettled, []
        if not brief or brief[-1] is not still:
            return
        brief = [d for d in brief[:-1] if d.count <= 2][-self.params.longest_blend :]
        before = [d for d in self._open if brief and d.first_number < brief[0].first_number and not d.reason]
        start = max(before, key=lambda d: d.last_s).last_luma if before else None
        if start is None:
            return
        blends = _blends(brief, start, still.best.luma)
        for drawing, _ in blends:
            drawing.reason = "blend"
        if blends and blends[-1][0].best.number >= still.first_number - 2:
            # What is left of the other picture in the first frames may be too faint to be seen, but it is there.
            still.best, still.move = view, Move()
        if sum(drawing.count for drawing, _ in blends) < 3:
            return
        (first, low), (last, high) = blends[0], blends[-1]
        back_s = low * (last.first_s - first.first_s) / (high - low) if high > low else 0.0
        self._begin_shot(max(self.shot_starts[-1], first.first_s - back_s))
        later = [d for d in self._open if d.first_number >= first.first_number]
        for drawing in later:
            drawing.shot = self.shot
        yield from self._give_out([d for d in self._open if d not in later])
        self._open, self._known, self._recent = later, [d for d in later if not d.reason], [still]


_MOST_NOISE = 8.0


def _alike(a: U8, b: U8, floor: float, per_mean: float, smooth: float = 0.0) -> bool:
    if cv2.norm(a, b, cv2.NORM_INF) <= floor:
        return True
    difference = cv2.absdiff(a, b)
    # Grain changes neighbours both ways. What whole areas have in common (`smooth`, their mean change, or the mean of
    # the picture) is a fade or a dissolve and no excuse for a difference.
    one_way = abs(cv2.sumElems(a)[0] - cv2.sumElems(b)[0]) / difference.size
    mean = max(0.0, min(_MOST_NOISE, cv2.sumElems(difference)[0] / difference.size - max(one_way, smooth)))
    return bool(cv2.minMaxLoc(cv2.blur(difference, (3, 3)))[1] <= floor + per_mean * mean)


def _blends(brief: list[Drawing], start: U8, end: U8) -> list[tuple[Drawing, float]]:
    """Those that are mixes of `start` and `end`, with the share of `end`.

    A steadily growing share counts even where one of the two moves on.
    """
    if start.shape != end.shape:
        return []
    before, after = (p.astype(np.float32)[::2, ::2] for p in (start, end))
    # A half-open mouth, too, lies between the open and the closed one; a dissolve changes the whole picture.
    if float(np.median(np.abs(after - before))) < 3.0:
        return []
    pictures = [(d, d.best.luma.astype(np.float32)[::2, ::2]) for d in brief if d.best.luma.shape == start.shape]
    sure = [(d, share) for d, p in pictures if (share := blend_share(p, before, after)) is not None]
    likely = [(d, share) for d, p in pictures if (share := blend_share(p, before, after, rest=0.25)) is not None]
    if len(likely) >= 5 and all(b[1] > a[1] for a, b in itertools.pairwise(likely)):
        return likely
    return sure
