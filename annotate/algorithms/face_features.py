"""Vectors of drawn faces from the colours of regions: expected hair, eyes, mouth and collar.

Uses only NumPy and OpenCV, no detectors, files or database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]

FEATURES_VERSION = "lab-regions-3"
HEAD_SIDE_PX = 64
# A head crop is this many times the face box, and the middle of the face lies this far down in it: room for the hair
# above and the collar below. A face box reaches from the middle of the forehead to the chin, two thirds of a head.
HEAD_SCALE = 1.85
FACE_CENTRE_DOWN = 0.67

# Name, centre x, centre y, spread x, spread y as fractions of the head crop.
REGIONS: tuple[tuple[str, float, float, float, float], ...] = (
    ("hair_top", 0.50, 0.18, 0.20, 0.10),
    ("left_side", 0.16, 0.60, 0.09, 0.20),
    ("right_side", 0.84, 0.60, 0.09, 0.20),
    ("left_eye", 0.37, 0.67, 0.07, 0.06),
    ("right_eye", 0.63, 0.67, 0.07, 0.06),
    ("fringe", 0.50, 0.42, 0.18, 0.08),
    ("mouth", 0.50, 0.82, 0.10, 0.06),
    ("neck", 0.50, 0.95, 0.20, 0.05),
)
LIGHTNESS_BINS = 4
COLOUR_BINS = 7
# Which way a head looks says nothing about who it is: left and right are described by their mean. A mean of two counts
# as two, so that distances are those of all eight regions.
SYMMETRIC: tuple[tuple[int, ...], ...] = ((0,), (1, 2), (3, 4), (5,), (6,), (7,))
ONE_LIGHT = len(SYMMETRIC) * LIGHTNESS_BINS * COLOUR_BINS * COLOUR_BINS
FEATURES = 2 * ONE_LIGHT  # as seen, and in white light
COLOUR_SCALE = 40.0  # LAB a and b are squeezed by tanh(x / 40): weak colours tell people apart, loud ones saturate
# A night or a sunset colours a whole head. The white of the eyes and their lights are the brightest of this window
# (top, bottom, left, right of the head crop); the head is brightened until they are nearly white.
EYE_WINDOW = (0.56, 0.80, 0.22, 0.78)
WHITE_SHARE = 0.06  # of the window's pixels
WHITE_LEVEL = 245.0
WHITE_STRENGTH = 0.8  # 1: all the way; eyes may be shut, and then skin is the brightest
GAIN_RANGE = (0.7, 2.2)
PACKED_RANGE = (-0.5, 1.0)  # a metric may make entries negative
AS_SEEN_WEIGHT = 0.2  # the rest of the weight has the head in white light
SMOOTHING = 0.6  # width of a bin's Gaussian in bins: neighbouring shades still resemble each other


@dataclass(frozen=True, slots=True)
class HeadCrop:
    """Square crop in pixels around a face box; may cross the picture's border."""

    left: int
    top: int
    side: int


def head_crop_of(box: Box) -> HeadCrop:
    """Return the head's square for a face box (left, top, right, bottom) in pixels."""
    left, top, right, bottom = box
    face = max(right - left, bottom - top, 2.0)
    side = face * HEAD_SCALE
    return HeadCrop(
        left=round((left + right) / 2 - side / 2),
        top=round((top + bottom) / 2 - side * FACE_CENTRE_DOWN),
        side=max(4, round(side)),
    )


def beyond_picture(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """Return how much of the head crop of a box (pixels) lies beyond the picture: at its left, top, right and bottom,
    as fractions of its side."""
    crop = head_crop_of(box)
    outside = (-crop.left, -crop.top, crop.left + crop.side - width, crop.top + crop.side - height)
    left, top, right, bottom = (min(1.0, max(0.0, length / crop.side)) for length in outside)
    return left, top, right, bottom


def in_pixels(boxes: Sequence[Box], width: int, height: int) -> list[Box]:
    """Convert relative boxes (left, top, right, bottom, 0 to 1) to pixels."""
    return [(left * width, top * height, right * width, bottom * height) for left, top, right, bottom in boxes]


def cut_head(picture: ByteArray, box: Box, *, side_px: int = HEAD_SIDE_PX) -> ByteArray:
    """Crop and scale the head of a face box from a uint8 RGB picture [h, w, 3]; edges are repeated beyond the
    border."""
    crop = head_crop_of(box)
    height, width = picture.shape[:2]
    x0, y0 = max(0, min(crop.left, width - 1)), max(0, min(crop.top, height - 1))
    x1, y1 = max(x0 + 1, min(crop.left + crop.side, width)), max(y0 + 1, min(crop.top + crop.side, height))
    part = picture[y0:y1, x0:x1]
    # Scale first, pad after: a box far larger than the picture must not make a giant copy.
    scale = side_px / crop.side
    inner_w = max(1, min(side_px, round((x1 - x0) * scale)))
    inner_h = max(1, min(side_px, round((y1 - y0) * scale)))
    small = cv2.resize(part, (inner_w, inner_h), interpolation=cv2.INTER_AREA)
    pad_left = min(side_px - inner_w, max(0, round((x0 - crop.left) * scale)))
    pad_top = min(side_px - inner_h, max(0, round((y0 - crop.top) * scale)))
    padded = cv2.copyMakeBorder(
        small,
        pad_top,
        side_px - inner_h - pad_top,
        pad_left,
        side_px - inner_w - pad_left,
        cv2.BORDER_REPLICATE,
    )
    return np.asarray(padded, dtype=np.uint8)


def describe_face(picture: ByteArray, box: Box) -> FloatArray:
    """Describe the face in `box` (pixels) of a uint8 RGB picture: float32[FEATURES]."""
    return describe_head(cut_head(picture, box))


def describe_heads(heads: Iterable[ByteArray]) -> FloatArray:
    """Describe several head crops: float32[N, FEATURES]."""
    rows = [describe_head(head) for head in heads]
    return np.stack(rows) if rows else np.zeros((0, FEATURES), np.float32)


def describe_head(head: ByteArray) -> FloatArray:
    """Describe a uint8 RGB head crop of any size: square roots of smoothed LAB histograms of its regions, as seen and
    in white light, the same for the mirrored head; float32[FEATURES]."""
    if head.shape[:2] != (HEAD_SIDE_PX, HEAD_SIDE_PX):
        head = np.asarray(cv2.resize(head, (HEAD_SIDE_PX, HEAD_SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    seen = _one_light(head.astype(np.float32))
    white = _one_light(in_white_light(head))
    return np.concatenate([seen * np.sqrt(AS_SEEN_WEIGHT), white * np.sqrt(1.0 - AS_SEEN_WEIGHT)]).astype(np.float32)


def in_white_light(head: ByteArray) -> FloatArray:
    """Scale the channels of an RGB head crop [n, n, 3] so that the brightest of the eyes is nearly white; 0..255."""
    side = head.shape[0]
    top, bottom, left, right = (round(edge * side) for edge in EYE_WINDOW)
    window = head[top:bottom, left:right].reshape(-1, 3).astype(np.float32)
    brightness = window.sum(axis=1)
    whites = window[brightness >= np.quantile(brightness, 1.0 - WHITE_SHARE)].mean(axis=0)
    gain = np.clip((WHITE_LEVEL / np.maximum(whites, 1.0)) ** WHITE_STRENGTH, *GAIN_RANGE)
    return np.asarray(np.clip(head * gain, 0.0, 255.0), np.float32)


def _one_light(head: FloatArray) -> FloatArray:
    """Square roots of the regions' histograms of an RGB head of 0..255 [HEAD_SIDE_PX, HEAD_SIDE_PX, 3]."""
    lab = cv2.cvtColor(head / np.float32(255.0), cv2.COLOR_RGB2LAB).reshape(-1, 3)
    lightness = _shares(lab[:, 0] / 100.0, _LIGHTNESS_CENTRES, SMOOTHING / LIGHTNESS_BINS)
    step = SMOOTHING * float(_COLOUR_CENTRES[1] - _COLOUR_CENTRES[0])
    greenred = _shares(np.tanh(lab[:, 1] / COLOUR_SCALE), _COLOUR_CENTRES, step)
    blueyellow = _shares(np.tanh(lab[:, 2] / COLOUR_SCALE), _COLOUR_CENTRES, step)
    colour = (greenred[:, :, None] * blueyellow[:, None, :]).reshape(len(lab), -1)
    # Sum over pixels of weight x lightness x colour, by region: one product of small matrices.
    light = (_WEIGHTS[:, None, :] * lightness.T[None]).reshape(-1, len(lab))
    shares = np.sqrt(light @ colour).reshape(len(REGIONS), -1)
    return np.concatenate([shares[list(rows)].sum(axis=0) / np.sqrt(len(rows)) for rows in SYMMETRIC], dtype=np.float32)


def pack(features: FloatArray) -> bytes:
    """Pack a vector with one byte per value, in steps of PACKED_RANGE / 255, which cost no accuracy."""
    low, high = PACKED_RANGE
    return bytes(np.clip(np.rint((features - low) * (255.0 / (high - low))), 0, 255).astype(np.uint8).tobytes())


def unpack(stored: Sequence[bytes | memoryview], *, values: int = FEATURES) -> FloatArray:
    """Unpack vectors: float32[N, values]. Raises ValueError when one has a different length."""
    out = np.empty((len(stored), values), np.float32)
    for row, data in enumerate(stored):
        raw_values = np.frombuffer(data, np.uint8)
        if len(raw_values) != values:
            raise ValueError(f"a stored face description has {len(raw_values)} values instead of {values}")
        out[row] = raw_values
    low, high = PACKED_RANGE
    out *= (high - low) / 255.0
    out += low
    return out


def _shares(values: npt.NDArray[Any], centres: FloatArray, width: float) -> FloatArray:
    """Split each value over bins by a Gaussian round their centres; each row sums to 1."""
    weights = np.exp(-0.5 * ((values[:, None].astype(np.float32) - centres) / np.float32(width)) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _region_weights() -> FloatArray:
    axis = (np.arange(HEAD_SIDE_PX) + 0.5) / HEAD_SIDE_PX
    down, across = np.meshgrid(axis, axis, indexing="ij")
    rows = []
    for _, x, y, spread_x, spread_y in REGIONS:
        window = np.exp(-0.5 * (((across - x) / spread_x) ** 2 + ((down - y) / spread_y) ** 2)).ravel()
        rows.append(window / window.sum())
    return np.stack(rows).astype(np.float32)


_WEIGHTS = _region_weights()
_LIGHTNESS_CENTRES: FloatArray = ((np.arange(LIGHTNESS_BINS) + 0.5) / LIGHTNESS_BINS).astype(np.float32)
_COLOUR_CENTRES: FloatArray = np.linspace(-0.9, 0.9, COLOUR_BINS).astype(np.float32)
