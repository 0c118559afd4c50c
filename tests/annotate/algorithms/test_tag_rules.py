"""Thresholds, the largest gap, kaomoji."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms import tag_rules as rules


def test_mcut_is_the_middle_of_the_largest_gap():
    assert rules.mcut([0.9, 0.1, 0.85, 0.2]) == pytest.approx((0.85 + 0.2) / 2)
    assert rules.mcut([0.7]) == 0.0
    assert rules.mcut([]) == 0.0


@given(st.lists(st.floats(0, 1), min_size=2))
def test_mcut_leaves_some_and_takes_some_unless_all_are_equal(scores):
    cut = rules.mcut(scores)
    assert min(scores) <= cut <= max(scores)


def test_above_is_strict_and_sorted():
    assert rules.above({"a": 0.35, "b": 0.5, "c": 0.9, "d": 0.5}, 0.35) == {"c": 0.9, "b": 0.5, "d": 0.5}
    assert list(rules.above({"d": 0.5, "b": 0.5}, 0)) == ["b", "d"]


def test_all_nineteen_kaomoji_keep_their_underscores():
    assert len(rules.KAOMOJI) == 19
    assert all(rules.spaced(face) == face for face in rules.KAOMOJI)
    assert rules.spaced("looking_at_viewer") == "looking at viewer"
