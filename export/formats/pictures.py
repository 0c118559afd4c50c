"""Bytes of one exported picture: cut, padded, shrunk, encoded; the stored bytes themselves where nothing changes."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.algorithms.crops import Crop
from export.algorithms.selection import Format, Selection, written_size

ENDINGS: dict[Format, str] = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}
QUALITY = 95  # the reference's choice for webp
PNG_LEVEL = 4  # measured on frames: 2 % larger than 6 at half the time
_STORED: dict[str, Format] = {"png": "png", "webp": "webp", "jpg": "jpeg", "jpeg": "jpeg"}


def is_unchanged(name: str, width: int, height: int, selection: Selection) -> bool:
    """Whether the stored bytes can go out as they are: same format, and small enough already."""
    same_format = _STORED.get(name.rpartition(".")[2].lower()) == selection.format
    return same_format and written_size(width, height, selection) == (width, height)


def picture_bytes(rgb: NDArray[np.uint8], selection: Selection, crop: Crop | None = None) -> bytes:
    """Encode uint8 RGB [h, w, 3], first cut to the square of `crop` (black where it reaches outside), then shrunk."""
    if crop is not None:
        rgb = cut(rgb, crop)
    height, width = rgb.shape[:2]
    size = written_size(width, height, selection)
    if size != (width, height):
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    out = io.BytesIO()
    image = Image.fromarray(rgb)
    if selection.format == "png":
        image.save(out, "PNG", compress_level=PNG_LEVEL)
    elif selection.format == "webp":
        image.save(out, "WEBP", quality=QUALITY, method=4)
    else:
        image.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue()


def cut(rgb: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """The square of a crop, uint8 RGB [side, side, 3]; what lies outside of the picture is black."""
    height, width = rgb.shape[:2]
    out = np.zeros((crop.side, crop.side, 3), dtype=np.uint8)
    left, top = max(0, crop.left), max(0, crop.top)
    right, bottom = min(width, crop.left + crop.side), min(height, crop.top + crop.side)
    out[top - crop.top : bottom - crop.top, left - crop.left : right - crop.left] = rgb[top:bottom, left:right]
    return out
