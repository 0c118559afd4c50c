"""Thresholds, the largest gap, kaomoji."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms import tag_rules as rules
from annotate.algorithms.tag_rules import AcceptedTags, Label, Rules, following, tag_name


def test_mcut_is_the_middle_of_the_largest_gap():
    assert rules.mcut([0.9, 0.1, 0.85, 0.2]) == pytest.approx((0.85 + 0.2) / 2)
    assert rules.mcut([0.7]) == 0.0
    assert rules.mcut([]) == 0.0


@given(st.lists(st.floats(0, 1), min_size=2))
def test_mcut_leaves_some_and_takes_some_unless_all_are_equal(scores):
    cut = rules.mcut(scores)
    assert min(scores) <= cut <= max(scores)


LABELS = (
    Label("1girl", "general"), Label("smile", "general"), Label("miku", "character"), Label("", "general"),
    Label("safe", "rating"), Label("explicit", "rating"),
)  # fmt: skip


def test_labels_follow_by_their_categorys_threshold_and_nameless_ones_never() -> None:
    scores = np.array([0.35, 0.9, 0.86, 1.0, 0.2, 0.3], np.float32)
    tagger_rules = Rules({"general": 0.35, "character": 0.85}, one_of=frozenset({"rating"}))
    assert [label.name for label, _ in following(scores, LABELS, tagger_rules)] == ["smile", "miku", "explicit"]
    inclusive = Rules({"general": float(scores[0])}, inclusive=True)
    assert [label.name for label, _ in following(scores, LABELS, inclusive)] == ["smile", "1girl"]


def test_a_label_may_have_its_own_threshold() -> None:
    scores = np.array([0.6, 0.6, 0.1, 0, 0, 0], np.float32)
    tagger_rules = Rules({"general": 0.5}, label_thresholds={"smile": 0.7, "miku": 0.05})
    assert [label.name for label, _ in following(scores, LABELS, tagger_rules)] == ["1girl", "miku"]


def test_the_widest_gap_decides_where_asked_but_never_below_its_floor() -> None:
    scores = np.array([0.9, 0.2, 0.1, 0, 0, 0], np.float32)
    tagger_rules = Rules(mcut=frozenset({"general", "character"}), mcut_floor={"character": 0.15})
    assert [label.name for label, _ in following(scores, LABELS, tagger_rules)] == ["1girl"]


CATEGORIES = ("general", "character", "rating")
BATTERIES = st.lists(st.tuples(st.floats(0, 1, width=32), st.sampled_from(CATEGORIES)), min_size=1, max_size=40)


@given(BATTERIES, st.floats(0, 1), st.booleans())
def test_what_follows_is_what_the_rule_says_label_by_label(rows, threshold, inclusive) -> None:
    labels = [Label(f"t{n}", category) for n, (_, category) in enumerate(rows)]
    scores = np.array([score for score, _ in rows], np.float32)
    tagger_rules = Rules({"general": threshold}, one_of=frozenset({"rating"}), inclusive=inclusive)
    result = {label.name: score for label, score in following(scores, labels, tagger_rules)}
    for label, score in zip(labels, scores.tolist()):
        if label.category == "general":
            assert (label.name in result) == (score >= threshold if inclusive else score > threshold)
    ratings = [score for label, score in zip(labels, scores.tolist()) if label.category == "rating"]
    assert [result[answer.name] for answer in labels if answer.category == "rating" and answer.name in result] == (
        [max(ratings)] if ratings else []
    )
    assert not any(label.name in result for label in labels if label.category == "character")


@given(BATTERIES, st.floats(0.05, 1))
def test_giving_up_low_scores_changes_nothing_that_follows_above_the_floor(rows, threshold) -> None:
    labels = [Label(f"t{n}", category) for n, (_, category) in enumerate(rows)]
    scores = np.array([score for score, _ in rows], np.float32)
    accepted_tags = AcceptedTags(
        labels, Rules({"general": threshold, "character": threshold}, one_of=frozenset({"rating"}))
    )
    assert accepted_tags.accepted(accepted_tags.worth(scores, floor=0.05)) == accepted_tags.accepted(scores)


def test_scores_stay_from_the_floor_on_with_the_best_below_and_all_of_which_only_the_best_counts() -> None:
    categories = ["rating", "rating", "general", "general", "general", "general", "beauty"]
    labels = [Label(f"t{number}", category) for number, category in enumerate(categories)]
    tagger_rules = Rules(one_of=frozenset({"rating"}), ladders={"beauty": ((0.5, "good"),)})
    scores = np.array(
        [[0.01, 0.02, 0.5, 0.25, 0.04, 0.03, 0.02], [0.01, 0.02, 0.25, 0.25, 0.01, 0.0, 0.02]], np.float32
    )
    mask = AcceptedTags(labels, tagger_rules).above_floor(scores, floor=0.25)
    assert mask.tolist() == [[True, True, True, True, True, False, True]] * 2


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=60))
def test_the_widest_gap_survives_the_floor(values) -> None:
    scores = np.array(values, np.float32)
    ordered = np.sort(scores.astype(np.float64))[::-1]
    if (ordered[:-1] - ordered[1:]).max() <= 0.05 + 1e-6:
        return  # no gap as wide as the floor is high: nothing is promised
    accepted_tags = AcceptedTags([Label(f"t{n}", "general") for n in range(len(values))], Rules())
    assert rules.mcut(accepted_tags.worth(scores, floor=0.05)) == rules.mcut(scores)


def test_a_ladder_gives_its_highest_step() -> None:
    tagger_rules = Rules(ladders={"beauty": ((0.5, "good"), (0.9, "best"), (0.1, "low"))})
    labels = [Label("height", "beauty")]
    steps = [following(np.array([height], np.float32), labels, tagger_rules) for height in (0.95, 0.5, 0.2, 0.05)]
    assert [[label.name for label, _ in result] for result in steps] == [["best"], ["good"], ["low"], []]


def test_a_ladder_leaves_the_tags_of_other_categories() -> None:
    labels = [Label("smile", "general"), Label("height", "beauty"), Label("hat", "general")]
    tagger_rules = Rules({"general": 0.5}, ladders={"beauty": ((0.5, "good"),)})
    result = following(np.array([0.9, 0.7, 0.8], np.float32), labels, tagger_rules)
    assert [tag_name(label) for label, _ in result] == ["smile", "hat", "beauty:good"]


def test_labels_of_equal_score_stay_in_the_order_of_the_list() -> None:
    labels = [Label(f"t{number}", "general") for number in range(100)]
    scores = np.array([0.9 if number % 3 else 0.8 for number in range(100)], np.float32)
    result = [label.name for label, _ in following(scores, labels, Rules({"general": 0.5}))]
    assert result == [f"t{n}" for n in range(100) if n % 3] + [f"t{n}" for n in range(0, 100, 3)]


def test_implied_labels_come_best_first_and_by_name_where_equal() -> None:
    implies = {"a": ("one", "zero"), "b": ("two",)}
    labels = [Label("a", "character"), Label("b", "character")]
    result = following(np.array([0.6, 0.9], np.float32), labels, Rules({"character": 0.5}, implies=implies))
    assert [label.name for label, _ in result] == ["b", "a", "two", "one", "zero"]


def test_a_character_implies_its_series_once_with_its_best_score() -> None:
    tagger_rules = Rules(
        {"character": 0.5, "copyright": 0.5}, implies={"miku": ("vocaloid",), "rin": ("vocaloid", "mirror")}
    )
    labels = [Label("miku", "character"), Label("rin", "character"), Label("mirror", "copyright")]
    result = following(np.array([0.6, 0.9, 0.7], np.float32), labels, tagger_rules)
    assert [(label.name, label.category, round(score, 2)) for label, score in result] == [
        ("rin", "character", 0.9), ("miku", "character", 0.6), ("mirror", "copyright", 0.7),
        ("vocaloid", "copyright", 0.9),
    ]  # fmt: skip


def test_a_persons_thresholds_replace_the_models_for_its_categories_only() -> None:
    tagger_rules = Rules({"general": 0.35, "character": 0.85}, label_thresholds={"smile": 0.1})
    changed = tagger_rules.changed(thresholds={"general": 0.5, "copyright": 0.2, "character": None})
    assert (changed.thresholds, changed.label_thresholds) == ({"general": 0.5, "character": 0.85}, {})
    assert tagger_rules.changed(thresholds={}).label_thresholds == {"smile": 0.1}
    assert tagger_rules.changed(thresholds={}, mcut=True).mcut == {"general", "character"}
    gaps = Rules({"copyright": 0.5}, mcut=frozenset({"copyright"}))
    assert gaps.changed(thresholds={"copyright": 0.6}).mcut == {"copyright"}
    assert gaps.changed(thresholds={}, mcut=True).mcut == set()
    marks = {tagger_rules.cache_key(), changed.cache_key(), tagger_rules.changed(thresholds={}, mcut=True).cache_key()}
    assert len(marks) == 3


def test_rules_that_accept_different_labels_have_different_keys() -> None:
    different = [
        Rules(),
        Rules({"general": 0.35}),
        Rules({"general": 0.4}),
        Rules({"general": 0.35}, mcut=frozenset({"general"})),
        Rules({"general": 0.4}, mcut=frozenset({"general"})),
        Rules({"general": 0.35}, label_thresholds={"smile": 0.1}),
        Rules({"general": 0.35}, ladders={"beauty": ((0.5, "good"), (0.9, "best"))}),
        Rules({"general": 0.35}, ladders={"beauty": ((0.5, "good"), (0.8, "best"))}),
    ]
    assert len({tagger_rules.cache_key() for tagger_rules in different}) == len(different)


def test_rules_come_back_from_json_as_they_were() -> None:
    tagger_rules = Rules(
        {"general": 0.3}, label_thresholds={"a": 0.2}, one_of=frozenset({"rating"}), mcut=frozenset({"general"}),
        mcut_floor={"character": 0.15}, inclusive=True, ladders={"beauty": ((0.5, "good"),)}, implies={"a": ("b",)},
    )  # fmt: skip
    assert Rules.from_json(json.loads(json.dumps(tagger_rules.as_json()))) == tagger_rules
    assert Rules.from_json({}) == Rules()


def test_labels_outside_danbooru_become_tags_with_their_subject_before_them() -> None:
    assert tag_name(Label("smile", "general")) == "smile"
    assert tag_name(Label("miku", "character")) == "miku"
    assert tag_name(Label("general", "rating")) == "rating:general"
    assert tag_name(Label("comic", "class")) == "class:comic"
