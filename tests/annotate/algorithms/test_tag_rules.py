"""Thresholds, the largest gap, kaomoji."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms import tag_rules as rules
from annotate.algorithms.tag_rules import Label, Rules, following


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


LABELS = (
    Label("1girl", "general"), Label("smile", "general"), Label("miku", "character"), Label("", "general"),
    Label("safe", "rating"), Label("explicit", "rating"),
)  # fmt: skip


def test_labels_follow_by_their_categorys_threshold_and_nameless_ones_never() -> None:
    scores = np.array([0.35, 0.9, 0.86, 1.0, 0.2, 0.3], np.float32)
    told = Rules({"general": 0.35, "character": 0.85}, one_of=frozenset({"rating"}))
    assert [label.name for label, _ in following(scores, LABELS, told)] == ["smile", "miku", "explicit"]
    inclusive = Rules({"general": float(scores[0])}, inclusive=True)
    assert [label.name for label, _ in following(scores, LABELS, inclusive)] == ["smile", "1girl"]


def test_a_label_may_have_its_own_threshold() -> None:
    scores = np.array([0.6, 0.6, 0.1, 0, 0, 0], np.float32)
    told = Rules({"general": 0.5}, own={"smile": 0.7, "miku": 0.05})
    assert [label.name for label, _ in following(scores, LABELS, told)] == ["1girl", "miku"]


def test_the_widest_gap_decides_where_asked_but_never_below_its_floor() -> None:
    scores = np.array([0.9, 0.2, 0.1, 0, 0, 0], np.float32)
    told = Rules(mcut=frozenset({"general", "character"}), mcut_floor={"character": 0.15})
    assert [label.name for label, _ in following(scores, LABELS, told)] == ["1girl"]
