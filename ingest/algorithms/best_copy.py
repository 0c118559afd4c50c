"""Which of several copies of a picture is the best: what people worked on, measured quality, size, then the first."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

_DOUBLE_SIZE: Final = 0.05
"""What twice the lines are worth beyond the detail that they were measured to have: next to nothing, or a film that
was enlarged would win over a smaller one that is really sharp."""

_TEXT_PENALTY: Final = 0.8
"""What text that a model found costs, in octaves of detail: a clean picture wins over a subtitled one of twice the
lines. (What strokes alone tell is a guess and costs less than a size: `quality.overall`.)"""

_TEXT_FULL_SHARE: Final = 0.01
"""The share of the picture under text from which it costs all of that; a line of subtitles covers more."""

_EQUAL_WITHIN: Final = 0.05
"""Qualities nearer to each other than this look the same: the encoder's noise must not choose between two showings."""

_DOUBLE_SIZE_UNMEASURED: Final = 0.35
"""What twice the lines are worth where detail was measured by a rule that favours small pictures: honest copies gain as
much."""

_DEFAULT_WORTH: Final = 5.5
"""What a common picture of 720 lines is worth; for rows that nothing better is known of."""

_VERSION_0_UNIT: Final = 0.01
"""A unit of the quality of version 0 in octaves: 10 of them tell equal sizes apart and never a size from another."""


def worth(quality: F32, shorter_side: F32, text_share: F32) -> F64:
    """Octaves of detail that each row is worth: float64[N].

    `quality` is that of `quality.overall`, `shorter_side` in pixels; `text_share` 0 to 1, nan where no model looked.
    """
    return quality.astype(np.float64) + _DOUBLE_SIZE * _octaves_above_720(shorter_side) - _text_penalty(text_share)


def worth_unmeasured(quality: F32, shorter_side: F32, text_share: F32, *, copy_of: I64, known_worth: F64) -> F64:
    """The same of rows whose `quality` is of version 0, which sizes must not be compared by.

    `like`: for each row the place in `known` (and in `shorter_side`) of the row that it is a copy of, or -1: a copy is
    worth what that one is, and more or less by its size alone. Of equal size it comes second.
    """
    size = _DOUBLE_SIZE_UNMEASURED * _octaves_above_720(shorter_side)
    standalone = _DEFAULT_WORTH + size + _VERSION_0_UNIT * quality.astype(np.float64) - _text_penalty(text_share)
    is_copy = copy_of >= 0
    original = np.where(is_copy, copy_of, 0)
    as_copy = known_worth[original] + size - size[original] - _EQUAL_WITHIN
    return np.where(is_copy, as_copy, standalone)


def preference(value: F64, shorter_side: F32, *, worked_on: Flags) -> F32:
    """One distinct number a row, higher is the better copy: float32[N] for rows in their natural order.

    `value` as `worth` gives it. What people worked on stays in the set whatever comes later, so that a new film never
    takes names off it. Among what looks equally good the larger row wins, then the earlier one.
    """
    worst_first = np.lexsort((-np.arange(len(value)), shorter_side, np.round(value / _EQUAL_WITHIN), worked_on))
    rank = np.empty(len(value), dtype=np.float32)
    rank[worst_first] = np.arange(len(value), dtype=np.float32)
    return rank


def _octaves_above_720(shorter_side: F32) -> F64:
    """Octaves above 720 lines."""
    return np.log2(np.maximum(shorter_side.astype(np.float64), 1.0) / 720.0)


def _text_penalty(text_share: F32) -> F64:
    return _TEXT_PENALTY * np.clip(np.nan_to_num(text_share.astype(np.float64)) / _TEXT_FULL_SHARE, 0.0, 1.0)
