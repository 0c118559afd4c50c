"""Bytes of exported pictures: cropped, padded, upscaled, shrunk, encoded; the stored bytes if nothing changes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.algorithms.crops import Crop
from export.algorithms.rows import Picture
from export.algorithms.selection import Encoding, Selection, written_size
from ingest.imaging import passes

ENDINGS: dict[Encoding, str] = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}
QUALITY = 95  # the reference's choice for webp
PNG_LEVEL = 4  # measured on frames: 2 % larger than 6 at half the time
_STORED: dict[str, Encoding] = {"png": "png", "webp": "webp", "jpg": "jpeg", "jpeg": "jpeg"}


def is_unchanged(picture: Picture, selection: Selection) -> bool:
    """Return whether the bytes of `picture.source` can be exported unchanged: small enough and in the requested format.

    What only Koma shows as the team saw it (transparent, animated, turned...) is of no format but `original`.
    """
    if written_size(picture.width, picture.height, selection) != (picture.width, picture.height):
        return False
    if selection.format == "original":
        return True
    return _encoding(picture) == selection.format and not (picture.original and picture.use != "plain")


def ending(picture: Picture, selection: Selection, *, unchanged: bool) -> str:
    """Return the written file's extension, with its dot, by its contents and not by its original name."""
    return f".{picture.source.rpartition('.')[2]}" if unchanged else ENDINGS[encoding_for(picture, selection)]


def encoding_for(picture: Picture, selection: Selection) -> Encoding:
    """Return the encoding of a picture that is not copied; PNG if it should keep its format but has none."""
    return _encoding(picture) or "png" if selection.format == "original" else selection.format


def _encoding(picture: Picture) -> Encoding | None:
    return _STORED.get(picture.source.rpartition(".")[2].lower())


Enlarge = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Growth:
    """Upscaling of a picture: `passes` by `enlarge`, then resized to exactly `size` (width, height).

    `told` are all passes, with those before; they and the upscaler's name are written into the file.
    """

    enlarge: Enlarge | None = None
    size: tuple[int, int] | None = None
    passes_noted: int = 0
    model: str = ""


PLAIN = Growth()


def picture_bytes(
    rgb: NDArray[np.uint8], selection: Selection, crop: Crop | None = None, growth: Growth = PLAIN,
    *, encoding: Encoding,
) -> bytes:  # fmt: skip
    """Encode uint8 RGB [h, w, 3]: first cut to the square of `crop`, then grown, then shrunk to the recipe's bounds."""
    if crop is not None:
        rgb = cut(rgb, crop)
    if growth.enlarge is not None:
        rgb = growth.enlarge(rgb)
    height, width = rgb.shape[:2]
    rgb = resized(rgb, growth.size or written_size(width, height, selection))
    out = io.BytesIO()
    image = Image.fromarray(rgb)
    save_options = passes.save_options(growth.passes_noted, growth.model, png=encoding == "png")
    if encoding == "png":
        image.save(out, "PNG", compress_level=PNG_LEVEL, **save_options)
    elif encoding == "webp":
        image.save(out, "WEBP", quality=QUALITY, method=4, **save_options)
    else:
        image.save(out, "JPEG", quality=QUALITY, subsampling=0, **save_options)
    return out.getvalue()


def resized(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 [h, w, 3] brought to (width, height): the mean of what falls together, Lanczos where a side grows."""
    height, width = rgb.shape[:2]
    if size == (width, height):
        return rgb
    if size[0] > width or size[1] > height:
        return np.array(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS), np.uint8)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def cut(rgb: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """The square of a crop, uint8 RGB [side, side, 3]; outside of the picture black, or what its border says."""
    height, width = rgb.shape[:2]
    if crop.border in ("edge", "reflect"):
        rows, columns = (_continued(start, crop.side, length, mirror=crop.border == "reflect")
                         for start, length in ((crop.top, height), (crop.left, width)))  # fmt: skip
        return np.ascontiguousarray(rgb[rows[:, None], columns])
    out = np.zeros((crop.side, crop.side, 3), dtype=np.uint8)
    left, top = max(0, crop.left), max(0, crop.top)
    right, bottom = min(width, crop.left + crop.side), min(height, crop.top + crop.side)
    out[top - crop.top : bottom - crop.top, left - crop.left : right - crop.left] = rgb[top:bottom, left:right]
    return out


def _continued(start: int, count: int, length: int, *, mirror: bool) -> NDArray[np.int64]:
    """Places of `count` pixels from `start` on a side of `length`, those beyond the rim repeated or mirrored."""
    places = np.arange(start, start + count)
    if not mirror or length == 1:
        return np.clip(places, 0, length - 1)
    period = 2 * (length - 1)
    places = np.abs(places) % period
    return np.minimum(places, period - places)
