"""Ranks copies of a picture: those that people worked on, then measured quality, size and order."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

_DOUBLE_SIZE: Final = 0.05
"""Octaves for twice the lines, in addition to measured detail: almost nothing, so that an enlarged film does not win
over a smaller one that is really sharp."""

_TEXT_PENALTY: Final = 0.8
"""Penalty in octaves for text that a model found: a clean picture wins over a subtitled one with twice the lines.
Lettering detected by strokes is a guess and costs less (`quality.overall`)."""

_TEXT_FULL_SHARE: Final = 0.01
"""Share of the picture under text from which the full penalty applies; a line of subtitles covers more."""

_EQUAL_WITHIN: Final = 0.05
"""Octaves below which qualities count as equal, so that encoding noise does not choose between equal copies."""

_DOUBLE_SIZE_UNMEASURED: Final = 0.35
"""Octaves for twice the lines if detail was measured by version 0, which favours small pictures; genuine copies gain
as much."""

_DEFAULT_WORTH: Final = 5.5
"""Octaves of a common picture of 720 lines, for rows without a better estimate."""

_VERSION_0_UNIT: Final = 0.01
"""Octaves per unit of quality of version 0: it ranks pictures of equal size and never outweighs a size."""


def worth(quality: F32, shorter_side: F32, text_share: F32) -> F64:
    """Octaves of detail per row: float64[N].

    `quality` as of `quality.overall`, `shorter_side` in pixels, `text_share` 0..1 or nan if no model has run.
    """
    return quality.astype(np.float64) + _DOUBLE_SIZE * _octaves_above_720(shorter_side) - _text_penalty(text_share)


def worth_unmeasured(quality: F32, shorter_side: F32, text_share: F32, *, copy_of: I64, known_worth: F64) -> F64:
    """As `worth`, for rows whose `quality` is of version 0, which does not allow comparing sizes.

    `copy_of`: per row the index in `known_worth` (and `shorter_side`) of the row that it is a copy of, or -1. A copy
    has the worth of that row, adjusted by size alone; at equal size it ranks second.
    """
    size = _DOUBLE_SIZE_UNMEASURED * _octaves_above_720(shorter_side)
    standalone = _DEFAULT_WORTH + size + _VERSION_0_UNIT * quality.astype(np.float64) - _text_penalty(text_share)
    is_copy = copy_of >= 0
    original = np.where(is_copy, copy_of, 0)
    as_copy = known_worth[original] + size - size[original] - _EQUAL_WITHIN
    return np.where(is_copy, as_copy, standalone)


def preference(value: F64, shorter_side: F32, *, worked_on: Flags) -> F32:
    """A distinct number per row, higher for better copies: float32[N] for rows in natural order.

    `value` as of `worth`. Rows that people worked on come first, so that a new film never removes their names. Among
    rows of equal quality the larger wins, then the earlier.
    """
    worst_first = np.lexsort((-np.arange(len(value)), shorter_side, np.round(value / _EQUAL_WITHIN), worked_on))
    ranks = np.empty(len(value), dtype=np.float32)
    ranks[worst_first] = np.arange(len(value), dtype=np.float32)
    return ranks


def _octaves_above_720(shorter_side: F32) -> F64:
    """Octaves above 720 lines."""
    return np.log2(np.maximum(shorter_side.astype(np.float64), 1.0) / 720.0)


def _text_penalty(text_share: F32) -> F64:
    return _TEXT_PENALTY * np.clip(np.nan_to_num(text_share.astype(np.float64)) / _TEXT_FULL_SHARE, 0.0, 1.0)
