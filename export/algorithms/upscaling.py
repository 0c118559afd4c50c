"""Number of upscaling passes a picture needs, and warnings about too many."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PASSES_MAX = 2  # beyond this, training learns the upscaler's artefacts (reference, face sets)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleOptions:
    """`model`: an upscaler's name; empty: the collection's. `below`: smaller pictures grow to so many pixels; 0: none.

    The side that counts is that of the size (`selection.side`).
    """

    model: str = ""
    below: int = 0

    def __post_init__(self) -> None:
        if self.model and not _NAME.fullmatch(self.model):
            raise ValueError("model: a name has letters, digits, '.', '_' and '-' only")
        if not 0 <= self.below <= 4096:
            raise ValueError("below: must lie between 0 and 4096 pixels")


def passes_needed(length: int, goal: int, factor: int) -> int:
    """Return the least number of passes by `factor` that bring `length` pixels to at least `goal`."""
    passes = 0
    while length * factor**passes < goal:
        passes += 1
    return passes


def pass_warnings(counts: Mapping[int, int]) -> list[str]:
    """Return warnings about pictures (counted by passes) with more than PASSES_MAX."""
    many = sum(count for passes, count in counts.items() if passes > PASSES_MAX)
    if not many:
        return []
    is_single = many == 1
    return [
        f"{many:,} {'picture has' if is_single else 'pictures have'} more than {PASSES_MAX} passes of upscaling (up to "
        f"{max(counts)}). What a model adds in each pass adds up, and training on it gives smeared drawings: leave "
        f"smaller {'faces' if not is_single else 'ones'} out or ask for fewer pixels."
    ]
