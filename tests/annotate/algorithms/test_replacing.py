"""New names by a text or a regular expression; nothing that a person types hangs the site."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms.replacing import LIMIT_S, PatternError, replaced


def test_a_text_is_replaced_wherever_it_stands_and_signs_mean_themselves() -> None:
    names = ["grey_hair", "light_grey_eyes", "solo", "a.b", "axb"]
    assert replaced(names, find="grey", replacement="gray", is_regex=False) == {
        "grey_hair": "gray_hair",
        "light_grey_eyes": "light_gray_eyes",
    }
    assert replaced(names, find="a.b", replacement="c", is_regex=False) == {"a.b": "c"}


def test_a_pattern_has_groups_and_is_blind_to_case() -> None:
    names = ["hair_long", "hair_short", "chair_long"]
    assert replaced(names, find=r"^HAIR_(\w+)$", replacement=r"\1_hair", is_regex=True) == {
        "hair_long": "long_hair",
        "hair_short": "short_hair",
    }


@pytest.mark.parametrize(
    ("find", "replacement", "words"),
    [
        ("(", "", "no regular expression"),
        ("a{2", "\\", "replacement"),
        ("(a)", r"\2", "replacement"),
        ("(a)", r"\g<name>", "replacement"),
    ],
)
def test_what_is_no_pattern_is_refused_in_words(find: str, replacement: str, words: str) -> None:
    with pytest.raises(PatternError, match=words):
        replaced(["a{2", "a"], find=find, replacement=replacement, is_regex=True)


def test_a_pattern_that_would_take_for_ever_ends_in_time() -> None:
    began = time.process_time()  # the module counts the processor's time
    with pytest.raises(PatternError, match="takes longer than 2 seconds"):
        replaced(["a" * 199 + "!"] * 50, find=r"^(?:(?:a|aa)+)+$", replacement="b", is_regex=True)
    assert time.process_time() - began < LIMIT_S + 3


@given(st.lists(st.text("ab_", max_size=8), unique=True), st.text("ab_.*", min_size=1, max_size=3))
def test_only_names_that_change_are_listed_and_a_text_is_a_quoted_pattern(names: list[str], find: str) -> None:
    by_text = replaced(names, find=find, replacement="c", is_regex=False)
    assert by_text == {name: name.replace(find, "c") for name in names if find in name}
    assert by_text == replaced(names, find=re.escape(find), replacement="c", is_regex=True)
