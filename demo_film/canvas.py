"""A supersampled canvas and a pen for smooth shapes, cel shading and tapered lines in its own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_film.palette import Colour, mix

Pixels = NDArray[np.uint8]
Path = NDArray[np.float64]
_SHIFT = 4  # fractional bits of OpenCV's drawing functions


def path(*points: tuple[float, float]) -> Path:
    """An open or closed path float64[n,2] in the pen's units."""
    return np.array(points, dtype=np.float64)


def smooth(points: Path | Sequence[tuple[float, float]], *, closed: bool = False, steps: int = 7) -> Path:
    """A Catmull-Rom curve through `points`, `steps` samples per segment (Catmull and Rom 1974)."""
    p = np.asarray(points, dtype=np.float64)
    n = len(p)
    if closed:
        q = np.vstack([p[-1], p, p[0], p[1]])
        segments = n
    else:
        q = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
        segments = n - 1
    windows = np.stack([q[:segments], q[1 : segments + 1], q[2 : segments + 2], q[3 : segments + 3]], axis=1)
    curve: Path = (_catmull_rom(steps) @ windows).reshape(-1, 2)
    return curve if closed else np.vstack([curve, p[-1:]])


@cache
def _catmull_rom(steps: int) -> NDArray[np.float64]:
    """The weights float64[steps,4] of four points for the curve between the inner two."""
    t = np.linspace(0.0, 1.0, steps, endpoint=False)
    return 0.5 * np.stack([2 * t**2 - t - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1)


def bend(a: tuple[float, float], b: tuple[float, float], bow: float, *, steps: int = 9) -> Path:
    """A curve from `a` to `b` that bows to its left by `bow` times its length."""
    p, q = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    d = q - p
    control = (p + q) / 2 + np.array([d[1], -d[0]]) * bow * 2
    t = np.linspace(0.0, 1.0, steps)[:, None]
    return (1 - t) ** 2 * p + 2 * t * (1 - t) * control + t**2 * q


def ellipse(x: float, y: float, rx: float, ry: float, *, start: float = 0, end: float = 360, steps: int = 36) -> Path:
    """An ellipse or an arc of one; angles in degrees, clockwise from the right."""
    return _arc(start, end, steps) * (rx, ry) + (x, y)


@cache
def _arc(start: float, end: float, steps: int) -> Path:
    """Points float64[steps,2] of the unit circle."""
    a = np.radians(np.linspace(start, end, steps, endpoint=abs(end - start) < 360))
    return np.stack([np.cos(a), np.sin(a)], axis=1)


def _both(a: Pixels, b: cv2.typing.MatLike) -> Pixels:
    return np.asarray(cv2.bitwise_and(a, b), dtype=np.uint8)


def _level(value: float) -> int:
    return int(min(255.0, max(0.0, value)) + 0.5)


@dataclass(frozen=True)
class Clip:
    """A binary mask over a rectangle of the canvas."""

    x: int
    y: int
    mask: Pixels

    def edge(self, dx: int, dy: int) -> Clip:
        """The part of the mask that a copy moved by (dx, dy) pixels does not cover: a cel shade or a rim light."""
        h, w = self.mask.shape
        left, right, top, bottom = max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)
        # The shape is assumed to continue beyond the canvas, so that its cut edge gets no shade.
        wide = cv2.copyMakeBorder(self.mask, top, bottom, left, right, cv2.BORDER_REPLICATE)
        moved = wide[bottom : bottom + h, right : right + w]
        return Clip(self.x, self.y, _both(self.mask, cv2.bitwise_not(moved)))


class Canvas:
    """A picture being drawn at `ss` times its size; `finish` reduces it again."""

    def __init__(self, picture: Pixels, *, ss: int = 2) -> None:
        self.ss = ss
        self.size = (picture.shape[1], picture.shape[0])
        big = (picture.shape[1] * ss, picture.shape[0] * ss)
        self.px: Pixels = np.ascontiguousarray(cv2.resize(picture, big, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)

    def copy(self) -> Canvas:
        """A second canvas with the same content."""
        other = Canvas.__new__(Canvas)
        other.ss, other.size, other.px = self.ss, self.size, self.px.copy()
        return other

    def finish(self) -> Pixels:
        """The picture uint8 RGB [h,w,3] at its own size."""
        return np.asarray(cv2.resize(self.px, self.size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class Pen:
    """Draws in units of `unit` picture pixels around (x, y), turned by `turn` degrees, mirrored if `flip`."""

    def __init__(
        self,
        canvas: Canvas,
        *,
        x: float,
        y: float,
        unit: float,
        turn: float = 0.0,
        flip: bool = False,
        light: Colour = (1.0, 1.0, 1.0),
        haze: tuple[Colour, float] | None = None,
    ) -> None:
        self.canvas = canvas
        self.x, self.y, self.unit, self.turn, self.flip = x, y, unit, turn, flip
        self.light, self.haze = light, haze
        self.scale = unit * canvas.ss
        a = np.radians(turn)
        sign = -1.0 if flip else 1.0
        self._m = self.scale * np.array([[sign * np.cos(a), -np.sin(a)], [sign * np.sin(a), np.cos(a)]])
        self._o = np.array([x * canvas.ss, y * canvas.ss])

    def turned(self, degrees: float, pivot: tuple[float, float]) -> Pen:
        """The same pen with its paper turned about `pivot` (in its units), as a head is on a neck."""
        other = Pen(
            self.canvas, x=0, y=0, unit=self.unit, turn=self.turn + degrees, flip=self.flip,
            light=self.light, haze=self.haze,
        )  # fmt: skip
        p = np.array(pivot)
        other._o = self._m @ p + self._o - other._m @ p
        other.x, other.y = float(other._o[0]) / self.canvas.ss, float(other._o[1]) / self.canvas.ss
        return other

    def picture_points(self, points: Path) -> Path:
        """Points in picture pixels (not supersampled)."""
        out: Path = (points @ self._m.T + self._o) / self.canvas.ss
        return out

    def ink(self, colour: Colour) -> tuple[int, int, int]:
        """A colour (0..255) under this pen's light."""
        lit: Colour = (colour[0] * self.light[0], colour[1] * self.light[1], colour[2] * self.light[2])
        if self.haze is not None:
            lit = mix(lit, self.haze[0], self.haze[1])
        return _level(lit[0]), _level(lit[1]), _level(lit[2])

    def _device(self, points: Path) -> NDArray[np.int32]:
        p = points @ self._m.T + self._o
        out: NDArray[np.int32] = np.rint(np.minimum(np.maximum(p, -9000), 9000) * (1 << _SHIFT)).astype(np.int32)
        return out

    def fill(self, points: Path, colour: Colour) -> None:
        """Fills one shape with soft edges."""
        cv2.fillPoly(self.canvas.px, [self._device(points)], self.ink(colour), cv2.LINE_AA, _SHIFT)

    def clip(self, *shapes: Path) -> Clip | None:
        """The union of the shapes as a mask; None if it is outside the picture."""
        height, width = self.canvas.px.shape[:2]
        device = [self._device(s) for s in shapes]
        every = np.vstack(device) >> _SHIFT
        x0, y0 = np.maximum(every.min(axis=0) - 4, 0)
        x1, y1 = np.minimum(every.max(axis=0) + 5, [width, height])
        if x1 <= x0 or y1 <= y0:
            return None
        mask = np.zeros((int(y1 - y0), int(x1 - x0)), dtype=np.uint8)
        offset = np.array([int(x0), int(y0)], dtype=np.int32) << _SHIFT
        for shape in device:
            cv2.fillPoly(mask, [shape - offset], (255,), cv2.LINE_8, _SHIFT)
        return Clip(int(x0), int(y0), mask)

    def within(self, clip: Clip | None, *shapes: Path) -> Clip | None:
        """The part of `clip` that the shapes cover."""
        if clip is None:
            return None
        h, w = clip.mask.shape
        mask = np.zeros((h, w), dtype=np.uint8)
        offset = np.array([clip.x, clip.y], dtype=np.int32) << _SHIFT
        for shape in shapes:
            cv2.fillPoly(mask, [self._device(shape) - offset], (255,), cv2.LINE_8, _SHIFT)
        return Clip(clip.x, clip.y, _both(mask, clip.mask))

    def meet(self, a: Clip | None, b: Clip | None) -> Clip | None:
        """Where both masks are set."""
        if a is None or b is None:
            return None
        x0, y0 = max(a.x, b.x), max(a.y, b.y)
        x1 = min(a.x + a.mask.shape[1], b.x + b.mask.shape[1])
        y1 = min(a.y + a.mask.shape[0], b.y + b.mask.shape[0])
        if x1 <= x0 or y1 <= y0:
            return None
        cut_a = a.mask[y0 - a.y : y1 - a.y, x0 - a.x : x1 - a.x]
        cut_b = b.mask[y0 - b.y : y1 - b.y, x0 - b.x : x1 - b.x]
        return Clip(x0, y0, _both(cut_a, cut_b))

    def flood(self, clip: Clip | None, colour: Colour, *, opacity: float = 1.0) -> None:
        """Colours what the mask covers."""
        if clip is None or opacity <= 0:
            return
        x, y, w, h = cv2.boundingRect(clip.mask)
        if w == 0 or h == 0:
            return
        mask = clip.mask[y : y + h, x : x + w]
        roi = self.canvas.px[clip.y + y : clip.y + y + h, clip.x + x : clip.x + x + w]
        rows = np.empty((h, w * 3), dtype=np.uint8)
        rows[:] = np.tile(np.array(self.ink(colour), dtype=np.uint8), w)  # by rows: much faster than by pixels
        paint: Pixels = rows.reshape(h, w, 3)
        if opacity < 1:
            paint = np.asarray(cv2.addWeighted(roi, 1 - opacity, paint, opacity, 0), dtype=np.uint8)
        cv2.copyTo(paint, mask, roi)

    def gradient(self, clip: Clip | None, top: Colour, bottom: Colour, y0: float, y1: float) -> None:
        """Colours what the mask covers from `top` at height y0 (pen units) to `bottom` at y1."""
        if clip is None:
            return
        h, w = clip.mask.shape
        a, b = self._o[1] + self._m[1, 1] * y0, self._o[1] + self._m[1, 1] * y1
        t = np.clip((np.arange(clip.y, clip.y + h) - a) / (b - a + 1e-6), 0, 1)[:, None]
        column = np.array(self.ink(top)) * (1 - t) + np.array(self.ink(bottom)) * t
        paint = cv2.resize(np.rint(column).astype(np.uint8)[:, None, :], (w, h), interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(paint, clip.mask, self.canvas.px[clip.y : clip.y + h, clip.x : clip.x + w])

    def shift(self, x: float, y: float) -> tuple[int, int]:
        """A length in pen units as whole canvas pixels, ignoring turn and mirror: the light does not turn."""
        return round(x * self.scale), round(y * self.scale)

    def width(self, w: float) -> int:
        """A line width in pen units as canvas pixels: lines of close-ups grow more slowly than the drawing does."""
        px = w * self.unit
        if px > 1.5:
            px = 1.5 * (px / 1.5) ** 0.62
        return max(round(px * self.canvas.ss), 1)

    def stroke(self, points: Path, w: float, colour: Colour, *, closed: bool = False, px: int = 0) -> None:
        """A line of even width `w`, or of `px` canvas pixels."""
        wide = px or self.width(w)
        cv2.polylines(self.canvas.px, [self._device(points)], closed, self.ink(colour), wide, cv2.LINE_AA, _SHIFT)

    def taper(self, points: Path, w: float, colour: Colour, *, ends: tuple[float, float] = (0.25, 0.25)) -> None:
        """A line that is thinner at its ends (`ends`: width there as a share of the middle)."""
        device = self._device(points).tolist()
        ink = self.ink(colour)
        n = len(device) - 1
        for i in range(n):
            t = (i + 0.5) / n
            share = ends[0] + (1 - ends[0]) * t * 2 if t < 0.5 else ends[1] + (1 - ends[1]) * (1 - t) * 2
            cv2.line(self.canvas.px, device[i], device[i + 1], ink, self.width(w * share), cv2.LINE_AA, _SHIFT)

    def shape(
        self,
        points: Path,
        colour: Colour,
        *,
        shade: Colour | None = None,
        line: Colour | None = None,
        w: float = 0.035,
        light: tuple[float, float] = (-0.10, -0.06),
    ) -> Clip | None:
        """A cel-shaded shape with its outline; returns its mask for what is drawn on it."""
        self.fill(points, colour)
        clip = self.clip(points)
        if clip is not None and shade is not None:
            self.flood(clip.edge(*self.shift(*light)), shade)
        if line is not None:
            self.stroke(points, w, line, closed=True)
        return clip
