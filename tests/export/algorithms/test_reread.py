"""A folder that a person re-sorted: what is plain is read, everything else is refused in words."""

from __future__ import annotations

import pytest

from export.algorithms.readback import Spellings, format_tokens, read_folder
from export.algorithms.spelling import count_in

LEVELS = "n_characters/character/fh_ratio"
KNOWN = Spellings.of({"Mai": "Mai", "mai~2": "mai", "MrX": "MrX", "MrX~2": "Mr.X", "others~2": "others", "A＋B": "A+B"})
RATIO = "face_height_ratio_0-25"


def characters(folder: str, tokens: str = LEVELS, spellings: Spellings = KNOWN) -> tuple[str, ...] | None:
    return read_folder(tuple(folder.split("/")), format_tokens(tokens), spellings).characters


@pytest.mark.parametrize(
    ("folder", "tokens", "said"),
    [
        (f"1_character/Mai/{RATIO}", LEVELS, ("Mai",)),
        (f"1_character/mai~2/{RATIO}", LEVELS, ("mai",)),
        (f"Mai/{RATIO}", LEVELS, ("Mai",)),
        (f"2_characters/MrX+MrX~2/{RATIO}", LEVELS, ("MrX", "Mr.X")),
        (f"1_character/others~2/{RATIO}", LEVELS, ("others",)),
        (f"1_character/A＋B/{RATIO}", LEVELS, ("A+B",)),
        (f"1_character/Cafe\u0301/{RATIO}", LEVELS, ("Café",)),
        (f"others/{RATIO}", LEVELS, ()),
        (f"others/1_character/Mai/{RATIO}", LEVELS, ("Mai",)),  # a series called so
        (f"0_characters/character_others/{RATIO}", LEVELS, None),
        (f"2_characters/character_others/{RATIO}", LEVELS, None),
        (f"6+_charcters/A+B+C+D+E+F+G/{RATIO}", LEVELS, ("A", "B", "C", "D", "E", "F", "G")),
        (f"{RATIO}/others", "fh_ratio/n_characters/character", ()),
        (f"others/{RATIO}", "n_characters/fh_ratio/character", ()),
        (f"series/Mai/{RATIO}", "*/character/*", ("Mai",)),
        ("others", "*/character/*", ()),
        ("others", "character", ()),
        ("unknown", "character", ()),
        ("1_character/fh_25-50", "n_characters/fh_ratio", None),
        ("Mai", LEVELS.removesuffix("/fh_ratio").removeprefix("n_characters/"), ("Mai",)),
    ],
)
def test_plain_folders_are_read_from_right_to_left(folder: str, tokens: str, said: tuple[str, ...] | None) -> None:
    assert characters(folder, tokens) == said


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (f"1_character/Mai+mai~2/{RATIO}", "contradicts"),
        (f"2_characters/Mai/{RATIO}", "contradicts"),
        (f"2_characters/Mai+Mai/{RATIO}", "contradicts"),
        (f"6+_characters/Mai+MrX/{RATIO}", "contradicts"),
        (f"1_character/unknown/{RATIO}", "contradicts"),
        ("1_character/Mai", "is where fh_ratio is expected"),
        (f"1_character/Mai/{RATIO}/more", "is where fh_ratio is expected"),
        (f"Show/Mai/{RATIO}", "is where n_characters is expected"),
        (f"2_characters/Mai+/{RATIO}", "has no name next to a"),
        (f"2_characters/Mai+others/{RATIO}", "is not a character's name"),
        (f"1_character/Others/{RATIO}", "is not a character's name"),
    ],
)
def test_folders_that_are_not_plain_are_refused_with_a_message(folder: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        characters(folder)


def test_a_name_that_two_characters_of_a_list_share_is_not_guessed() -> None:
    both = Spellings.of({}, ["Mr.X", "MrX"])

    with pytest.raises(ValueError, match=r"'MrX' could be Mr\.X or MrX"):
        characters("MrX", "character", both)
    assert characters("MrX", "character", KNOWN) == ("MrX",)


def test_names_must_be_known_when_a_list_is_given() -> None:
    listed = Spellings.of({"Mr Jones": "Mr. Jones"}, ["Mr. Smith", "mr. jones"])

    assert characters("mr smith/x", "character/*", listed) == ("Mr. Smith",)
    assert characters("Mr Jones/x", "character/*", listed) == ("Mr. Jones",)
    with pytest.raises(ValueError, match="'Nobody' is not a known character"):
        characters("Nobody/x", "character/*", listed)
    with pytest.raises(ValueError, match="format"):
        format_tokens("character/colour")


def test_somebody_whom_the_data_set_does_not_know_is_distinguished() -> None:
    facts = read_folder(("Mai+Ena",), ("character",), KNOWN)

    assert facts.characters == ("Mai", "Ena")
    assert facts.new == ("Ena",)


def test_counts_are_read_in_both_spellings() -> None:
    assert [count_in(name) for name in ("1_character", "6+_characters", "6+_charcters", "many_people", "2_faces")] == [
        (1, False),
        (6, True),
        (6, True),
        (6, True),
        (2, False),
    ]
    assert count_in("others") == (0, False)
    assert count_in("AobaMai") is None
