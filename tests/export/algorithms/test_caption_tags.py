"""Which tags count as people, hair, eyes and clothes, and what an entry of the blacklist matches."""

from __future__ import annotations

import pytest

from export.algorithms.caption_tags import display_name, is_blocked, is_eyes, is_hair, is_outfit, is_people


@pytest.mark.parametrize(
    "tag",
    [
        "skirt",
        "red_skirt",
        "red skirt",
        "hair_ornament",
        "red_hair_ornament",
        "school uniform",
        "bow_(clothing)",
        "sleeves_past_wrists",
    ],
)
def test_a_tag_is_about_clothes_by_its_last_words_or_by_sleeves(tag: str) -> None:
    assert is_outfit(tag)


@pytest.mark.parametrize("tag", ["smile", "ornament", "uniform_color_background", "skirt_lift", "x_(skirt)", "school"])
def test_a_tag_whose_last_words_are_no_clothes_is_not_about_clothes(tag: str) -> None:
    assert not is_outfit(tag)


@pytest.mark.parametrize(
    "tag", ["2girls", "1boy", "6+girls", "1other", "multiple_girls", "multiple boys", "solo_focus"]
)
def test_complete_count_tags_are_about_people(tag: str) -> None:
    assert is_people(tag)


@pytest.mark.parametrize("tag", ["cowboy_shot", "magical_girl", "21girls_something", "solo_dance", "girl"])
def test_tags_that_only_hold_such_a_word_are_not_about_people(tag: str) -> None:
    assert not is_people(tag)


def test_hair_and_eyes_are_found_as_complete_words() -> None:
    assert all(map(is_hair, ("brown_hair", "long hair", "twintails", "hair_bun", "double_buns", "ahoge")))
    assert not any(map(is_hair, ("chair", "bunny", "armchair", "embraided")))
    assert all(map(is_eyes, ("red_eyes", "blue eyes", "eyes_closed")))
    assert not any(map(is_eyes, ("eyeshadow", "hawkeyes")))


def test_a_displayed_tag_is_one_line_with_or_without_spaces() -> None:
    assert display_name("long_hair", spaces=True) == "long hair"
    assert display_name("long_hair", spaces=False) == "long_hair"
    assert display_name(" two\nlines  here ", spaces=False) == "two lines here"


@pytest.mark.parametrize(
    ("entry", "tag"),
    [
        ("smi*le", "smile"),  # a star may stand for nothing
        ("*", "anything"),
        ("hold*cat*ears", "holding_cat_and_dog_ears"),
        ("x*b*a*y", "xbay"),
        ("Open *", "open_mouth"),
        ("a*b*b*c", "abbc"),
        ("x*b*c*y", "xbcby"),
        ("*smi*", "smile"),
    ],
)
def test_an_entry_with_stars_matches_what_has_its_parts_in_their_order(entry: str, tag: str) -> None:
    assert is_blocked(tag, [entry])


@pytest.mark.parametrize(
    ("entry", "tag"),
    [
        ("a*a", "a"),  # one letter is not both the first and the last
        ("a*bc*c", "abc"),
        ("a*b*b*c", "abc"),
        ("x*b*a*y", "xaby"),
        ("hold*cat*ears", "holding_ears"),
        ("open*", "half_open"),
        ("*open", "open_mouth"),
    ],
)
def test_an_entry_with_stars_leaves_tags_alone_that_lack_a_part_or_have_them_in_another_order(
    entry: str, tag: str
) -> None:
    assert not is_blocked(tag, [entry])


def test_an_entry_without_a_star_matches_complete_words_in_any_case_and_spelling() -> None:
    for tag in ("slime_(substance)", "Slime substance", "blue_slime", "slime"):
        assert is_blocked(tag, ["smile", "SLIME"])
    assert not is_blocked("slimey_thing", ["slime"])
    assert not is_blocked("substance_slime", ["slime substance"])
