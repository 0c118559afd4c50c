"""Tells whether two similar pictures show one drawing, by where they differ.

A connected change of the size of an arm or a head is another picture. Changes of mouths and eyes, grain, compression,
subtitles, brightness, a camera move, and a figure that slides over its background are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.camera import Move, Pyramid, align, guess_shift

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]

WIDTH: Final = 160
HEIGHT: Final = 90
"""Size of the compared pictures in pixels, whatever the shape of the originals. Areas and lengths below are in them."""

_LEVELS: Final = 12.0  # difference beyond the local range that counts as a change; compression stays below
_CHROMA_GAIN: Final = 1.5
_GLARE: Final = 235  # luma from which colours are cut off
_SPECK: Final = 12  # area below which a change counts as noise

# A limb is long and upright; what is compact or lies flat is an eye or a mouth up to a larger size.
_LIMB_AREA: Final = 20
_UPRIGHT: Final = 1.5  # height per width
_FACE_PART_AREA: Final = 80
_EYE_AREA: Final = 260  # of each of a pair
_SUBTITLE_TOP: Final = 0.77
_SUBTITLE_LINE: Final = 0.1  # share of the height; two lines that touch are up to twice as high, and wider than that

_OVERLAP_MIN: Final = 0.5  # share that two views of a drawing have in common
_BEND_AREA: Final = (900, 6_000)  # change that a large figure makes whose hair or clothes move
_REACH: Final = 6  # pixels that hair and clothes may move
_MATCH_LEVELS: Final = 6  # mean difference of surroundings that match
_SLIDE_MIN: Final = 3  # pixels
_SLIDE_MAX: Final = (56, 10)  # pixels across and down
_FIGURE_AREA: Final = (300, 6_000)  # change that a sliding figure makes; limbs are smaller, other places larger
_FIGURE_MIN: Final = 0.4  # share of the change that the slid figure explains
_LEFT_MAX: Final = 0.05  # share of the change that may remain in one place
_SQUARE: Final = np.ones((3, 3), np.uint8)
_WIDE_SQUARE: Final = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class _Part:
    """A connected change: its box in pixels and its area."""

    left: int
    top: int
    width: int
    height: int
    area: int

    @property
    def middle(self) -> tuple[float, float]:
        return self.left + self.width / 2, self.top + self.height / 2

    @property
    def is_upright(self) -> bool:
        return self.height >= _UPRIGHT * self.width


def small_picture(rgb: U8) -> U8:
    """What `is_same_drawing` compares: uint8[HEIGHT, WIDTH, 3] of luma and chroma, of RGB uint8[h, w, 3]."""
    small = cv2.resize(rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb), (3, 3), 0), np.uint8)


def is_same_drawing(first: U8, second: U8) -> bool:
    """Whether two of `small_picture` show one drawing. Symmetric."""
    if _swapped(first, second):
        first, second = second, first
    changed = _changed(first, second)
    if not _shows_pose(changed):
        return True
    if _only_bends(first, second, changed):
        return True
    everywhere = np.ones((HEIGHT, WIDTH), dtype=bool)
    if _slides(first, second, changed, everywhere):
        return True
    for move in _moves(first, second):
        moved, inside = _moved(first, move)
        changed = _changed(moved, second, levels=_LEVELS + min(10.0, 0.25 * abs(move.lift))) & inside
        if not _shows_pose(changed if move.is_still else _without_lines(changed)):
            return True
    return False


def _swapped(first: U8, second: U8) -> bool:
    """Whether to exchange two pictures, so that their order has no influence: the brighter one, which may lack
    highlights, comes second."""
    one, two = int(first[..., 0].sum()), int(second[..., 0].sum())
    return one > two or (one == two and first.tobytes() > second.tobytes())


def _changed(first: U8, second: U8, *, levels: float = _LEVELS) -> Flags:
    """The pixels that differ by more than a shift of a pixel and noise can make: bool[HEIGHT, WIDTH]."""
    one_way = np.maximum(_beyond(first, second), _beyond(second, first)).astype(np.float32)
    colour = np.maximum(one_way[..., 1], one_way[..., 2])
    colour[np.maximum(first[..., 0], second[..., 0]) >= _GLARE] = 0
    difference = np.maximum(one_way[..., 0], _CHROMA_GAIN * colour)
    return _cleaned(difference > levels)


def _beyond(first: U8, second: U8) -> U8:
    """How far `second` is outside the range of `first` around each pixel, per channel."""
    low, high = cv2.erode(first, _SQUARE), cv2.dilate(first, _SQUARE)
    return np.asarray(np.maximum(cv2.subtract(second, high), cv2.subtract(low, second)), np.uint8)


def _only_bends(first: U8, second: U8, changed: Flags) -> bool:
    """Whether a large figure moved a little in many places, as flowing hair does."""
    area = float(changed.sum())
    if not _BEND_AREA[0] <= area <= _BEND_AREA[1]:
        return False
    lacks = _cleaned(changed & (_lacks(first, second) | _lacks(second, first)))
    return not _shows_pose(lacks, limb=max(_LIMB_AREA, _LEFT_MAX * area))


def _lacks(first: U8, second: U8) -> Flags:
    """The pixels of the second picture whose surroundings the first has nowhere within the reach."""
    low, high = cv2.erode(first, _SQUARE), cv2.dilate(first, _SQUARE)
    ends = [cv2.copyMakeBorder(end, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REPLICATE) for end in (low, high)]
    best: cv2.typing.MatLike = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for down in range(0, 2 * _REACH + 1, 2):
        for across in range(0, 2 * _REACH + 1, 2):
            part = slice(down, down + HEIGHT), slice(across, across + WIDTH)
            beyond = cv2.max(cv2.subtract(second, ends[1][part]), cv2.subtract(ends[0][part], second))
            luma, red, blue = cv2.split(beyond)
            best = cv2.min(best, cv2.blur(cv2.max(luma, cv2.max(red, blue)), (5, 5)))
    return np.asarray(cv2.dilate((best > _MATCH_LEVELS).astype(np.uint8), _SQUARE), dtype=bool)


def _without_lines(mask: Flags) -> Flags:
    """Without lines of two pixels, which interpolation leaves along edges."""
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _SQUARE), dtype=bool)


def _cleaned(mask: Flags) -> Flags:
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _SQUARE)
    return np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, _SQUARE[:2, :2]), dtype=bool)


def _shows_pose(changed: Flags, *, limb: float = _LIMB_AREA) -> bool:
    """Whether a change of the size of an arm (at least `limb` pixels) or a head is among the connected ones."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8), connectivity=8)
    parts = [_Part(*(int(value) for value in row)) for row in stats[1:]]
    parts = [part for part in parts if part.area >= _SPECK and not _is_subtitle(part)]
    compact = max(limb, _FACE_PART_AREA)
    return any(part.area >= (limb if part.is_upright else compact) for part in _without_eyes(parts))


def _is_subtitle(part: _Part) -> bool:
    if part.top < _SUBTITLE_TOP * HEIGHT:
        return False
    line = _SUBTITLE_LINE * HEIGHT
    return part.height <= line or (part.height <= 2 * line and part.width >= part.height)


def _without_eyes(parts: list[_Part]) -> list[_Part]:
    """The parts without pairs of equal ones side by side and what lies below the middle of a pair."""
    by_area = sorted(parts, key=lambda part: (-part.area, part.left, part.top))
    for number, first in enumerate(by_area):
        for second in by_area[number + 1 :]:
            if _are_eyes(first, second):
                rest = [part for part in by_area if part not in (first, second) and not _is_mouth(part, first, second)]
                return _without_eyes(rest)
    return by_area


def _are_eyes(first: _Part, second: _Part) -> bool:
    if first.area > _EYE_AREA or first.area > 2.2 * second.area:
        return False
    if any(part.height > 1.6 * part.width or part.width > 3 * part.height for part in (first, second)):
        return False
    across = abs(first.middle[0] - second.middle[0])
    down = abs(first.middle[1] - second.middle[1])
    width = (first.width + second.width) / 2
    return down <= 0.6 * max(first.height, second.height) and 0.9 * width <= across <= 3.2 * width


def _is_mouth(part: _Part, left: _Part, right: _Part) -> bool:
    apart = abs(left.middle[0] - right.middle[0])
    middle = (left.middle[0] + right.middle[0]) / 2, (left.middle[1] + right.middle[1]) / 2
    below = part.middle[1] - middle[1]
    is_near = abs(part.middle[0] - middle[0]) <= apart / 2 and 0 < below <= 1.8 * apart
    return is_near and part.area <= 0.4 * apart * apart


def _moves(first: U8, second: U8) -> Iterator[Move]:
    """Moves of the camera and changes of brightness that may lead from the first to the second."""
    earlier = Pyramid(np.ascontiguousarray(first[..., 0]))
    later = Pyramid(np.ascontiguousarray(second[..., 0]))
    for guess in (Move(), guess_shift(earlier, later)):
        move = align(earlier, later, guess)
        if move is not None and not move.is_identity and move.overlap((HEIGHT, WIDTH)) >= _OVERLAP_MIN:
            yield move


def _moved(first: U8, move: Move) -> tuple[U8, Flags]:
    """The picture under a move, and the pixels that it covers but for its edge."""
    middle_x, middle_y = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    matrix = np.array(
        [
            [move.scale, 0, move.across * WIDTH + middle_x * (1 - move.scale)],
            [0, move.scale, move.down * WIDTH + middle_y * (1 - move.scale)],
        ],
        np.float32,
    )
    picture = cv2.warpAffine(first, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    luma = np.clip(picture[..., 0].astype(np.float32) * move.gain + move.lift, 0, 255)
    chroma = np.clip((picture[..., 1:].astype(np.float32) - 128) * move.gain + 128, 0, 255)
    covered = cv2.warpAffine(np.ones((HEIGHT, WIDTH), np.uint8), matrix, (WIDTH, HEIGHT), flags=cv2.INTER_NEAREST)
    inside = cv2.erode(covered, _WIDE_SQUARE, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.dstack([luma, chroma]).astype(np.uint8), np.asarray(inside, dtype=bool)


def _slides(first: U8, second: U8, changed: Flags, inside: Flags) -> bool:
    """Whether one shift of a figure explains what changed, but for the background that it uncovers or covers."""
    if not _FIGURE_AREA[0] <= changed.sum() <= _FIGURE_AREA[1]:
        return False
    found = _slide(first, second, changed)
    if found is None:
        return False
    across, down = found
    return _is_slid(first, second, changed, inside, (across, down)) and _is_slid(
        second, first, changed, inside, (-across, -down)
    )


def _is_slid(first: U8, second: U8, changed: Flags, inside: Flags, by: tuple[int, int]) -> bool:
    unexplained = changed & _changed(_shifted(first, by), second)
    figure = changed & ~unexplained
    if figure.sum() < _FIGURE_MIN * changed.sum():
        return False
    before = _shifted(figure.astype(np.uint8), (-by[0], -by[1])).astype(bool)
    uncovered = cv2.dilate((before & ~figure).astype(np.uint8), _WIDE_SQUARE).astype(bool)
    limb = max(_LIMB_AREA, _LEFT_MAX * float(changed.sum()))
    return not _shows_pose(_cleaned(unexplained & ~uncovered & inside), limb=limb)


def _slide(first: U8, second: U8, changed: Flags) -> tuple[int, int] | None:
    """The shift (across, down) under which the changed pixels of the second picture resemble the first best."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    padded = cv2.copyMakeBorder(
        first[..., 0], _SLIDE_MAX[1], _SLIDE_MAX[1], _SLIDE_MAX[0], _SLIDE_MAX[0], cv2.BORDER_REPLICATE
    )
    search = padded[top : bottom + 2 * _SLIDE_MAX[1], left : right + 2 * _SLIDE_MAX[0]]
    patch = np.ascontiguousarray(second[top:bottom, left:right, 0])
    mask = changed[top:bottom, left:right].astype(np.uint8)
    fit = cv2.matchTemplate(search, patch, cv2.TM_SQDIFF, mask=mask)
    _, _, (x, y), _ = cv2.minMaxLoc(fit)
    across, down = _SLIDE_MAX[0] - x, _SLIDE_MAX[1] - y
    return (across, down) if max(abs(across), abs(down)) >= _SLIDE_MIN else None


def _shifted(picture: U8, by: tuple[int, int]) -> U8:
    shift = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
    return np.asarray(
        cv2.warpAffine(picture, shift, (WIDTH, HEIGHT), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )
