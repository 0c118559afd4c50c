"""Pictures of more than 8 bits a channel, brought to 8 by what the file says of its range, never by guessing it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

OVERSHOOT_MAX = 2.0  # floating point: white is 1; colours a little above it are cut, far above it is another scale
DARK_SHARE = 1 / 8  # a range used up to less than this is worth a note


def eight_bit(image: Image.Image, notes: list[str], bits: int = 0) -> Image.Image:
    """16 bit, 32 bit and floating point greys to L; anything else as it is. `bits`: as of `to_bytes`."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode.startswith("I;16") and values.dtype != np.uint16:
        values = values.astype(np.uint16)
    elif image.mode == "I" and values.min(initial=0) >= 0 and values.max(initial=0) <= 65535:
        values = values.astype(np.uint16)  # what Pillow widens on its own
    return Image.fromarray(to_bytes(values, notes, bits))


def to_bytes(values: NDArray[Any], notes: list[str], bits: int = 0) -> NDArray[np.uint8]:
    """Any numbers as uint8 of the same shape. Whole numbers use their type's range, or 0..2**bits-1 where a file says
    so and keeps to it; floating point 0..1, else what the type of their largest value would be.
    """
    notes.append("more than 8 bits a channel: rounded to 8")
    out = np.empty(values.shape, np.uint8)
    # In strips: wide numbers of a large picture would not fit in memory several times.
    strips = range(0, values.shape[0], 256)
    top = max((_top(values[row : row + 256]) for row in strips), default=0.0)
    white = _white(values, top, notes, bits)
    for row in strips:
        part = np.nan_to_num(values[row : row + 256].astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        out[row : row + 256] = np.clip(np.rint(part * np.float32(255.0 / white)), 0, 255).astype(np.uint8)
    return out


def _top(part: NDArray[Any]) -> float:
    """The largest finite value, 0 at least."""
    return float(np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0).max(initial=0))


def _white(values: NDArray[Any], top: float, notes: list[str], bits: int) -> float:
    """The value that is white."""
    if values.dtype.kind == "f":
        if top <= OVERSHOOT_MAX:
            if top > 1:
                notes.append("colours brighter than white were cut")
            return 1.0
        return next((float(white) for white in (255, 65535) if top <= white), top)
    if values.dtype.kind == "i":
        full = float(np.iinfo(values.dtype).max)
    else:
        full = float(np.iinfo(values.dtype).max) if values.dtype.kind == "u" else max(top, 1.0)
    if bits and 0 < top <= 2**bits - 1 < full:
        notes.append(f"its numbers use {bits} bits, as the file says: brought to the whole range")
        return float(2**bits - 1)
    if 0 < top < full * DARK_SHARE:
        notes.append(
            f"very dark: its brightest value is {top:,.0f} of {full:,.0f}; the file does not say that fewer bits count"
        )
    return full
