"""Folders of a picture: the reference's spelling, the order of levels, and the merging of rare combinations."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.algorithms.levels import (
    Arrangement,
    MinimumTooHigh,
    Signature,
    combination_counts,
    combination_name,
    fitted_minimum,
    folder_of,
    frequent_combinations,
    levels_of,
    minimum_too_high,
    ratio_bucket,
    ratio_percent,
    reduced,
    signature_of,
)
from export.algorithms.plan import folders_for
from export.algorithms.rows import Face, Picture
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
    assert folder(sign("A", faces=1), format="n_faces") == "1_face"
    assert folder(signature, format="series/image_type/episode") == "yama/screenshots/S2EP04"
    assert folder(signature, format="character") == "A+B"
    assert folder(sign(), format="character") == "others"
    assert folder(signature, format="") == ""
    assert folder(sign("A", people=1), format="n_people") == "1_person"
    assert folder(signature, format="n_characters", keep_source_structure=True) == "yamaS2/EP04/2_characters"
    assert folder(sign(*"ABCD"), format="n_characters", max_characters=3) == "3+_characters"


def test_a_format_may_have_spaces_and_slashes_around_its_levels() -> None:
    assert levels_of(" /n_faces / fh_ratio/ ") == ("n_faces", "fh_ratio")
    assert levels_of(" / ") == ()


def test_a_missing_value_has_a_folder_that_says_so_and_a_hostile_one_a_safe_name() -> None:
    signature = Signature((), 0, 0, 0, "", "fan/art", "")

    assert folder(signature, format="series/image_type/episode") == "no_series/fan_art/no_episode"


def test_the_height_of_faces_is_sorted_in_steps_of_any_size_and_shortened_where_wanted() -> None:
    assert folder(sign("A", percent=29), format="fh_ratio", face_ratio_range=10) == "face_height_ratio_20-30"
    assert folder(sign("A", percent=29), format="fh_ratio", face_ratio_range=100) == "face_height_ratio_0-100"
    assert folder(sign("A", percent=29), format="fh_ratio", short_names=True) == "fh_25-50"


def test_five_people_are_counted_and_six_are_many() -> None:
    assert folder(sign(people=5), format="n_people") == "5_people"
    assert folder(sign(people=6), format="n_people") == "many_people"


def test_nobody_known_is_a_count_and_a_combination_only_where_the_recipe_says_so() -> None:
    assert folder(sign(), format="n_characters") == "others"
    assert folder(sign(), format="n_characters", no_character="0_characters") == "0_characters"
    assert folder(sign(), format="character", no_character="0_characters") == "character_others"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("max_characters", 0), ("min_per_combination", -1), ("face_ratio_range", 0), ("face_ratio_range", 101)],
)
def test_numbers_outside_their_limits_are_refused(field: str, wrong: int) -> None:
    with pytest.raises(ValueError, match=field):
        Arrangement(**{field: wrong})  # type: ignore[arg-type]
    assert Arrangement(max_characters=1, min_per_combination=1, face_ratio_range=1)


def test_the_signature_of_a_picture_has_its_names_sorted_and_its_people_by_tags_else_by_faces() -> None:
    faces = tuple(
        Face(left=0, top=0.1, right=0.5, bottom=bottom, character=name) for name, bottom in (("B", 0.3), ("A", 0.57))
    )
    picture = Picture(
        key="k", stem="x", file="f", width=9, height=9, faces=faces, tags=("1girl", "6+boys"),
        series="yama", episode="S2EP04", image_type="fanart", source_dirs=("top", "below"),
    )  # fmt: skip

    assert signature_of(picture) == Signature(("A", "B"), 2, 7, 47, "yama", "fanart", "S2EP04", ("top", "below"))
    untagged = Picture(key="k", stem="x", file="f", width=9, height=9, faces=faces)
    assert signature_of(untagged).n_people == 2


@pytest.mark.parametrize("wrong", ["characters", "n_faces/n_faces", "n_faces//character"])
def test_a_wrong_format_is_refused_with_the_choices(wrong: str) -> None:
    with pytest.raises(ValueError, match="format"):
        levels_of(wrong)


def test_rare_combinations_go_to_character_others() -> None:
    counts = {sign("A"): 6, sign("A", percent=60): 4, sign("A", "B"): 9, sign(): 1}

    folders = folders_for(counts, Arrangement())

    assert frequent_combinations(combination_counts(counts.items()), 10) == {("A",)}
    assert folders[sign("A", percent=60)] == ("1_character", "A", "face_height_ratio_50-75")
    assert folders[sign("A", "B")] == ("2_characters", "character_others", "face_height_ratio_25-50")
    assert folders[sign()] == ("others", "face_height_ratio_25-50")


def test_a_combination_too_long_for_a_folder_goes_to_character_others() -> None:
    def combined(*names: str) -> str:
        return combination_name(names, spell(names))

    assert combined("A" * 60, "B" * 60) == "character_others"
    assert combined("A" * 49, "B" * 50) == "character_others"  # 100 characters
    assert combined("A" * 49, "B" * 49) == "A" * 49 + "+" + "B" * 49
    assert combined("花" * 17, "子" * 17) == "character_others"
    assert combined("花" * 17, "子" * 16) == "子" * 16 + "+" + "花" * 17  # 100 bytes
    assert combined("A" * 120).startswith("A" * 80)
    assert combined("b", "a.b") == "ab+b"


def test_characters_that_differ_only_in_case_never_share_a_folder() -> None:
    folders = folders_for({sign("Mai"): 20, sign("MAI"): 20, sign("../../etc"): 20}, Arrangement(format="character"))

    assert len(set(folders.values())) == 3
    assert Counter(len(path) for path in folders.values()) == {1: 3}
    assert all("/" not in part and part not in ("..", ".") for path in folders.values() for part in path)


@pytest.mark.parametrize("spelling", ["mai", "MAI"])
def test_a_folder_of_the_input_that_differs_in_case_leaves_the_characters_spelling_alone(spelling: str) -> None:
    signature = Signature(("Mai",), 1, 1, 30, "", "", "", ("Show", "EP01", spelling))
    top = Signature(("Mai",), 1, 1, 30, "", "", "", ("Show", "EP01"))
    arrangement = Arrangement(format="character", keep_source_structure=True, min_per_combination=1)

    folders = folders_for({signature: 1, top: 1}, arrangement)

    assert folders[top] == ("Show", "EP01", "Mai")
    assert folders[signature] == ("Show", "EP01", f"{spelling}~2", "Mai")


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


@pytest.mark.parametrize(
    "format_text",
    ["n_characters/character/fh_ratio", "n_people/n_faces", "series/episode", "image_type", "n_faces/image_type", ""],
)
def test_a_reduced_signature_lies_in_the_same_folder(format_text: str) -> None:
    arrangement = Arrangement(format=format_text, min_per_combination=1)
    for percent in (0, 24, 25, 99):
        for names in ((), ("A",), ("A", "B")):
            signature = sign(*names, percent=percent, faces=7, people=8)
            frequent = frozenset({names})
            spelled = spell(names)
            assert folder_of(reduced(signature, arrangement), arrangement, frequent, spelled) == folder_of(
                signature, arrangement, frequent, spelled
            )


def test_a_reduced_signature_is_the_same_for_all_pictures_of_a_folder() -> None:
    row = sign("A", percent=26, faces=1, people=7)
    by_height, by_people = Arrangement(format="character/fh_ratio"), Arrangement(format="n_people")

    assert reduced(row, by_height) == reduced(Signature(("A",), 2, 3, 49, "x", "fanart", "E", ("y",)), by_height)
    assert reduced(row, by_people) == reduced(Signature(("A",), 2, 9, 80, "x", "fanart", "E", ("y",)), by_people)
    for format_text in ("n_faces", "series", "image_type", "episode"):
        arrangement = Arrangement(format=format_text)
        other = Signature(("A",), 2, 7, 26, "x", "fanart", "E", ("y",))
        assert reduced(row, arrangement) != reduced(other, arrangement)
    assert reduced(row, Arrangement(format="", keep_source_structure=True)).source_dirs == ("yamaS2", "EP04")


COMBINATIONS = {("Mei",): 9, ("Aoi",): 5, ("Rin",): 3, ("Nao",): 2, ("Mei", "Rin"): 1}


def test_a_minimum_that_follows_the_set_is_a_third_of_the_largest_combination() -> None:
    assert fitted_minimum(COMBINATIONS) == 3
    assert [fitted_minimum({("Mei",): count}) for count in (1, 6, 7, 27, 28, 5000)] == [2, 2, 3, 9, 10, 10]
    assert fitted_minimum({}) == 2

    folders = folders_for(
        {sign(*names): count for names, count in COMBINATIONS.items()}, Arrangement(min_per_combination=0)
    )

    assert {path[1] for path in folders.values()} == {"Mei", "Aoi", "Rin", "character_others"}


def test_a_minimum_that_leaves_characters_without_a_folder_is_reported_with_one_that_does_not() -> None:
    found = minimum_too_high(COMBINATIONS, Arrangement(min_per_combination=10))

    assert found == MinimumTooHigh(minimum=10, largest=9, characters=4, fitted=3, gained=3)
    assert minimum_too_high(COMBINATIONS, Arrangement(min_per_combination=4)) == MinimumTooHigh(4, 3, 2, 3, 1)


@pytest.mark.parametrize(
    "arrangement",
    [
        Arrangement(min_per_combination=3),  # Nao, with two pictures, has no folder at the fitted minimum either
        Arrangement(min_per_combination=0),
        Arrangement(min_per_combination=10, format="fh_ratio"),  # no folders of characters
    ],
)
def test_a_minimum_that_suits_the_set_is_not_reported(arrangement: Arrangement) -> None:
    assert minimum_too_high(COMBINATIONS, arrangement) is None


def test_rare_combinations_of_characters_with_a_folder_are_not_reported() -> None:
    assert minimum_too_high({("A",): 12, ("B",): 11, ("A", "B"): 4}, Arrangement(min_per_combination=10)) is None


@given(
    combinations=st.dictionaries(
        st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=3, unique=True).map(lambda names: tuple(sorted(names))),
        st.integers(1, 60),
        max_size=8,
    ),
    minimum=st.integers(1, 20),
)
def test_the_offered_minimum_gives_folders_to_as_many_characters_as_it_says(
    combinations: dict[tuple[str, ...], int], minimum: int
) -> None:
    def named(value: int) -> set[str]:
        counts = {sign(*names): count for names, count in combinations.items()}
        folders = folders_for(counts, Arrangement(format="character", min_per_combination=value))
        return {name for path in folders.values() if path != ("character_others",) for name in path[0].split("+")}

    found = minimum_too_high(combinations, Arrangement(min_per_combination=minimum))

    everybody = {name for names in combinations for name in names}
    if found is None:
        assert named(min(minimum, fitted_minimum(combinations))) == named(minimum)
    else:
        assert found.fitted < minimum
        assert len(named(found.fitted) - named(minimum)) == found.gained > 0
        assert len(everybody - named(minimum)) == found.characters
        assert found.largest < minimum
