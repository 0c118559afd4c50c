"""How much detail a picture really has, measured at one scale whatever its size; its noise; its blocks. Pure.

A copy is never sharper for being small, enlarged, noisy or blocky: what counts is how steep the strong edges are, in
units of the picture's own size, and not how many steps between neighbouring pixels there are.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Luma = NDArray[Any]  # uint8, or uint16 for more than eight bits

SCALE: Final = 1440.0
"""Every picture is looked at as if it had SCALE x SCALE pixels: 1920 x 1080, the size of the largest common films."""
LINES: Final = 48
"""Rows that are looked at (and columns, in proportion): all of them say no more and take ten times as long."""
TOP, BOTTOM, SIDE = 0.12, 0.76, 0.08
"""Shares of the picture: above TOP and below BOTTOM stand subtitles and logos, which are no part of the drawing."""
FINE, COARSE = 1.0, 5.0
"""Standard deviations (pixels at SCALE) of the two blurs between which the bands lie."""
STRONG: Final = 0.9
"""The share of places that are no strong edge."""
LEAST_EDGE: Final = 6.0
"""Levels in the coarse band below which nothing counts as an edge."""
NOISE_TIMES: Final = 5.0
"""So many times the noise of flat places an edge has to be."""
_CELLS: Final = (24, 14)
_FLAT: Final = 16
"""One in so many cells, the calmest, is taken for flat: what they hold is noise."""
_LEAST_RATIO: Final = 0.03
_PERIOD: Final = 8
"""Pixels between the edges of blocks, of nearly all codecs."""


class Detail(NamedTuple):
    """`sharpness`: octaves from 0, where there are no edges; 1 more is twice as fine. `noise`: levels in flat places.

    `blockiness`: 0 none, 1 strong.
    """

    sharpness: float
    noise: float
    blockiness: float


def detail(luma: Luma, *, pixel_aspect: float = 1.0, level: float = 1.0) -> Detail:
    """Of a brightness picture [h, w] at its own size, before any enlarging or shrinking.

    `pixel_aspect`: width of a pixel by its height. `level`: what one step of `luma` is in levels of 16..235 (0.25 for
    ten bits, 219/255 for the full range).
    """
    ratios: list[float] = []
    noise = blocks = 0.0
    height, width = luma.shape
    unit = SCALE / float(np.sqrt(height * width * pixel_aspect))
    rows = luma[_spread(TOP * height, BOTTOM * height, LINES)]
    across = _spread(SIDE * width, (1 - SIDE) * width, round(LINES * width / height))
    columns = np.ascontiguousarray(luma[_part(TOP, BOTTOM, height)][:, across].T)
    for lines, length in ((rows, width * pixel_aspect * unit), (columns, columns.shape[1] * unit)):
        blocks = max(blocks, _blockiness(lines))
        ratio, rough = _steepness(_at_scale(lines, max(8, round(length)), level))
        ratios.append(ratio)
        noise = max(noise, rough)
    return Detail(float(np.log2(max(1.0, float(np.mean(ratios)) / _LEAST_RATIO))), noise, blocks)


def _spread(start: float, end: float, count: int) -> NDArray[np.intp]:
    first, last = int(start), max(int(start), int(end) - 1)
    return np.unique(np.linspace(first, last, max(1, min(count, last - first + 1))).astype(np.intp))


def _part(start: float, end: float, length: int) -> slice:
    first = int(start * length)
    return slice(first, max(first + 1, int(end * length)))


def _at_scale(lines: Luma, length: int, level: float) -> F32:
    """Lines [n, l] as float32 [n, length] in levels. Enlarged smoothly, shrunk by means: nothing aliases."""
    if length != lines.shape[1]:
        how = cv2.INTER_CUBIC if length > lines.shape[1] else cv2.INTER_AREA
        lines = np.asarray(cv2.resize(lines, (length, lines.shape[0]), interpolation=how), lines.dtype)
    return np.asarray(lines, np.float32) * np.float32(level)


def _kernel(sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.getGaussianKernel(int(6 * sigma) | 1, sigma, cv2.CV_32F), np.float32)


_BAND: Final = {sigma: _kernel(sigma) for sigma in (FINE, COARSE)}
_ALONG: Final = np.ones((1, 1), np.float32)


def _steepness(lines: F32) -> tuple[float, float]:
    """Of strong edges along float32 [n, l]: how much of the fine band follows the coarse one; and the noise (levels).

    At each place the product of both bands is what they have in common. Noise has next to nothing in common with a
    strong edge, and what it has is known from the calmest cells and taken off.
    """
    near, far = (cv2.sepFilter2D(lines, cv2.CV_32F, _BAND[sigma], _ALONG) for sigma in (FINE, COARSE))
    fine, coarse = cv2.subtract(lines, near), cv2.subtract(near, far)
    both, energy, rough = cv2.multiply(fine, coarse), cv2.multiply(coarse, coarse), cv2.multiply(fine, fine)
    calm = _cells(rough)
    flat = np.argsort(calm, kind="stable")[: max(4, calm.size // _FLAT)]
    noise = float(np.median(calm[flat]))
    shared, waves = float(np.median(_cells(both)[flat])), float(np.median(_cells(energy)[flat]))
    sample = np.asarray(energy)[::3, ::3].ravel()
    place = int(STRONG * (sample.size - 1))
    limit = max(LEAST_EDGE**2, float(np.partition(sample, place)[place]), NOISE_TIMES**2 * waves)
    _, strong = cv2.threshold(energy, limit, 1.0, cv2.THRESH_BINARY)
    places = _cells(strong)
    weight = _cells(cv2.multiply(energy, strong)) - waves * places
    follows = _cells(cv2.multiply(both, strong)) - shared * places
    there = weight > 0
    if not there.any():
        return 0.0, float(np.sqrt(noise))
    weight, follows = weight[there], follows[there]
    # No cell counts more than a common one: a line of credits is not the picture.
    share = np.minimum(weight, weight.sum() / len(calm))
    return float((share * follows / weight).sum() / share.sum()), float(np.sqrt(noise))


def _cells(values: cv2.typing.MatLike) -> F32:
    # In two steps, which is five times quicker.
    along = cv2.resize(values, (_CELLS[0], values.shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(along, _CELLS, interpolation=cv2.INTER_AREA), np.float32).ravel()


def _blockiness(lines: Luma) -> float:
    """How much stronger steps at every eighth pixel of lines [n, l] are than elsewhere (0 none; 1 twice as strong)."""
    if lines.shape[1] < 3 * _PERIOD + 1:
        return 0.0
    steps = cv2.absdiff(np.ascontiguousarray(lines[:, 1:]), np.ascontiguousarray(lines[:, :-1]))
    mean = np.asarray(cv2.reduce(steps, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F), np.float32).ravel()
    phase = mean[: mean.size // _PERIOD * _PERIOD].reshape(-1, _PERIOD).mean(axis=0)
    return max(0.0, float(phase.max() / (np.median(phase) + 0.25) - 1.0))
