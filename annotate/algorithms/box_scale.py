"""Scaling of boxes about their centres, and treatment of boxes that then cross the picture's border."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BOX_SCALE = 1.5  # a face box so enlarged holds the head


class Border(StrEnum):
    """Treatment of a box that crosses the picture's border."""

    SHIFT = "shift"  # moved inside; its size is kept if the picture is large enough
    CLAMP = "clamp"  # cut
    DROP = "drop"  # left out
    PAD = "pad"  # left as it is: the crop is to be padded


def enlarge(
    boxes: FloatArray, scale: float, width: int, height: int, *, border: Border
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Scale `boxes` [n, 4] about their centres; return boxes float32 [m, 4] and the rows [m] they come from.

    m < n only with DROP. Raises ValueError for a scale that is not positive.
    """
    if not scale > 0:
        raise ValueError(f"scale must be more than 0, not {scale}")
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * (scale / 2)
    low, high = (centre - half).astype(np.float32), (centre + half).astype(np.float32)
    size = np.array([width, height], np.float32)
    rows = np.arange(len(boxes))
    if border == Border.SHIFT:
        low, high = low - np.maximum(high - size, 0), np.minimum(high, size)  # from the right and the bottom
        high = np.minimum(high + np.maximum(-low, 0), size)  # then from the left and the top
        low = np.maximum(low, 0)
    elif border == Border.CLAMP:
        low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    elif border == Border.DROP:
        inside = (low >= 0).all(axis=1) & (high <= size).all(axis=1)
        low, high, rows = low[inside], high[inside], rows[inside]
    return np.concatenate([low, high], axis=1).astype(np.float32), rows
