"""Tags that another one includes, and unwanted ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms.tag_filters import drop_listed, drop_overlapping

OVERLAPS = {"hair": ["long_hair"], "dress": ["red_dress"], "holding": ["holding_sword"]}


def test_a_tag_goes_when_a_more_specific_one_is_there() -> None:
    assert drop_overlapping(["dress", "smile", "red_dress"], OVERLAPS) == ["smile", "red_dress"]
    assert drop_overlapping(["dress", "smile"], OVERLAPS) == ["dress", "smile"]


def test_words_of_a_longer_tag_go_but_parts_of_words_only_by_the_original_rule() -> None:
    assert drop_overlapping(["sword", "holding_sword"], {}) == ["holding_sword"]
    assert drop_overlapping(["holding_sword", "sword_holding"], {}) == ["holding_sword", "sword_holding"]
    assert drop_overlapping(["hat", "that"], {}) == ["hat", "that"]
    assert drop_overlapping(["hat", "that"], {}, whole_words=False) == ["that"]


def test_unwanted_tags_go_in_the_singular_and_the_plural() -> None:
    assert drop_listed(["cosplay", "smile"], ["cosplay"]) == ["smile"]
    assert drop_listed(["twin_braids", "dresses", "glass"], ["twin braid", "dress", "glas"]) == ["glass"]
    assert drop_listed(["boxes", "parties"], ["box", "party"]) == []


def test_only_the_last_of_several_words_is_taken_in_the_singular_and_short_words_never() -> None:
    listed = ["very long braid", "one red box", "two old party", "hat"]
    assert drop_listed(["very_long_braids", "one_red_boxes", "two_old_parties", "hats"], listed) == []
    names = ["red_boxes", "boxes", "abs", "very_braids", "party"]
    assert drop_listed(names, ["red", "one red box", "ab", "very long braid", "old party"]) == names


NAMES = st.lists(st.text("abs_", min_size=1, max_size=8), max_size=20)


@given(NAMES)
def test_what_stays_keeps_its_order_and_drops_nothing_more(names: list[str]) -> None:
    remaining = drop_overlapping(names, {})
    assert remaining == [name for name in dict.fromkeys(names) if name in remaining]
    assert drop_overlapping(remaining, {}) == remaining


@given(NAMES, NAMES)
def test_no_listed_tag_stays(names: list[str], listed: list[str]) -> None:
    assert not set(drop_listed(names, listed)) & {name for name in listed if name.strip("_")}
