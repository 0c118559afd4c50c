"""New names by a text or a regular expression; nothing that a person types hangs the site."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms import replacing
from annotate.algorithms.replacing import LIMIT_S, PatternError


def replaced(texts: Iterable[str], *, find: str, replacement: str, is_regex: bool) -> dict[str, str]:
    return replacing.replaced(texts, find=find, replacement=replacement, is_regex=is_regex, length_max=4000)


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
        ("a", r"\U99999999", "replacement"),
        ("a", r"\U00110000", "replacement"),
        ("(?V1)a", "b", "no regular expression"),
        ("(?L)(?u)a", "b", "no regular expression"),
        ("a{ }(", "b", "no regular expression"),
        ("(?R)", "b", "call itself"),
        (r"\\(?1)", "b", "call itself"),
        ("(?P<n>(?&n)a|a)", "b", "call itself"),
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


@pytest.mark.parametrize("find", ["(?:a{9999}){9999}", "a{999999999}", "(?x)(?:a{ 99 99 }){9,999}"])
def test_counts_that_would_fill_the_memory_are_refused(find: str) -> None:
    began = time.process_time()
    with pytest.raises(PatternError, match="more than 10,000"):
        replaced(["a"], find=find, replacement="b", is_regex=True)
    assert time.process_time() - began < 1


def test_counts_within_reason_are_taken() -> None:
    assert replaced(["1999-12-31"], find=r"\d{4}-\d{1,2}-(\d{2,})\{?", replacement=r"\1", is_regex=True) == {
        "1999-12-31": "31"
    }


def test_a_bracket_that_may_be_there_calls_nothing() -> None:
    assert replaced(["(Rin)", "1girl"], find=r"\(?R", replacement="k", is_regex=True) == {
        "(Rin)": "kin)",
        "1girl": "1gikl",
    }


@pytest.mark.parametrize(
    ("find", "replacement", "is_regex"),
    [("a", "b" * 500, False), ("a", "b" * 500, True), ("(?=(.*))", r"\1" * 120, True)],
)
def test_a_text_that_would_become_too_long_is_never_made(find: str, replacement: str, *, is_regex: bool) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PatternError, match="more than 4,000 characters"):
            replaced(["a" * 3999], find=find, replacement=replacement, is_regex=is_regex)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@given(st.lists(st.text("ab_", max_size=8), unique=True), st.text("ab_.*", min_size=1, max_size=3))
def test_only_names_that_change_are_listed_and_a_text_is_a_quoted_pattern(names: list[str], find: str) -> None:
    by_text = replaced(names, find=find, replacement="c", is_regex=False)
    assert by_text == {name: name.replace(find, "c") for name in names if find in name}
    assert by_text == replaced(names, find=re.escape(find), replacement="c", is_regex=True)
