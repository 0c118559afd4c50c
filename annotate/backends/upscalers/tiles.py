"""Upscaling in overlapping tiles, so that memory does not grow with the picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from annotate.backends.contract import Picture
from ingest.errors import BadInput

TILE = 512  # pixels of the input; both as in the reference
OVERLAP = 64
PIXELS_MAX = 200_000_000  # of a result: 600 MB of bytes; a 4K frame times 4 has 133 million

Net = Callable[[Picture], NDArray[np.float32]]  # bytes [h, w, 3] -> 0..1 [h * factor, w * factor, 3], RGB both


def starts(length: int, *, tile: int = TILE, overlap: int = OVERLAP) -> list[int]:
    """Return where tiles start along a side: every `tile - overlap` pixels, the last one at the end; one if it fits."""
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - overlap), length - tile]


def check_size(picture: Picture, *, factor: int, times: int) -> None:
    """Raise BadInput when the result would exceed PIXELS_MAX, ValueError for a negative number of passes."""
    if times < 0:
        raise ValueError(f"times must be 0 or more, not {times}")
    height, width = (side * factor**times for side in picture.shape[:2])
    if width * height > PIXELS_MAX:
        raise BadInput(
            f"Upscaled {times} times by {factor}, this picture would have {width:,} x {height:,} pixels; at most "
            f"{PIXELS_MAX / 1e6:.0f} million are allowed. Upscale smaller pictures, or crops of this one."
        )


def enlarge(picture: Picture, net: Net, *, factor: int, tile: int = TILE, overlap: int = OVERLAP) -> Picture:
    """Upscale uint8 RGB [h, w, 3] in one pass; overlapping tiles are averaged, as in the reference.

    Memory holds the result as bytes and one row of tiles as floats. Tiles at the end of a side keep their full size and
    overlap more; a picture no larger than a tile is not split.
    """
    if not 0 <= overlap < tile:
        raise ValueError(f"overlap {overlap} must lie between 0 and the tile's {tile}")
    height, width = picture.shape[:2]
    high, wide = min(tile, height), min(tile, width)
    tops, lefts = (starts(side, tile=tile, overlap=overlap) for side in (height, width))
    across = np.repeat(_tiles_over(width, lefts, wide), factor)
    down = np.repeat(_tiles_over(height, tops, high), factor)
    out = np.empty((height * factor, width * factor, 3), np.uint8)
    band = np.zeros((high * factor, width * factor, 3), np.float32)
    for top, following in zip(tops, [*tops[1:], height], strict=True):
        for left in lefts:
            band[:, left * factor : (left + wide) * factor] += _checked(
                net(np.ascontiguousarray(picture[top : top + high, left : left + wide])), high * factor, wide * factor
            )
        first, last = top * factor, following * factor
        ready = last - first  # rows that no later tile covers
        weights = down[first:last, None, None] * across[None, :, None]
        out[first:last] = np.rint(np.clip(band[:ready] / weights, 0, 1) * 255).astype(np.uint8)
        band[: len(band) - ready] = band[ready:]
        band[len(band) - ready :] = 0
    return out


def padded_to(picture: Picture, multiple: int) -> Picture:
    """Pad the picture by reflection on the right and below, to sides that are multiples."""
    height, width = picture.shape[:2]
    below, right = -height % multiple, -width % multiple
    if not below and not right:
        return picture
    return np.pad(picture, ((0, below), (0, right), (0, 0)), mode="reflect")


def _tiles_over(length: int, begins: list[int], tile: int) -> NDArray[np.float32]:
    """Return how many tiles cover each pixel of a side."""
    count = np.zeros(length, np.float32)
    for begin in begins:
        count[begin : begin + tile] += 1
    return count


def _checked(answer: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    if answer.shape != (height, width, 3):
        raise BadInput(
            f"The upscaling model returned {answer.shape} instead of ({height}, {width}, 3): not the expected type. "
            "Install it again or choose another."
        )
    return answer
