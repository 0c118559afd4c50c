"""Two embedders on the same faces: worked out by hand on a line, and against all pairs at once for any points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from annotate.algorithms import embedder_agreement as agreement
from annotate.algorithms.embedder_agreement import NOBODY, Doubt, Parted, Seen

IntArray = npt.NDArray[np.int64]


def on_a_line(*places: float) -> agreement.Across:
    where = np.array(places, np.float32)
    return lambda rows, columns: np.abs(where[rows][:, None] - where[columns][None])


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


#        face:    0    1    2    3    4
# who people say: 0    .    1    .    1
PERSON = ints(0, NOBODY, 1, NOBODY, 1)
ALONE = np.arange(5)


def test_each_face_gets_its_nearest_face_and_its_nearest_named_person() -> None:
    seen = agreement.recognise(on_a_line(0, 1, 4, 5, 9), 5, keep_apart=ALONE, person=PERSON)
    assert seen.nearest.tolist() == [1, 0, 3, 2, 3]
    assert seen.reference.tolist() == [2, 0, 0, 2, 2]
    assert seen.person.tolist() == [1, 0, 0, 1, 1]
    assert seen.difference.tolist() == [1, 1, 1, 1, 4]
    assert seen.sure[1] == pytest.approx(1 - 1 / 3) and seen.sure[3] == pytest.approx(1 - 1 / 5)


def test_faces_of_one_shot_are_no_neighbours() -> None:
    seen = agreement.recognise(on_a_line(0, 1, 4, 5, 9), 5, keep_apart=ints(0, 0, 1, 1, 2), person=PERSON)
    assert seen.nearest.tolist() == [2, 2, 1, 1, 3]
    assert seen.reference[1] == 2 and seen.person[3] == 1 and seen.reference[3] == 4
    alone = agreement.recognise(on_a_line(0, 1), 2, keep_apart=ints(0, 0), person=ints(0, NOBODY))
    assert alone.nearest.tolist() == alone.person.tolist() == [NOBODY, NOBODY]


def test_right_is_a_named_face_whose_nearest_other_named_face_is_the_same_person() -> None:
    seen = agreement.recognise(on_a_line(0, 1, 4, 5, 9), 5, keep_apart=ALONE, person=PERSON)
    assert agreement.right_share(seen, PERSON) == pytest.approx(1 / 3)  # 4 alone
    nobody = np.full(5, NOBODY)
    assert (
        agreement.right_share(agreement.recognise(on_a_line(0, 1, 4, 5, 9), 5, keep_apart=ALONE, person=nobody), nobody)
        is None
    )


def test_a_face_that_the_two_name_differently_is_asked_about_twice_the_surer_answer_first() -> None:
    first = agreement.recognise(on_a_line(0, 1, 4, 5, 9), 5, keep_apart=ALONE, person=PERSON)
    second = agreement.recognise(on_a_line(0, 3.9, 4, 5, 9), 5, keep_apart=ALONE, person=PERSON)
    waiting = PERSON == NOBODY
    assert agreement.doubts(first, second, waiting=waiting) == [Doubt(1, 1, 2, False), Doubt(1, 0, 0, True)]
    assert agreement.doubts(first, first, waiting=waiting) == []
    assert agreement.doubts(first, second, waiting=~waiting) == []


def test_pairs_that_one_groups_and_the_other_parts_are_reported_once() -> None:
    first = agreement.recognise(on_a_line(0, 1, 4, 5, 9), 5, keep_apart=ALONE, person=PERSON)
    groups = (ints(0, 0, 1, 1, 2), ints(0, 1, 2, 2, 3))
    assert agreement.parted(first, first, groups) == [Parted(0, 1, True)]
    assert agreement.parted(first, first, groups[::-1]) == [Parted(0, 1, False)]
    assert agreement.parted(first, first, (groups[0], groups[0])) == []


@settings(max_examples=60, deadline=None)
@given(
    some.lists(
        some.tuples(
            some.integers(-50, 50), some.integers(-50, 50), some.integers(0, 6), some.integers(-1, 3)
        ),
        min_size=1, max_size=40,
    ),
    some.integers(1, 50),
)  # fmt: skip
def test_blocks_change_nothing_and_every_answer_is_the_best_of_all_pairs(
    rows: list[tuple[int, int, int, int]], block: int
) -> None:
    points = np.array([row[:2] for row in rows], np.float32)
    separate, person = (np.array([row[place] for row in rows], np.int64) for place in (2, 3))

    def across(some_rows: IntArray, columns: IntArray) -> npt.NDArray[np.float32]:
        assert len(some_rows) <= block
        return np.asarray(np.linalg.norm(points[some_rows][:, None] - points[columns][None], axis=2), np.float32)

    seen = agreement.recognise(across, len(rows), keep_apart=separate, person=person, block=block)
    square = np.linalg.norm(points[:, None] - points[None], axis=2).astype(np.float32)
    square[separate[:, None] == separate[None]] = np.inf
    for face in range(len(rows)):
        assert seen.difference[face] == square[face].min()
        named = np.where(person == NOBODY, np.inf, square[face])
        if np.isfinite(named.min()):
            assert named[seen.reference[face]] == named.min()
            assert seen.person[face] == person[seen.reference[face]] != NOBODY
        else:
            assert seen.reference[face] == seen.person[face] == NOBODY
        assert 0 <= seen.sure[face] <= 1


@given(some.lists(some.tuples(some.integers(0, 4), some.integers(0, 4)), min_size=2, max_size=40), some.integers(1, 9))
def test_the_rand_index_knows_groups_not_their_numbers(labels: list[tuple[int, int]], more: int) -> None:
    first, second = (np.array([row[place] for row in labels], np.int64) for place in (0, 1))
    assert agreement.rand_index(first, second) == pytest.approx(agreement.rand_index(second, first + more))
    assert agreement.rand_index(first, 7 * first + more) == pytest.approx(1.0)


def test_shares_of_nothing_are_full_agreement() -> None:
    nothing = np.zeros(0, np.int64)
    seen = Seen(nothing, np.zeros(0, np.float32), nothing, nothing, np.zeros(0, np.float32))
    assert agreement.same_share(nothing, nothing) == 1.0
    assert agreement.rand_index(nothing, nothing) == 1.0
    assert agreement.parted(seen, seen, (nothing, nothing)) == []
