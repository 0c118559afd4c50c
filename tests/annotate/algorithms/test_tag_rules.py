"""Thresholds, the largest gap, kaomoji, implied and overlapped tags."""

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


def test_implied_tags_follow_chains_and_circles_end():
    implications = {"serafuku": ["school_uniform"], "school_uniform": ["uniform"], "uniform": ["serafuku"]}
    assert rules.with_implied({"serafuku": 0.8, "uniform": 0.9}, implications) == {
        "serafuku": 0.9, "uniform": 0.9, "school_uniform": 0.9,
    }  # fmt: skip


def test_a_tag_goes_where_a_more_special_one_is():
    special = {"hair": ["long_hair"], "hat": ["top_hat"]}
    assert rules.without_overlap({"hair": 0.9, "long_hair": 0.8, "hat": 0.7}, special) == {"long_hair": 0.8, "hat": 0.7}


def test_a_blacklist_may_be_spelled_with_spaces():
    assert rules.without_words({"aged_up": 0.9, "solo": 0.8}, ["aged up\n"]) == {"solo": 0.8}
