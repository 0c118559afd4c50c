"""Folders of a picture: the reference's spelling, the order of levels, and the merging of rare combinations."""

from __future__ import annotations

from collections import Counter

import pytest

from export.algorithms.levels import (
    Arrangement,
    Signature,
    combination_name,
    folder_of,
    frequent_combinations,
    levels_of,
    ratio_bucket,
    ratio_percent,
)
from export.algorithms.plan import folders_for
from export.algorithms.spelling import spell


def sign(*names: str, percent: int = 30, faces: int | None = None, people: int | None = None) -> Signature:
    count = len(names) if faces is None else faces
    return Signature(
        names, count, count if people is None else people, percent, "yama", "screenshots", "S2EP04", ("yamaS2", "EP04")
    )


def folder(signature: Signature, **changes: object) -> str:
    arrangement = Arrangement(**changes)  # type: ignore[arg-type]
    return "/".join(folder_of(signature, arrangement, frozenset({signature.names}), spell(signature.names)))


def test_the_three_levels_are_spelled_as_in_the_reference() -> None:
    assert folder(sign("KuraueHinata")) == "1_character/KuraueHinata/face_height_ratio_25-50"
    assert folder(sign("AobaMai", "KuraueHinata Hairdown", percent=0)) == (
        "2_characters/AobaMai+KuraueHinata Hairdown/face_height_ratio_0-25"
    )
    assert folder(sign(*"ABCDEF", percent=99)) == "6+_characters/A+B+C+D+E+F/face_height_ratio_75-100"
    assert folder(sign(*"ABCDEFG"), old_spelling=True).startswith("6+_charcters/")
    assert folder(sign()) == "others/face_height_ratio_25-50"
    assert folder(sign(), no_character="0_characters") == "0_characters/character_others/face_height_ratio_25-50"


@pytest.mark.parametrize(
    ("ratio", "bucket"),
    [(0, "0-25"), (0.249, "0-25"), (0.25, "25-50"), (0.29, "25-50"), (0.5, "50-75"), (0.75, "75-100"), (1.2, "75-100")],
)
def test_face_heights_fall_into_quarters(ratio: float, bucket: str) -> None:
    assert ratio_bucket(ratio_percent(ratio)) == f"face_height_ratio_{bucket}"


def test_percent_is_floored_but_not_by_a_rounding_error() -> None:
    assert ratio_percent(0.29) == 29
    assert ratio_percent(0.2999) == 29


def test_the_format_gives_the_levels_in_any_order() -> None:
    signature = sign("B", "A", faces=3, people=7)

    assert folder(signature, format="fh_ratio/n_faces/n_people") == "face_height_ratio_25-50/3_faces/many_people"
    assert folder(signature, format="series/image_type/episode") == "yama/screenshots/S2EP04"
    assert folder(signature, format="character") == "A+B"
    assert folder(sign(), format="character") == "others"
    assert folder(signature, format="") == ""
    assert folder(sign("A", people=1), format="n_people") == "1_person"
    assert folder(signature, format="n_characters", keep_source_structure=True) == "yamaS2/EP04/2_characters"
    assert folder(sign(*"ABCD"), format="n_characters", max_characters=3) == "3+_characters"


@pytest.mark.parametrize("wrong", ["characters", "n_faces/n_faces", "n_faces//character"])
def test_a_wrong_format_is_refused_with_the_choices(wrong: str) -> None:
    with pytest.raises(ValueError, match="format"):
        levels_of(wrong)


def test_rare_combinations_go_to_character_others() -> None:
    counts = {sign("A"): 6, sign("A", percent=60): 4, sign("A", "B"): 9, sign(): 1}

    folders = folders_for(counts, Arrangement())

    assert frequent_combinations(counts.items(), 10) == {("A",)}
    assert folders[sign("A", percent=60)] == ("1_character", "A", "face_height_ratio_50-75")
    assert folders[sign("A", "B")] == ("2_characters", "character_others", "face_height_ratio_25-50")
    assert folders[sign()] == ("others", "face_height_ratio_25-50")


def test_a_combination_too_long_for_a_folder_goes_to_character_others() -> None:
    def combined(*names: str) -> str:
        return combination_name(names, spell(names))

    assert combined("A" * 60, "B" * 60) == "character_others"
    assert combined("花" * 17, "子" * 17) == "character_others"
    assert combined("A" * 120).startswith("A" * 80)
    assert combined("b", "a.b") == "ab+b"


def test_characters_that_differ_only_in_case_never_share_a_folder() -> None:
    folders = folders_for({sign("Mai"): 20, sign("MAI"): 20, sign("../../etc"): 20}, Arrangement(format="character"))

    assert len(set(folders.values())) == 3
    assert Counter(len(path) for path in folders.values()) == {1: 3}
    assert all("/" not in part and part not in ("..", ".") for path in folders.values() for part in path)


def test_a_folder_of_the_input_that_differs_in_case_leaves_the_characters_spelling_alone() -> None:
    own = Signature(("Mai",), 1, 1, 30, "", "", "", ("Show", "EP01", "mai"))
    top = Signature(("Mai",), 1, 1, 30, "", "", "", ("Show", "EP01"))
    arrangement = Arrangement(format="character", keep_source_structure=True, min_per_combination=1)

    folders = folders_for({own: 1, top: 1}, arrangement)

    assert folders[top] == ("Show", "EP01", "Mai")
    assert folders[own] == ("Show", "EP01", "mai~2", "Mai")


def test_short_names_keep_every_character_apart_where_full_ones_go_to_character_others() -> None:
    names = tuple(f"A very long name of somebody, number {number}" for number in range(5))
    row = Signature(names, 5, 5, 30, "", "", "", ("A series with a very long title, too", "S02EP04", "screens of it"))
    full = Arrangement(keep_source_structure=True, min_per_combination=1)
    short = Arrangement(keep_source_structure=True, min_per_combination=1, short_names=True)

    shorter = folders_for({row: 1}, short)[row]

    assert shorter[-1] == "fh_25-50"
    assert shorter[-2] == "A very long+A very lon~2+A very lon~3+A very lon~4+A very lon~5"
    assert all(len(part.encode()) <= 20 for part in shorter[:3])
    assert folders_for({row: 1}, full)[row][-2] == "character_others"


@pytest.mark.parametrize("format_text", ["n_characters/character/fh_ratio", "n_people/n_faces", "series/episode", ""])
def test_a_reduced_signature_lies_in_the_same_folder(format_text: str) -> None:
    from export.algorithms.levels import reduced

    arrangement = Arrangement(format=format_text, min_per_combination=1)
    for percent in (0, 24, 25, 99):
        for names in ((), ("A",), ("A", "B")):
            signature = sign(*names, percent=percent, faces=7, people=8)
            frequent = frozenset({names})
            spelled = spell(names)
            assert folder_of(reduced(signature, arrangement), arrangement, frequent, spelled) == folder_of(
                signature, arrangement, frequent, spelled
            )
