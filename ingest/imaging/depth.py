"""Converts pictures of more than 8 bits per channel to 8 bits by the range that the file states, without guessing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

OVERSHOOT_MAX = (
    2.0  # floating point: white is 1; slightly higher values are clipped, much higher ones mean another scale
)
DARK_SHARE = 1 / 8  # of the range: a picture that uses less gets a note


def eight_bit(image: Image.Image, notes: list[str], bits: int = 0) -> Image.Image:
    """Convert 16 bit, 32 bit and floating point grey to L; return other pictures unchanged. `bits`: see `to_bytes`."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode.startswith("I;16") and values.dtype != np.uint16:
        values = values.astype(np.uint16)
    elif image.mode == "I" and values.min(initial=0) >= 0 and values.max(initial=0) <= 65535:
        values = values.astype(np.uint16)  # Pillow widens 16 bit values by itself
    return Image.fromarray(to_bytes(values, notes, bits))


def to_bytes(values: NDArray[Any], notes: list[str], bits: int = 0) -> NDArray[np.uint8]:
    """Scale numbers of any type to uint8 of the same shape.

    Integers use the range of their type, or 0..2**bits-1 if the file says so and keeps to it. Floating point uses 0..1,
    else 0..255 or 0..65535, whichever holds the largest value. Notes for the user are appended to `notes`.
    """
    notes.append("more than 8 bits per channel: rounded to 8 bits")
    out = np.empty(values.shape, np.uint8)
    # In strips: several float copies of a large picture would not fit in memory.
    strips = range(0, values.shape[0], 256)
    largest = max((_top(values[row : row + 256]) for row in strips), default=0.0)
    white_value = _white(values, largest, notes, bits)
    for row in strips:
        part = np.nan_to_num(values[row : row + 256].astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        out[row : row + 256] = np.clip(np.rint(part * np.float32(255.0 / white_value)), 0, 255).astype(np.uint8)
    return out


def _top(part: NDArray[Any]) -> float:
    """The largest finite value, at least 0."""
    return float(np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0).max(initial=0))


def _white(values: NDArray[Any], largest: float, notes: list[str], bits: int) -> float:
    """The value that is white."""
    if values.dtype.kind == "f":
        if largest <= OVERSHOOT_MAX:
            if largest > 1:
                notes.append("colours brighter than white were clipped")
            return 1.0
        return next((float(white_value) for white_value in (255, 65535) if largest <= white_value), largest)
    if values.dtype.kind == "i":
        full = float(np.iinfo(values.dtype).max)
    else:
        full = float(np.iinfo(values.dtype).max) if values.dtype.kind == "u" else max(largest, 1.0)
    if bits and 0 < largest <= 2**bits - 1 < full:
        notes.append(f"uses {bits} bits according to the file: scaled to the full range")
        return float(2**bits - 1)
    if 0 < largest < full * DARK_SHARE:
        notes.append(
            f"very dark: the largest value is {largest:,.0f} of {full:,.0f}, and the file states no smaller range"
        )
    return full
