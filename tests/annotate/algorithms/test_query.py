from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms.query import (
    KEYS,
    WORDS_MAX,
    QueryError,
    Term,
    joined,
    number,
    parse,
    spellings,
    with_term,
    without,
)
from annotate.queries.search import _CONDITIONS


def test_terms_have_keys_quotes_and_a_minus() -> None:
    assert parse('episode:EP04 -tag:blush "two words" character:"Kuraue Hinata"') == [
        Term("episode", "EP04"),
        Term("tag", "blush", negative=True),
        Term("tag", "two words"),
        Term("character", "Kuraue Hinata"),
    ]


def test_every_filter_that_is_offered_filters() -> None:
    assert set(_CONDITIONS) == set(KEYS)
    assert "order" not in KEYS


@pytest.mark.parametrize("text", ["password:x", "user__password__startswith:a", "frame__collection:1"])
def test_unknown_fields_are_tags_whose_name_has_a_colon(text: str) -> None:
    assert parse(text) == [Term("tag", text)]


def test_the_longest_name_wins_and_no_word_is_used_twice() -> None:
    terms = parse("cat girl ears hat")
    assert joined(terms, {"cat_girl", "girl_ears", "cat_girl_ears"}) == parse("cat_girl_ears hat")
    assert joined(terms, {"cat_girl", "girl_ears"}) == parse("cat_girl ears hat")


def test_names_of_many_words_grow_with_their_number_and_no_faster() -> None:
    terms = parse(" ".join(f"w{n}" for n in range(20)))
    assert len(spellings(terms)) <= len(terms) * (WORDS_MAX - 1)


def test_commas_part_terms_and_are_no_part_of_them() -> None:
    assert parse("solo, faces:2, re:zero, -hat ,") == parse("solo faces:2 re:zero -hat")
    assert spellings(parse("solo, hat")) == set()


@pytest.mark.parametrize(("text", "found"), [("2", ("=", 2)), (">=3", (">=", 3)), ("<1", ("<", 1))])
def test_numbers_may_have_a_sign(text: str, found: tuple[str, int]) -> None:
    assert number(text) == found


def test_a_word_is_no_number() -> None:
    with pytest.raises(QueryError, match="not a number"):
        number("many")


def test_a_chip_replaces_its_own_filter_only() -> None:
    terms = parse("state:dropped tag:sky")
    assert with_term(terms, "state", "all") == "tag:sky state:all"
    assert with_term(terms, "state", None) == "tag:sky"
    assert without(terms, terms[1]) == "state:dropped"


terms_strategy = st.lists(
    st.builds(
        Term,
        st.sampled_from(KEYS),
        st.text(st.characters(whitelist_categories=("L", "N"), whitelist_characters=" _,"), min_size=1).filter(
            str.strip
        ),
        st.booleans(),
    ),
    max_size=8,
)


@given(terms_strategy)
def test_what_is_written_is_read_back(terms: list[Term]) -> None:
    assert parse(" ".join(map(str, terms))) == terms


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_with_a_message(text: str) -> None:
    try:
        parse(text)
    except QueryError as error:
        assert str(error)


def test_what_models_say_of_whole_pictures_is_a_tag_with_a_colon():
    assert parse("class:comic -rating:explicit tag:aesthetic:best") == [
        Term("tag", "class:comic"),
        Term("tag", "rating:explicit", negative=True),
        Term("tag", "aesthetic:best"),
    ]
    assert str(parse("class:comic")[0]) == "tag:class:comic"


def test_a_query_without_one_of_its_terms_has_the_others_as_they_were_written() -> None:
    terms = parse("red_hair faces:>2 -smile")
    assert without(terms, terms[1]) == "tag:red_hair -tag:smile"
    assert without(terms, terms[0]) == "faces:>2 -tag:smile"
    assert without(terms[:1], terms[0]) == ""
