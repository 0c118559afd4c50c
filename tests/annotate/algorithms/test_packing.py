"""Packed answers come back as they went in, to the step of their 16 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from annotate.algorithms import packing

UNIT = some.floats(0, 1, width=32)
STEP = 1 / packing.STEPS


@given(arrays.arrays(np.float32, some.integers(0, 300), elements=UNIT))
def test_scores_come_back_and_those_below_the_floor_are_nought(scores: np.ndarray) -> None:
    back = packing.unpack_scores(packing.pack_scores(scores), len(scores))
    high = scores >= packing.FLOOR
    assert np.abs(back[high] - scores[high]).max(initial=0) <= STEP
    assert not back[~high].any()


@given(arrays.arrays(np.float32, some.tuples(some.integers(0, 20), some.just(5)), elements=UNIT))
def test_boxes_come_back_with_their_scores_and_labels(rows: np.ndarray) -> None:
    labels = np.arange(len(rows)) % 256
    boxes, scores, kinds = packing.unpack_boxes(packing.pack_boxes(rows[:, :4], rows[:, 4], labels))
    assert np.abs(boxes - rows[:, :4]).max(initial=0) <= STEP
    assert np.abs(scores - rows[:, 4]).max(initial=0) <= STEP
    assert kinds.tolist() == labels.tolist()


def test_a_thousand_labels_of_which_three_score_take_thirteen_bytes() -> None:
    scores = np.zeros(1000, np.float32)
    scores[[3, 500, 999]] = 0.9
    assert len(packing.pack_scores(scores)) == 13


def test_classes_come_back_even_the_smallest() -> None:
    scores = np.array([0.001, 0.2, 0.799], np.float32)
    assert np.abs(packing.unpack_classes(packing.pack_classes(scores)) - scores).max() <= STEP


def test_bytes_of_another_kind_or_of_more_labels_are_refused() -> None:
    packed = packing.pack_scores(np.array([0.1, 0.9], np.float32))
    with pytest.raises(ValueError, match="kind"):
        packing.unpack_boxes(packed)
    with pytest.raises(ValueError, match="label 1"):
        packing.unpack_scores(packed, 1)
