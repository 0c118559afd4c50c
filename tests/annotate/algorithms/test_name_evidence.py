"""Names that came with a picture against its faces: who is plainly who, who may be who, and who counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms.name_evidence import (
    FILE,
    PERSON,
    TAGGER,
    Named,
    SeenFace,
    candidates,
    counting,
    named_faces,
    overlap,
    ranked,
)

LEFT, RIGHT = (0.1, 0.1, 0.3, 0.4), (0.6, 0.1, 0.8, 0.4)
A, B, C = 1, 2, 3


def names(*keys: int, origin: str = FILE) -> list[Named]:
    return [Named(key, origin) for key in keys]


def face(
    key: int = 10,
    box: tuple[float, float, float, float] = LEFT,
    *,
    who: int | None = None,
    answered: bool = False,
    not_: tuple[int, ...] = (),
) -> SeenFace:
    return SeenFace(key, box, answered or who is not None, who, frozenset(not_))


def test_one_name_and_one_face_are_one() -> None:
    assert named_faces(names(A), [face()])[10].character == A
    assert named_faces(names(A), [face(), face(11, RIGHT)]) == {}
    assert named_faces(names(A, B), [face()]) == {}


def test_a_persons_word_stands_and_leaves_the_rest() -> None:
    assert named_faces(names(A), [face(who=B)]) == {}
    assert named_faces(names(A), [face(not_=(A,))]) == {}
    two = [face(10, who=A), face(11, RIGHT)]
    assert {key: name.character for key, name in named_faces(names(A, B), two).items()} == {11: B}
    assert candidates(names(A, B), [face(), face(11, RIGHT, not_=(A,))]) == {10: [A, B], 11: [B]}
    assert candidates(names(A, B), two) == {11: [B]}


def test_boxes_of_a_file_say_which_face_is_whose() -> None:
    boxed = [Named(A, FILE, 1.0, RIGHT), Named(B, FILE, 1.0, LEFT)]
    result = named_faces(boxed, [face(10), face(11, RIGHT), face(12, (0.4, 0.6, 0.5, 0.8))])
    assert {key: name.character for key, name in result.items()} == {10: B, 11: A}


def test_a_box_names_one_face_and_names_without_a_box_wait_for_what_is_left() -> None:
    seen = [face(10), face(11, RIGHT)]
    same_box = [Named(A, FILE, 1.0, LEFT), Named(B, FILE, 1.0, LEFT)]
    assert {key: name.character for key, name in named_faces(same_box, seen).items()} == {10: A, 11: B}
    first_without = [Named(A, FILE), Named(B, FILE, 1.0, LEFT)]
    assert {key: name.character for key, name in named_faces(first_without, seen).items()} == {10: B, 11: A}
    assert named_faces([Named(A, FILE, 1.0, LEFT)], []) == {}


def test_the_overlap_of_boxes_is_what_they_share_of_what_they_cover() -> None:
    first = (0.1, 0.5, 0.5, 0.9)
    assert overlap(first, first) == 1
    assert overlap(first, (0.3, 0.6, 0.7, 1.0)) == pytest.approx(0.06 / 0.26)
    assert overlap((0.3, 0.6, 0.7, 1.0), first) == pytest.approx(0.06 / 0.26)
    assert overlap(first, (0.5, 0.5, 0.9, 0.9)) == overlap(first, (0.1, 0.9, 0.5, 1.0)) == 0
    assert overlap(first, (0.6, 0.0, 0.9, 0.4)) == 0  # apart both ways: nothing times nothing is no area


def test_a_face_is_named_by_a_files_box_from_a_certain_overlap_on_and_by_the_best_of_two() -> None:
    seen = [face(10, (0.0, 0.0, 0.5, 1.0)), face(11, (0.1, 0.0, 0.6, 1.0)), face(12, (0.8, 0.0, 0.9, 0.1))]
    better = named_faces([Named(A, FILE, 1.0, (0.1, 0.0, 0.6, 1.0))], seen)
    assert {key: name.character for key, name in better.items()} == {11: A}
    assert named_faces([Named(A, FILE, 1.0, (0.3, 0.0, 1.0, 1.0))], seen[:1]) != {}  # one name for the one face
    assert named_faces([Named(A, FILE, 1.0, (0.3, 0.0, 1.0, 1.0))], seen[::2]) == {}


def test_files_stand_above_taggers_and_outfits_before_their_character() -> None:
    mixed = [Named(A, TAGGER, 0.9), Named(B, FILE), Named(A, FILE)]
    assert [(n.character, n.origin) for n in ranked(mixed)] == [(A, FILE), (B, FILE)]
    assert [n.character for n in ranked([Named(A, TAGGER, 0.9), Named(B, FILE)])] == [B]
    assert [n.character for n in ranked([Named(A, TAGGER, 0.5), Named(B, TAGGER, 0.9)])] == [B, A]
    assert [n.character for n in ranked(names(A, C), parents={C: A})] == [C]
    assert [n.character for n in ranked([Named(A, TAGGER, 0.9), Named(B, PERSON)])] == [B, A]


def test_a_name_counts_where_a_face_may_have_it_or_there_are_more_names_than_faces() -> None:
    assert counting(names(A), []) == {A}
    assert counting(names(A), [face()]) == {A}
    assert counting(names(A), [face(who=B)]) == set()
    assert counting(names(A), [face(not_=(A,))]) == set()
    assert counting(names(A, B), [face(who=A)]) == {A, B}
    assert counting([Named(A, PERSON)], [face(who=B)]) == {A}
    assert counting(names(A), [face(who=B), face(11, RIGHT)]) == {A}
    assert counting([Named(A, PERSON), Named(B, FILE)], []) == {A, B}
    assert counting(names(A, B, C), [face(who=4)]) == {A, B}


KEYS = st.integers(1, 4)
FACES = st.lists(
    st.builds(
        lambda box, who, not_: (box, who, frozenset(not_)),
        st.sampled_from([LEFT, RIGHT, (0.4, 0.5, 0.6, 0.9)]), st.none() | KEYS, st.sets(KEYS, max_size=2),
    ), max_size=4,
)  # fmt: skip


@given(st.sets(KEYS), FACES)
def test_no_face_that_a_person_answered_is_named_and_no_name_is_given_twice_or_where_it_was_ruled_out(
    keys: set[int], rows: list[tuple[tuple[float, float, float, float], int | None, frozenset[int]]]
) -> None:
    faces = [SeenFace(10 + index, box, who is not None, who, not_) for index, (box, who, not_) in enumerate(rows)]
    result = named_faces(ranked(names(*keys)), faces)
    by_key = {seen.key: seen for seen in faces}
    assert not any(by_key[key].answered or name.character in by_key[key].ruled_out for key, name in result.items())
    assert len(result) == len({n.character for n in result.values()})
    assert not {n.character for n in result.values()} & {seen.character for seen in faces if seen.answered}
    assert counting(names(*keys), faces) <= keys
