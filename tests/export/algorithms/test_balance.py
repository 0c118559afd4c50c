"""The tree formula of multiply.txt: the reference's example, one of our own, and what must hold for any tree."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from statistics import median_low

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.algorithms.balance import (
    FREQUENT,
    Rounding,
    Weight,
    WeightsError,
    balance,
    cap_of,
    parse_weights,
    per_epoch,
    rounding_warnings,
    weight_of,
)


def test_the_worked_example_of_the_reference_gives_its_probabilities() -> None:
    tree = {
        ("1_character", "class1"): 10,
        ("1_character", "class2"): 10,
        ("others", "class1"): 10,
        ("others", "class3"): 10,
    }
    weights = parse_weights("1_character,3\nclass1,4\n*class2,6\n")

    result = {row.path: row.probability for row in balance(tree, weights).folders}

    assert result[("1_character", "class1")] == pytest.approx(0.30)
    assert result[("1_character", "class2")] == pytest.approx(0.45)
    assert result[("others", "class1")] == pytest.approx(0.20)
    assert result[("others", "class3")] == pytest.approx(0.05)


def test_counts_and_the_upper_limit_work_together_as_computed_by_hand() -> None:
    # P: Mai 0.5, Hinata 0.25, others 0.25 (weight 2 to 1, then Mai 2 to 1 over Hinata: 2/3 * 2/3 ... by hand below).
    tree = {("1_character", "Mai"): 4, ("1_character", "Hinata"): 40, ("others",): 1000}
    weights = [Weight("1_character", 2), Weight("Mai", 3)]

    result = balance(tree, weights, min_multiply=1, max_multiply=100)
    rows = {row.path: row for row in result.folders}

    # 1_character 2/3, others 1/3; Mai 3/4 of 2/3 = 1/2, Hinata 1/6.
    assert rows[("1_character", "Mai")].probability == pytest.approx(1 / 2)
    assert rows[("1_character", "Hinata")].probability == pytest.approx(1 / 6)
    assert rows[("others",)].probability == pytest.approx(1 / 3)
    # u: 0.125, 1/240, 1/3000: divided by the smallest 375, 12.5, 1.
    assert rows[("1_character", "Mai")].unclipped == 375
    assert rows[("1_character", "Mai")].multiply == 100
    assert rows[("1_character", "Hinata")].multiply == 12.5
    assert rows[("others",)].multiply == 1
    assert result.epoch == 4 * 100 + 40 * 12.5 + 1000
    assert rows[("1_character", "Mai")].epoch_share == pytest.approx(400 / 1900)
    assert result.clipping == (
        "1 folder is cut at multiply 100 and will be seen less often than their weights require. "
        "Most: 1_character/Mai with 4 pictures would need 375.00.",
    )
    assert result.warnings == (
        *result.clipping,
        # On average 1,900 / 1,044 = 1.82 times: 100 and 12.5 are more than three times that. With a limit of 3 the
        # average is 1,132 / 1,044 = 1.08, three times that 3.25; a limit of 4 would be above it.
        "44 pictures are 47 % of an epoch, used up to 100 times each. A maximum multiplier of 3 prevents it.",
    )


def test_multiply_has_two_decimals_and_starts_at_the_lower_limit() -> None:
    rows = {row.path: row for row in balance({("a",): 3, ("b",): 7}, min_multiply=1.5).folders}

    assert rows[("b",)].multiply_text == "1.5"
    assert rows[("a",)].multiply_text == "3.5"
    assert balance({("a",): 3, ("b",): 10}).folders[1].multiply_text == "3.33"


def test_a_folder_with_pictures_and_subfolders_competes_with_its_own_weight() -> None:
    rows = {row.path: row.probability for row in balance({("a",): 1, ("a", "b"): 1}, [Weight("a", 3)]).folders}

    assert rows == {("a",): pytest.approx(0.75), ("a", "b"): pytest.approx(0.25)}


def test_pictures_beside_all_folders_weigh_as_much_as_one_folder() -> None:
    rows = {row.path: row.probability for row in balance({(): 5, ("a",): 1, ("b",): 1}, [Weight("*", 1)]).folders}

    assert rows == {(): pytest.approx(1 / 3), ("a",): pytest.approx(1 / 3), ("b",): pytest.approx(1 / 3)}


def test_the_name_of_a_folder_goes_before_any_pattern_and_the_first_pattern_before_later_ones() -> None:
    rows = parse_weights("*,9\n*/face_height_ratio_0-25,2\nface_height_ratio_0-25,5\nface_height_ratio_0-25,6")

    assert weight_of(("x", "face_height_ratio_0-25"), rows) == 5
    assert weight_of(("x", "face_height_ratio_25-50"), rows) == 9
    assert weight_of(("face_height_ratio_0-25",), rows[1:2]) == 2
    assert weight_of(("plain",), ()) == 1
    assert weight_of(("1_character", "Mai"), parse_weights("1_character/Ma?,3")) == 3


def test_every_bad_row_of_the_weights_is_named_with_its_line() -> None:
    with pytest.raises(WeightsError) as caught:
        parse_weights("1_character,2\nno number,many\n\n# a note\nthree,columns,here\nzero,0\nendless,inf\n,3\n")

    assert caught.value.errors == (
        "line 2: the weight of 'no number' is no number: 'many'",
        "line 5: two columns are needed, pattern and weight; found 3",
        "line 6: the weight of 'zero' must lie between 0.000001 and 1,000,000",
        "line 7: the weight of 'endless' must lie between 0.000001 and 1,000,000",
        "line 8: the pattern is empty",
    )
    assert str(caught.value) == "; ".join(caught.value.errors)


def test_weights_that_are_no_csv_are_refused_with_their_line() -> None:
    with pytest.raises(WeightsError, match=r"^line \d: not readable as CSV: field larger than field limit"):
        parse_weights("a,1\n" + "b" * 200_000 + ",2")


def test_weights_are_read_with_commas_quotes_and_the_mark_of_a_windows_file() -> None:
    text = '\ufeff"a ""b"", c",0.5\r\n6+_characters,0.4\r\n*高校*,12\r\n'

    assert parse_weights(text) == (Weight('a "b", c', 0.5), Weight("6+_characters", 0.4), Weight("*高校*", 12))


def test_whole_repeats_that_distort_the_balance_are_reported() -> None:
    good = balance({("a",): 10, ("b",): 20})
    bad = balance({("a",): 100, ("b",): 145})

    assert rounding_warnings(good, "round") == []
    assert "1.45 becomes 1" in rounding_warnings(bad, "round")[0]


@pytest.mark.parametrize(
    ("pictures", "worst"),
    [
        ({("a",): 100, ("b",): 145, ("c",): 91}, "a, 1.45 becomes 1"),  # 31 % too seldom, 25 % too often
        ({("a",): 1000, ("b",): 1450, ("c",): 960}, "c, 1.51 becomes 2"),  # 31 % too seldom, 32 % too often
        ({(): 100, ("b",): 145}, r"(top), 1.45 becomes 1"),
    ],
)
def test_the_folder_whose_whole_repeats_are_farthest_from_its_multiply_is_named(
    pictures: dict[tuple[str, ...], int], worst: str
) -> None:
    assert f"Worst: {worst}." in rounding_warnings(balance(pictures), "round")[0]


def test_a_cut_folder_without_a_name_is_called_the_top() -> None:
    assert "Most: (top) with 1 picture would need 50.00." in balance({(): 1, ("b",): 50}, max_multiply=5).warnings[0]


def test_several_cut_folders_are_counted_and_the_one_that_needs_most_is_named() -> None:
    warning = balance({("a",): 1, ("b",): 2, ("c",): 100}, max_multiply=5).warnings[0]

    assert warning.startswith("2 folders are cut at multiply 5 and ")
    assert "Most: a with 1 picture would need 100.00." in warning


def test_no_pictures_give_an_empty_balance_and_senseless_limits_are_refused() -> None:
    assert balance({}).folders == ()
    assert balance({("a",): 0}).pictures == 0
    with pytest.raises(ValueError, match="limits"):
        balance({("a",): 1}, min_multiply=5, max_multiply=2)
    with pytest.raises(ValueError, match="limits"):
        balance({("a",): 1}, min_multiply=0)
    with pytest.raises(ValueError, match="limits"):
        balance({("a",): 1}, max_multiply=math.inf)


def test_one_picture_that_is_a_fifth_of_an_epoch_is_warned_of_and_a_balanced_set_is_not() -> None:
    lonely = balance({("1_character", "Mai"): 38, ("3_characters",): 1})

    assert lonely.ruling is not None
    assert lonely.ruling.text == "1 picture is 50 % of an epoch, used up to 38 times each."
    assert balance({("1_character", "Mai"): 38, ("3_characters",): 1}, max_multiply=lonely.ruling.cap).ruling is None
    assert balance({("Mai",): 9, ("Hinata",): 4}).ruling is None


def test_a_few_pictures_rule_also_where_they_raise_the_average_themselves_and_many_do_not() -> None:
    few, weights = {("a",): 12, ("b",): 5}, [Weight("b", 2.7)]
    ruled = balance(few, weights)
    assert max(row.multiply for row in ruled.folders) < FREQUENT * ruled.epoch / ruled.pictures
    assert ruled.ruling is not None
    assert ruled.ruling.text == "5 pictures are 73 % of an epoch, used up to 6.48 times each."
    assert ruled.ruling.cap == balance(few, weights, max_multiply=0).max_multiply == 3
    assert balance(few, weights, max_multiply=3).ruling is None
    many = {path: 100 * count for path, count in few.items()}
    assert balance(many, weights).ruling is None
    assert balance(many, weights, max_multiply=0).max_multiply == 6.48


def test_a_limit_that_follows_the_set_is_no_warning_and_each_picture_once_is_none_either() -> None:
    tree = {("Mai",): 100, ("Hinata",): 2}

    fitted, once = balance(tree, max_multiply=0), balance(tree, max_multiply=1)

    assert fitted.max_multiply == 3
    assert [row.multiply for row in fitted.folders] == [1, 3]
    assert fitted.folders[1].clipped
    assert fitted.warnings == once.warnings == ()
    assert once.epoch == 102


paths = st.lists(st.sampled_from(["a", "b", "c", "1_character"]), max_size=4).map(tuple)
trees = st.dictionaries(paths, st.integers(1, 5000), min_size=1, max_size=12)
weight_rows = st.lists(
    st.builds(Weight, st.sampled_from(["a", "b", "*/c", "*a*", "*"]), st.floats(1e-6, 1e6)), max_size=5
)


@given(tree=trees, weights=weight_rows, low=st.floats(0.1, 5), factor=st.floats(1, 1000))
@settings(max_examples=150, deadline=None)
def test_probabilities_add_up_and_multiplies_stay_within_their_limits(
    tree: dict[tuple[str, ...], int], weights: list[Weight], low: float, factor: float
) -> None:
    result = balance(tree, weights, min_multiply=low, max_multiply=low * factor)

    assert math.isclose(sum(row.probability for row in result.folders), 1, rel_tol=1e-9)
    assert math.isclose(sum(row.epoch_share for row in result.folders), 1, rel_tol=1e-9)
    assert {row.path for row in result.folders} == set(tree)
    for row in result.folders:
        assert round(low, 2) <= row.multiply + 1e-9 or row.multiply == low * factor
        assert row.multiply <= low * factor
        assert row.repeats >= 1


@given(tree=trees, weights=weight_rows)
@settings(max_examples=60, deadline=None)
def test_without_a_limit_the_epoch_follows_the_probabilities(
    tree: dict[tuple[str, ...], int], weights: list[Weight]
) -> None:
    result = balance(tree, weights, min_multiply=100, max_multiply=1e300)

    for row in result.folders:
        assert row.epoch_share == pytest.approx(row.probability, rel=1e-3)


def test_weights_with_quotes_spaces_and_full_width_commas_are_read() -> None:
    text = '\ufeff1_character, 2\r\n "Smith, Anna" , 3\n# a comment\nothers，0.5\nよみ，かき,4\n1_character,2\n'

    assert [(row.pattern, row.weight) for row in parse_weights(text)] == [
        ("1_character", 2.0),
        ("Smith, Anna", 3.0),
        ("others", 0.5),
        ("よみ，かき", 4.0),
        ("1_character", 2.0),
    ]


@given(tree=trees, weights=weight_rows, low=st.floats(0.1, 5))
@settings(max_examples=150, deadline=None)
def test_a_cap_cuts_what_lies_above_it_and_changes_nothing_else(
    tree: dict[tuple[str, ...], int], weights: list[Weight], low: float
) -> None:
    before = {row.path: row for row in balance(tree, weights, min_multiply=low, max_multiply=1e300).folders}
    cap = cap_of([(row.pictures, row.multiply) for row in before.values()])
    result = balance(tree, weights, min_multiply=low, max_multiply=0)

    assert result.max_multiply == cap
    assert result.clipping == ()
    assert result.ruling is None
    for row in result.folders:
        uncapped = before[row.path]
        assert row.multiply == min(uncapped.multiply, cap)
        assert (row.pictures, row.probability, row.unclipped) == (
            uncapped.pictures, uncapped.probability, uncapped.unclipped,
        )  # fmt: skip
        if not row.clipped:
            assert row.epoch_share >= uncapped.epoch_share - 1e-9
    cut = [row for row in result.folders if row.clipped]
    assert sum(row.epoch_share for row in cut) <= sum(before[row.path].epoch_share for row in cut) + 1e-9
    assert math.isclose(sum(row.epoch_share for row in result.folders), 1, rel_tol=1e-9)


@given(tree=trees, weights=weight_rows, low=st.floats(0.1, 5), high=st.floats(1, 1000))
@settings(max_examples=150, deadline=None)
def test_the_offered_cap_is_the_highest_at_which_no_picture_is_used_three_times_as_often_as_usual(
    tree: dict[tuple[str, ...], int], weights: list[Weight], low: float, high: float
) -> None:
    def used(limit: float) -> tuple[float, float, float]:
        result = balance(tree, weights, min_multiply=low, max_multiply=limit)
        each = [row.multiply for row in result.folders for _ in range(row.pictures)]
        return max(each), result.epoch / result.pictures, median_low(each)

    result = balance(tree, weights, min_multiply=low, max_multiply=low * high)
    cap = cap_of([(row.pictures, row.multiply) for row in result.folders])
    highest = max(row.multiply for row in result.folders)

    top, average, _ = used(max(low, cap))
    assert top <= FREQUENT * average + 1e-6
    assert low * 0.9 < cap <= highest
    if result.ruling is not None:
        assert result.ruling.cap == cap < result.ruling.multiply == highest
        assert 0 < result.ruling.pictures <= result.pictures / 2
        assert balance(tree, weights, min_multiply=low, max_multiply=max(low, cap)).ruling is None
    if cap < highest:
        step = 1 if cap >= 1 else 0.01
        top, average, median = used(min(highest, cap + step))
        assert top >= FREQUENT * min(average, median) - 1e-6


def fnmatch_weight(path: tuple[str, ...], rows: list[Weight]) -> float:
    """The rule as the reference words it, row by row."""
    full = "/".join(path)
    names = [row.weight for row in rows if row.pattern == path[-1]]
    patterns = [row.weight for row in rows if fnmatchcase(full, row.pattern) or fnmatchcase(f"./{full}", row.pattern)]
    return [*names, *patterns, 1.0][0]


@settings(max_examples=300)
@given(
    path=st.lists(st.sampled_from(["a", "b", "a*", "[x]"]), min_size=1, max_size=4).map(tuple),
    patterns=st.lists(
        st.sampled_from(["a", "b", "*", "a/b", "./a", "./a/b", "*/b", "*/a/b", "a/*", "*/a*", "a*", "[[]x]", "*/[x]"]),
        max_size=6,
    ),
)
def test_a_folder_has_the_weight_that_the_rows_give_one_by_one(path: tuple[str, ...], patterns: list[str]) -> None:
    rows = [Weight(pattern, float(number)) for number, pattern in enumerate(patterns, start=2)]

    assert weight_of(path, rows) == fnmatch_weight(path, rows)


@pytest.mark.parametrize(
    ("multiply", "rounding", "pictures"),
    [
        (1.45, "exact", 14.5),
        (1.45, "round", 10),
        (2.5, "round", 20),  # kohya rounds as Python does: halves to the even number
        (0.3, "round", 10),
        (1.99, "truncate", 10),
        (0.99, "truncate", 0),
        (1.48, "floor", 14),
        (0.09, "floor", 0),
        (7.3, "none", 10),
    ],
)
def test_an_epoch_holds_what_the_trainer_makes_of_a_multiply(
    multiply: float, rounding: Rounding, pictures: float
) -> None:
    assert per_epoch(10, multiply, rounding) == pytest.approx(pictures)


def test_pictures_that_rounding_never_uses_are_reported_with_the_remedy() -> None:
    result = balance({("a",): 100, ("b",): 20, ("c",): 1}, min_multiply=0.3)

    assert rounding_warnings(result, "truncate")[0] == (
        "100 pictures in 1 folder (first a) never used: rounded down to 0. A minimum multiplier of 1 prevents it."
    )
    assert "100 pictures with a multiply below 1" in rounding_warnings(result, "exact")[0]
    assert not any("never" in text for text in rounding_warnings(result, "round"))  # at least 1
    assert rounding_warnings(result, "none") == []
    assert rounding_warnings(balance({("a",): 100, ("b",): 20}), "exact") == []
    assert "2 pictures in 2 folders" in rounding_warnings(balance({("a",): 1, ("b",): 1}, min_multiply=0.5), "floor")[0]


def test_one_picture_that_takes_a_fifth_of_an_epoch_is_reported() -> None:
    tree = {("3_characters",): 1, ("2_characters",): 10, ("1_character",): 24, ("others",): 24, ("0",): 24}

    assert "1 picture is 20 % of an epoch" in balance(tree).warnings[0]
