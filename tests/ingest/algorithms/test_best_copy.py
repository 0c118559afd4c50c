"""The best copy: worked on, then sharp and large, then early."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.algorithms.best_copy import preference


def _best(quality: list[float], side: list[int], worked_on: list[bool]) -> int:
    numbers = preference(
        np.asarray(quality, np.float32), np.asarray(side, np.float32), worked_on=np.asarray(worked_on, bool)
    )
    return int(numbers.argmax())


def test_the_sharper_copy_wins_and_of_equal_ones_the_first() -> None:
    assert _best([20, 25, 22], [720] * 3, [False] * 3) == 1
    assert _best([20, 20, 20], [720] * 3, [False] * 3) == 0
    assert _best([20.05, 20.1, 20.05], [720] * 3, [False] * 3) == 0


def test_the_larger_copy_wins_among_equally_sharp_ones() -> None:
    assert _best([20, 20, 20], [480, 1080, 720], [False] * 3) == 1
    assert _best([30, 20, 20], [480, 1080, 720], [False] * 3) == 0


def test_what_a_person_worked_on_wins_over_everything() -> None:
    assert _best([99, 10, 20], [2160, 240, 240], [False, True, True]) == 2


@given(st.lists(st.tuples(st.floats(-50, 100), st.integers(1, 9000), st.booleans()), min_size=1, max_size=40))
def test_every_row_gets_a_number_of_its_own(rows: list[tuple[float, int, bool]]) -> None:
    quality, side, worked_on = zip(*rows, strict=True)
    numbers = preference(
        np.asarray(quality, np.float32), np.asarray(side, np.float32), worked_on=np.asarray(worked_on, bool)
    )
    assert sorted(numbers.tolist()) == list(range(len(rows)))
