"""Converts decoded Pillow pictures to arrays in strips, since large ones do not fit in memory twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STRIP = 256  # rows


def channels(image: Image.Image, number: int) -> NDArray[np.uint8]:
    """The first `number` 8 bit channels of a picture that has at least as many: uint8[h, w, number]."""
    width, height = image.size
    out = np.empty((height, width, number), np.uint8)
    for top in range(0, height, STRIP):
        bottom = min(height, top + STRIP)
        out[top:bottom] = np.asarray(image.crop((0, top, width, bottom)), np.uint8)[..., :number]
    return out


def alpha_of(image: Image.Image) -> NDArray[np.uint8]:
    """The last channel of an RGBA picture: uint8[h, w]."""
    width, height = image.size
    out = np.empty((height, width), np.uint8)
    for top in range(0, height, STRIP):
        bottom = min(height, top + STRIP)
        out[top:bottom] = np.asarray(image.crop((0, top, width, bottom)), np.uint8)[..., 3]
    return out
