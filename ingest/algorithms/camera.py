"""Aligns pictures under a moving camera or a fade (shift, zoom, brightness) and checks the result locally."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

FINE_WIDTH = 128
COARSE_WIDTH = 80


@dataclass(frozen=True)
class Move:
    """A camera move: `later(scale * x + shift) = gain * earlier(x) + lift`, with x in picture widths from the centre
    and `lift` in levels."""

    scale: float = 1.0
    across: float = 0.0
    down: float = 0.0
    gain: float = 1.0
    lift: float = 0.0

    def overlap(self, shape: tuple[int, int]) -> float:
        """Share (0..1) of the later picture that the earlier one covers. `shape` is (height, width)."""
        aspect = shape[0] / shape[1]
        overlap_x = _overlap_length(self.scale, self.across, 0.5)
        overlap_y = _overlap_length(self.scale, self.down, 0.5 * aspect)
        return overlap_x * overlap_y / aspect

    def minus(self, other: Move) -> Move:
        """The step from `other` to this move, without the change of brightness."""
        return Move(self.scale - other.scale, self.across - other.across, self.down - other.down, 0.0, 0.0)

    def plus(self, step: Move) -> Move:
        """This move and another step."""
        across, down = self.across + step.across, self.down + step.down
        return Move(self.scale + step.scale, across, down, self.gain + step.gain, self.lift + step.lift)

    @property
    def is_identity(self) -> bool:
        """Whether it neither moves, by half a pixel of 1280, nor fades, so that it explains no difference."""
        moved = max(abs(self.across), abs(self.down), abs(self.scale - 1) / 2) > 0.0004
        return not moved and abs(self.gain - 1) < 0.02 and abs(self.lift) < 3.0

    @property
    def is_still(self) -> bool:
        """Whether the camera practically stands still: at most a third of a pixel in 160."""
        return abs(self.across) < 0.002 and abs(self.down) < 0.002 and abs(self.scale - 1) < 0.004


def _overlap_length(scale: float, shift: float, half: float) -> float:
    low, high = max(-half, shift - scale * half), min(half, shift + scale * half)
    return max(0.0, high - low)


def _level(luma: U8, width: int) -> F32:
    scale = width / luma.shape[1]
    height = max(8, round(luma.shape[0] * scale))
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)


class Pyramid:
    """The two reduced pictures of an alignment, with the gradients of the fixed one. Computed on demand."""

    def __init__(self, luma: U8) -> None:
        """`luma` uint8[h, w] of about 240x135 to 320x180."""
        self._luma = luma
        self._levels: dict[int, F32] = {}
        self._systems: dict[int, F32] = {}

    def level(self, width: int) -> F32:
        """float32[h, width] of the picture."""
        if width not in self._levels:
            self._levels[width] = np.asarray(cv2.GaussianBlur(_level(self._luma, width), (3, 3), 0), np.float32)
        return self._levels[width]

    def system(self, width: int) -> F32:
        """Derivatives of each pixel by shift across, shift down, zoom, gain and lift: float32[h, width, 5]."""
        if width not in self._systems:
            picture = self.level(width)
            across = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=3, scale=width / 8)
            down = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=3, scale=width / 8)
            x, y = _coordinates(picture.shape)
            columns = across, down, across * x + down * y, -picture, np.full_like(picture, -1.0)
            self._systems[width] = np.stack(columns, axis=2)
        return self._systems[width]


def _coordinates(shape: tuple[int, ...]) -> tuple[F32, F32]:
    height, width = shape
    x = ((np.arange(width) - (width - 1) / 2) / width).astype(np.float32)
    y = ((np.arange(height) - (height - 1) / 2) / width).astype(np.float32)
    return x[None, :], y[:, None]


def _matrix(move: Move, shape: tuple[int, ...]) -> F32:
    height, width = shape
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    return np.array(
        [
            [move.scale, 0, move.across * width + middle_x * (1 - move.scale)],
            [0, move.scale, move.down * width + middle_y * (1 - move.scale)],
        ],
        np.float32,
    )


_INVERSE = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def align(earlier: Pyramid, later: Pyramid, guess: Move, *, is_close: bool = False) -> Move | None:
    """The move from `earlier` to `later` by Gauss-Newton (Lucas-Kanade, Baker & Matthews 2004), or None without a
    match.

    With `is_close` the guess is expected to be almost right (a steady camera) and the coarse steps are skipped.
    """
    if is_close:
        move, step = _refine(earlier, later, guess, width=FINE_WIDTH, rounds=2, share_min=0.4)
        if move is not None and step < 0.15:
            return move
    coarse, _ = _refine(earlier, later, guess, width=COARSE_WIDTH, rounds=5, share_min=0.2)
    if coarse is None:
        return None
    return _refine(earlier, later, coarse, width=FINE_WIDTH, rounds=2, share_min=0.4)[0]


def _refine(
    earlier: Pyramid, later: Pyramid, move: Move, *, width: int, rounds: int, share_min: float
) -> tuple[Move | None, float]:
    """Iterate on one level. Returns the move and the length of the last step in pixels of that level.

    `share_min`: share of pixels that must be consistent with the move.
    """
    fixed, moving, system = earlier.level(width), later.level(width), earlier.system(width)
    size = fixed.shape[1], fixed.shape[0]
    length = 0.0
    for _ in range(rounds):
        matrix = _matrix(move, fixed.shape)
        warped = cv2.warpAffine(moving, matrix, size, flags=_INVERSE)
        rows, columns = _inside(matrix, fixed.shape, forward=False)
        covered = max(0, rows.stop - rows.start) * max(0, columns.stop - columns.start)
        if covered < 0.2 * fixed.size:
            return None, length
        # Every other pixel of the fine level suffices for five parameters.
        stride = 2 if width == FINE_WIDTH else 1
        part = slice(rows.start, rows.stop, stride), slice(columns.start, columns.stop, stride)
        residual = warped[part] - move.gain * fixed[part] - move.lift
        absolute = np.abs(residual)
        # Objects with their own motion (a walking figure) must not affect the estimate.
        steady = absolute < max(12.0, 2.5 * float(absolute.mean()))
        if np.count_nonzero(steady) < share_min * residual.size:
            return None, length
        table = np.column_stack([system[part][steady], residual[steady]])
        # Not numpy's product, which starts threads, and whose sums depend on their number.
        products = cv2.mulTransposed(table, aTa=True, dtype=cv2.CV_64F)
        scale = np.array([move.gain, move.gain, move.gain, 1.0, 1.0])
        normal = products[:5, :5] * scale[:, None] * scale[None, :] + np.diag([1e-2, 1e-2, 1e-2, 1.0, 1.0])
        step = np.linalg.solve(normal, -products[:5, 5] * scale)
        move = Move(
            scale=move.scale + float(step[2]),
            across=move.across + float(step[0]),
            down=move.down + float(step[1]),
            gain=move.gain + float(step[3]),
            lift=move.lift + float(step[4]),
        )
        if not (0.3 < move.scale < 3.3 and max(abs(move.across), abs(move.down)) < 1.0 and 0.02 < move.gain < 50):
            return None, length
        length = float(np.abs(step[:3]).max()) * width
        if length < 0.02 and abs(step[3]) < 0.005:
            break
    return move, length


def _inside(matrix: F32, shape: tuple[int, ...], *, forward: bool, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of a scaled and shifted picture that lie inside its source, minus a margin."""
    parts = []
    for row, length in ((1, shape[0]), (0, shape[1])):
        scale, shift = float(matrix[row, row]), float(matrix[row, 2])
        ends = (shift, scale * (length - 1) + shift) if forward else (-shift / scale, (length - 1 - shift) / scale)
        low, high = max(0, math.ceil(ends[0])) + margin, min(length - 1, math.floor(ends[1])) - margin
        parts.append(slice(low, max(low, high + 1)))
    return parts[0], parts[1]


def guess_shift(earlier: Pyramid, later: Pyramid) -> Move:
    """A whole-pixel shift by phase correlation, on an even size that suits the Fourier transform."""
    earlier_level, later_level = earlier.level(COARSE_WIDTH), later.level(COARSE_WIDTH)
    rows = min(earlier_level.shape[0] & ~3, 64)
    window = cv2.createHanningWindow((COARSE_WIDTH, rows), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(
        np.ascontiguousarray(earlier_level[:rows]), np.ascontiguousarray(later_level[:rows]), window
    )
    return Move(across=dx / COARSE_WIDTH, down=dy / COARSE_WIDTH)


def is_explained_by_move(
    earlier: U8, later: U8, move: Move, *, range_share: float, floor: float, per_mean: float
) -> bool:
    """Whether `later` (uint8[h, w]) is `earlier` under `move`, with no local difference beyond interpolation.

    The difference of each pixel is reduced by `range_share` times the local range of the earlier picture, then averaged
    over 3x3; the result may reach `floor + per_mean * mean` levels (a mean above 1.5 is more than grain and counts as
    1.5).
    """
    size = later.shape[1], later.shape[0]
    matrix = _matrix(move, later.shape)
    # Into the later picture's position: warpAffine takes the forward map unless an inverse flag is set.
    warped = cv2.warpAffine(earlier, matrix, size, flags=cv2.INTER_LINEAR)
    part = _inside(matrix, later.shape, forward=True, margin=2)
    warped, later = warped[part], later[part]
    if min(later.shape) < 16:
        return False
    if move.gain != 1.0 or move.lift != 0.0:
        warped = cv2.addWeighted(warped, move.gain, warped, 0.0, move.lift)
    local_range = cv2.subtract(cv2.dilate(warped, _SQUARE), cv2.erode(warped, _SQUARE))
    difference = cv2.subtract(
        cv2.absdiff(warped, later), cv2.addWeighted(local_range, range_share, local_range, 0.0, 0.0)
    )
    mean = min(1.5, float(cv2.sumElems(difference)[0]) / difference.size)
    worst = float(cv2.minMaxLoc(cv2.blur(difference, (3, 3)))[1])
    return worst <= floor + per_mean * mean


_SQUARE = np.ones((3, 3), np.uint8)
