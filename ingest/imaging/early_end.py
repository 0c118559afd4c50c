"""Detects JPEGs whose data end before the last block without an error: the decoder fills in the rest."""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]
BLOCK_PIXELS = 64  # a luma block takes at least one bit in any coding
BORDER = 8  # pixels: the height of a block; a filled-in row has a single colour
FLAT = 2  # levels: the largest difference in a single-coloured border
_SCALE = 8  # the decoder produces an eighth of the size in a fraction of the time
_NOISE = bytes((37 * n + 11) % 255 for n in range(64))  # contains no start of a marker
# In a file with restart markers each interval begins with one; in others the decoder stops at them.
_MORE = _NOISE + b"".join(bytes((0xFF, 0xD0 + n % 8)) + _NOISE for n in range(16))
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # the marker after the data of a scan


def max_pixel_share(data: bytes, pixels: int) -> float:
    """The largest share of `pixels` that a JPEG of this length can contain (1 or more: all); 1 for other formats."""
    if not data.startswith(b"\xff\xd8") or not pixels:
        return 1.0
    return 8 * len(data) * BLOCK_PIXELS / pixels


def ends_early(data: bytes, rgb: U8) -> bool:
    """Whether at least a row of blocks of a decoded JPEG uint8[h, w, 3] was filled in; False for other formats.

    A filled-in part has a single colour. Many complete pictures have a single-coloured border too, so such a file is
    decoded again at a small size with additional bytes after its first scan: they change only missing blocks.
    """
    if not data.startswith(b"\xff\xd8") or not _has_flat_border(rgb):
        return False
    end = _end_of_scan(data)
    if end < 0:
        return False
    try:
        return not np.array_equal(_small(data), _small(data[:end] + _MORE + data[end:]))
    except (OSError, SyntaxError, ValueError):  # nothing more can be found out
        return False


def _end_of_scan(data: bytes) -> int:
    """End of the data of the first scan, which contain the mean of every block; -1 if there is none."""
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        size = int.from_bytes(data[offset + 2 : offset + 4], "big")
        if data[offset + 1] == 0xDA:
            next_marker = _NEXT.search(data, offset + 2 + size)
            return next_marker.start() if next_marker else -1
        offset += 1 if data[offset + 1] == 0xFF else 2 + size
    return -1


def _has_flat_border(rgb: U8) -> bool:
    """Whether any side is single-coloured; all are checked, since the picture may have been turned."""
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
