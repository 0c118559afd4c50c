"""Measures the real detail of a picture at one scale, its noise and its compression blocks.

A copy does not become sharper by being small, enlarged, noisy or blocky: what counts is the steepness of strong edges
relative to the picture's size, not the number of steps between neighbouring pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Luma = NDArray[Any]  # uint8, or uint16 for more than eight bits

SCALE: Final = 1440.0
"""Pixels per side of an equal square to which pictures are scaled: that of 1920 x 1080, the largest common films."""
LINES: Final = 48
"""Rows that are measured (and columns, in proportion): measuring all gives the same result in ten times the time."""
TOP, BOTTOM, SIDE = 0.12, 0.76, 0.08
"""Shares of height and width that are ignored: above TOP and below BOTTOM are logos and subtitles."""
FINE, COARSE = 1.0, 5.0
"""Standard deviations (pixels at SCALE) of the two blurs that separate the bands."""
STRONG: Final = 0.9
"""Share of positions that are not strong edges."""
EDGE_MIN: Final = 6.0
"""Levels in the coarse band below which a position is no edge."""
NOISE_TIMES: Final = 5.0
"""Minimum ratio of an edge to the noise of flat areas."""
_CELLS: Final = (24, 14)
_SQUARE: Final = 16
"""Pixels per side of the squares, one per cell, whose spectrum is searched for noise."""
_WEAK: Final = 0.25
"""Share of a square's spectrum (its weakest bins) that contains noise but no texture."""
_CALM_FRACTION: Final = 10
"""The calmest of this many squares is measured."""
_TEXTURE, _NOISE = 0.2, 0.5
"""Evenness of a spectrum (weaker bins divided by the mean, 1 for white noise) that is surely texture or surely noise.

Lines, screentone, stripes and hatching reach at most 0.25, noise of 6 levels on flat areas at least 0.65."""
_NOISE_IN_FINE_BAND: Final = 0.33
"""`Detail.noise` of one level of noise: its part in the fine band of a common picture."""
_RATIO_MIN: Final = 0.03
_PERIOD: Final = 8
"""Pixels between block edges in almost all codecs."""


class Detail(NamedTuple):
    """`sharpness` in octaves: 0 without edges, one more for twice the detail. `noise` in levels of flat areas.
    `blockiness`: 0 none, 1 strong.
    """

    sharpness: float
    noise: float
    blockiness: float


def detail(luma: Luma, *, pixel_aspect: float = 1.0, level: float = 1.0) -> Detail:
    """Measure luma [h, w] at its original size.

    `pixel_aspect`: width of a pixel divided by its height. `level`: size of a step of `luma` in levels of 16..235 (0.25
    for 10 bits, 219/255 for full range).
    """
    ratios: list[float] = []
    blocks: list[float] = []
    height, width = luma.shape
    unit = SCALE / float(np.sqrt(height * width * pixel_aspect))
    white_noise = _white_noise(luma, level)
    rows = luma[_spread_indexes(TOP * height, BOTTOM * height, LINES)]
    across = _spread_indexes(SIDE * width, (1 - SIDE) * width, round(LINES * width / height))
    columns = np.ascontiguousarray(luma[_share_slice(TOP, BOTTOM, height)][:, across].T)
    for lines, length in ((rows, width * pixel_aspect * unit), (columns, columns.shape[1] * unit)):
        blocks.append(_blockiness(lines))
        ratios.append(_steepness(lines, max(8, round(length)), level, white_noise))
    sharpness = float(np.log2(max(1.0, float(np.mean(ratios)) / _RATIO_MIN)))
    return Detail(sharpness, white_noise * _NOISE_IN_FINE_BAND, min(blocks))


def _white_noise(luma: Luma, level: float) -> float:
    """Standard deviation (levels) of white noise: energy that is equal at all frequencies and directions.

    Texture has its energy in parts of the spectrum: lines across their direction, screentone at its pitch, foliage
    mostly in the low half. So the weaker bins of small squares measure noise. If they are far below the others, the
    picture is texture, in which noise is neither visible nor measurable: the result is 0.
    """
    height, width = luma.shape
    if min(height, width) < 2 * _SQUARE:
        return 0.0
    tops = _spread_indexes(TOP * height, BOTTOM * height - _SQUARE, _CELLS[1])
    lefts = _spread_indexes(SIDE * width, (1 - SIDE) * width - _SQUARE, _CELLS[0])
    squares = sliding_window_view(luma, (_SQUARE, _SQUARE))[tops[:, None], lefts].reshape(-1, _SQUARE, _SQUARE)
    power = np.abs(np.fft.rfft2(squares * _WINDOW))[:, _HIGH_FREQUENCIES] ** 2
    mean = power.mean(axis=1)
    calm = np.argsort(mean, kind="stable")[: max(4, len(mean) // _CALM_FRACTION)]
    weaker = np.quantile(power[calm], _WEAK, axis=1) / _WEAK_OF_WHITE
    evenness = float(np.median(weaker / np.maximum(mean[calm], 1e-9)))
    trust = min(1.0, max(0.0, (evenness - _TEXTURE) / (_NOISE - _TEXTURE)))
    return trust * level * float(np.sqrt(np.median(weaker) / float((_WINDOW**2).sum())))


def _spread_indexes(start: float, end: float, count: int) -> NDArray[np.intp]:
    first, last = int(start), max(int(start), int(end) - 1)
    return np.unique(np.linspace(first, last, max(1, min(count, last - first + 1))).astype(np.intp))


def _share_slice(start: float, end: float, length: int) -> slice:
    first = int(start * length)
    return slice(first, max(first + 1, int(end * length)))


def _resampled(lines: Luma, length: int, level: float) -> F32:
    """Lines [n, l] as float32[n, length] in levels, enlarged smoothly or reduced by means, without aliasing."""
    if length != lines.shape[1]:
        how = cv2.INTER_CUBIC if length > lines.shape[1] else cv2.INTER_AREA
        lines = np.asarray(cv2.resize(lines, (length, lines.shape[0]), interpolation=how), lines.dtype)
    return np.asarray(lines, np.float32) * np.float32(level)


def _kernel(sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.getGaussianKernel(int(6 * sigma) | 1, sigma, cv2.CV_32F), np.float32)


_WINDOW: Final = np.outer(np.hanning(_SQUARE), np.hanning(_SQUARE)).astype(np.float32)
_WEAK_OF_WHITE: Final = -float(np.log(1 - _WEAK))  # the power of a noise bin has an exponential distribution
_HIGH_FREQUENCIES: Final = (
    np.maximum(np.abs(np.fft.fftfreq(_SQUARE) * _SQUARE)[:, None], np.arange(_SQUARE // 2 + 1)) > 2
)  # gradients are not noise; they and the window's leakage are in the first two bins
_BAND: Final = {sigma: _kernel(sigma) for sigma in (FINE, COARSE)}
_AROUND: Final = np.ones((1, 2 * int(2 * COARSE) + 1), np.uint8)
_ALONG: Final = np.ones((1, 1), np.float32)


def _bands(lines: F32) -> tuple[F32, F32]:
    fine_blur, coarse_blur = (cv2.sepFilter2D(lines, cv2.CV_32F, _BAND[sigma], _ALONG) for sigma in (FINE, COARSE))
    fine, coarse = cv2.subtract(lines, fine_blur), cv2.subtract(fine_blur, coarse_blur)
    return np.asarray(fine, np.float32), np.asarray(coarse, np.float32)


@lru_cache(64)
def _noise_response(length: int, scaled: int) -> tuple[float, float]:
    """Response to white noise of one level at SCALE: mean product of both bands, and energy of the coarse band."""
    noise = np.random.default_rng(0).normal(0, 1, (16, length)).astype(np.float32)
    fine, coarse = _bands(_resampled(noise, scaled, 1.0))
    return float((fine * coarse).mean()), float((coarse * coarse).mean())


def _steepness(lines: Luma, length: int, level: float, white_noise: float) -> float:
    """Share of the fine band that follows the coarse one at strong edges of lines [n, l], scaled to `length` pixels.

    The product of both bands is what they have in common. Noise has almost nothing in common with a strong edge; the
    part of `white_noise` levels of noise is subtracted.
    """
    fine, coarse = _bands(_resampled(lines, length, level))
    both, energy = cv2.multiply(fine, coarse), cv2.multiply(coarse, coarse)
    shared, waves = (white_noise**2 * part for part in _noise_response(lines.shape[1], length))
    sample = np.asarray(energy)[::3, ::3].ravel()
    place = int(STRONG * (sample.size - 1))
    limit = max(EDGE_MIN**2, float(np.partition(sample, place)[place]), NOISE_TIMES**2 * waves)
    _, strong = cv2.threshold(energy, limit, 1.0, cv2.THRESH_BINARY)
    strong = cv2.dilate(strong, _AROUND)
    places = _cells(strong)
    weight = _cells(cv2.multiply(energy, strong)) - waves * places
    follows = _cells(cv2.multiply(both, strong)) - shared * places
    has_edges = weight > 0
    if not has_edges.any():
        return 0.0
    weight, follows = weight[has_edges], follows[has_edges]
    # No cell counts more than an average one, so that a line of credits does not dominate.
    share = np.minimum(weight, weight.sum() / places.size)
    return float((share * follows / weight).sum() / share.sum())


def _cells(values: cv2.typing.MatLike) -> F32:
    # In two steps, which is five times faster.
    along = cv2.resize(values, (_CELLS[0], values.shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(along, _CELLS, interpolation=cv2.INTER_AREA), np.float32).ravel()


def _blockiness(lines: Luma) -> float:
    """How much stronger steps at every eighth pixel of lines [n, l] are than others (0: equal, 1: twice)."""
    if lines.shape[1] < 3 * _PERIOD + 1:
        return 0.0
    steps = cv2.absdiff(np.ascontiguousarray(lines[:, 1:]), np.ascontiguousarray(lines[:, :-1]))
    mean = np.asarray(cv2.reduce(steps, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F), np.float32).ravel()
    phase = mean[: mean.size // _PERIOD * _PERIOD].reshape(-1, _PERIOD).mean(axis=0)
    second, last = np.sort(phase)[-2:]  # lines and pixel art have steps at several
    return max(0.0, float(last / (second + 0.25) - 1.0))
