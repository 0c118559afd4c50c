"""Rows of one statement at a time: SQLite allows about 32,000 variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

BATCH = 500  # rows per statement

T = TypeVar("T")


def batches(rows: Sequence[T]) -> Iterator[list[T]]:
    """Yield at most BATCH of the rows at a time, in their order."""
    return (list(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))
