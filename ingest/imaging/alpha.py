"""Puts a picture with transparent parts on the background on which its lines stay visible."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# In order of liking: data sets and taggers expect white; black and grey are for what white would swallow.
BACKGROUNDS = (255, 0, 128)
VANISH_MAX = 0.25  # share of the outline that may vanish before the next background is tried
CONTRAST_MIN = 48  # luma steps below which a line is hard to see
VISIBLE_ALPHA_MIN = 24
OUTLINE_PX = 1  # how far from a transparent pixel a pixel counts as outline: lines may be one pixel wide


def flatten(rgba: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int | None]:
    """RGBA uint8 [h,w,4] to RGB [h,w,3] and the grey level put behind it; None when nothing was transparent."""
    alpha = rgba[..., 3]
    rgb = np.ascontiguousarray(rgba[..., :3])
    if int(alpha.min()) == 255:
        return rgb, None
    background = choose_background(rgb, alpha)
    out = np.empty_like(rgb)
    for top in range(0, rgb.shape[0], 256):  # in strips: wide numbers of a large picture would not fit in memory
        part = slice(top, top + 256)
        weight = alpha[part, :, None].astype(np.uint16)
        out[part] = (rgb[part] * weight + background * (255 - weight) + 127) // 255
    return out, background


def choose_background(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> int:
    """Grey level (0..255) on which the outline of what is visible stands out; white unless that would hide it."""
    clear = (alpha < VISIBLE_ALPHA_MIN).astype(np.uint8)
    if clear.any():
        near = cv2.dilate(clear, np.ones((2 * OUTLINE_PX + 1, 2 * OUTLINE_PX + 1), np.uint8))
        outline = (near == 1) & (clear == 0)
    else:  # a veil over everything: all of it counts
        outline = alpha < 255
    if not outline.any():
        return BACKGROUNDS[0]
    weights = alpha[outline].astype(np.float64)
    lumas = rgb[outline].astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    shares = []
    for level in BACKGROUNDS:
        hidden = float((weights * (np.abs(lumas - level) < CONTRAST_MIN)).sum() / weights.sum())
        if hidden <= VANISH_MAX:
            return level
        shares.append(hidden)
    return BACKGROUNDS[int(np.argmin(shares))]
