"""JPEGs whose data end before their last block, though they say that they are whole: the decoder makes up the rest."""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]
BLOCK_PIXELS = 64  # each block of brightness takes one bit at the very least, whatever the coding
BORDER = 8  # pixels: the height of a block, in which a made-up row shows one colour
FLAT = 2  # levels
_SCALE = 8  # the decoder gives an eighth of the size at a fraction of the time
_NOISE = bytes((37 * n + 11) % 255 for n in range(64))  # no byte of it begins a marker
# In a file with restart markers each stretch begins with one; in another one they are the end of what is read.
_MORE = _NOISE + b"".join(bytes((0xFF, 0xD0 + n % 8)) + _NOISE for n in range(16))
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # the marker behind the data of a scan


def max_pixel_share(data: bytes, pixels: int) -> float:
    """The share of so many pixels that a JPEG of these bytes can hold at the most, 1 or more for all; 1 for others."""
    if not data.startswith(b"\xff\xd8") or not pixels:
        return 1.0
    return 8 * len(data) * BLOCK_PIXELS / pixels


def ends_early(data: bytes, rgb: U8) -> bool:
    """Whether a row of blocks or more of a decoded JPEG [h, w, 3] is made up; False for other formats.

    What is made up is of one colour. Many whole pictures have a border of one colour too, so such a file is decoded
    again, small, with further bytes behind its first scan: they change the picture only where blocks were missing.
    """
    if not data.startswith(b"\xff\xd8") or not _has_flat_border(rgb):
        return False
    end = _end_of_scan(data)
    if end < 0:
        return False
    try:
        return not np.array_equal(_small(data), _small(data[:end] + _MORE + data[end:]))
    except (OSError, SyntaxError, ValueError):  # it can be read as it is, and that is all that is known
        return False


def _end_of_scan(data: bytes) -> int:
    """Where the data of the first scan end, which hold the mean of every block; -1 where there is none."""
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        size = int.from_bytes(data[offset + 2 : offset + 4], "big")
        if data[offset + 1] == 0xDA:
            next_marker = _NEXT.search(data, offset + 2 + size)
            return next_marker.start() if next_marker else -1
        offset += 1 if data[offset + 1] == 0xFF else 2 + size
    return -1


def _has_flat_border(rgb: U8) -> bool:
    """At any side: the picture may have been turned."""
    sides = (
        (rgb[-1], rgb[-BORDER:]),
        (rgb[0], rgb[:BORDER]),
        (rgb[:, -1], rgb[:, -BORDER:]),
        (rgb[:, 0], rgb[:, :BORDER]),
    )
    return any(_is_flat(line) and _is_flat(border) for line, border in sides)


def _is_flat(part: U8) -> bool:
    return bool((np.ptp(part.reshape(-1, 3), axis=0) <= FLAT).all())


def _small(data: bytes) -> U8:
    with Image.open(io.BytesIO(data), formats=("JPEG", "MPO")) as image:
        image.draft("RGB", (max(1, image.width // _SCALE), max(1, image.height // _SCALE)))
        return np.asarray(image.convert("RGB"), np.uint8)
