"""Typical altered copies of a picture that duplicate detection must recognise. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
LINES = ("Let us go home together today.", "I never thought you would say that")
TALL = 720  # pixels: the height for which shifts and letters are defined; they scale with the picture's height


def _jpeg(picture: U8, *, quality: int, scale: float = 1.0) -> U8:
    size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
    small = picture if scale == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    packed = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def _shift(picture: U8, *, pixels: int) -> U8:
    height, width = picture.shape[:2]
    by = pixels * height / TALL
    move = np.asarray([[1, 0, by], [0, 1, by]], np.float32)
    return np.asarray(cv2.warpAffine(picture, move, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _crop(picture: U8, *, share: float) -> U8:
    height, width = picture.shape[:2]
    across, down = int(width * share), int(height * share)
    inner = picture[down : height - down, across : width - across]
    return np.asarray(cv2.resize(inner, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _subtitled(picture: U8) -> U8:
    result = np.ascontiguousarray(picture)
    result = result.copy() if result is picture else result
    height, width = result.shape[:2]
    scale = height / TALL
    for line, text in enumerate(LINES):
        wide = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 1.5 * scale, 3)[0][0]
        origin = ((width - wide) // 2, int(height * (0.94 - 0.075 * line)))
        for colour, thickness in (((0, 0, 0), 9), ((255, 255, 255), 3)):
            pen = max(1, round(thickness * scale))
            cv2.putText(result, text, origin, cv2.FONT_HERSHEY_DUPLEX, 1.5 * scale, colour, pen, cv2.LINE_AA)
    return result


def _levels(picture: U8, *, factor: float, lift: float = 0.0) -> U8:
    return np.asarray(np.clip(picture.astype(np.float32) * factor + lift, 0, 255), np.uint8)


def _blurred(picture: U8, *, sigma: float) -> U8:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma * picture.shape[0] / TALL), np.uint8)


COPIES: dict[str, Callable[[U8], U8]] = {
    "JPEG quality 30": partial(_jpeg, quality=30),
    "two thirds, JPEG quality 20": partial(_jpeg, quality=20, scale=2 / 3),
    "one third": partial(_jpeg, quality=60, scale=1 / 3),
    "shifted 2 px": partial(_shift, pixels=2),
    "shifted 4 px": partial(_shift, pixels=4),
    "shifted 8 px": partial(_shift, pixels=8),
    "shifted 16 px": partial(_shift, pixels=16),
    "two lines of subtitles": _subtitled,
    "dimmed to 60 %": partial(_levels, factor=0.6),
    "dimmed to 30 %": partial(_levels, factor=0.3),
    "brighter by 25": partial(_levels, factor=1.0, lift=25),
    "cropped 2 % per side": partial(_crop, share=0.02),
    "cropped 4 % per side": partial(_crop, share=0.04),
    "blurred, sigma 2": partial(_blurred, sigma=2),
    "blurred, sigma 6": partial(_blurred, sigma=6),
}
"""Name -> picture uint8 [h, w, 3] RGB to its copy, which may have another size. Pixels are meant at 720 lines."""
