"""Deciding who faces are from likeness, clusters, people's words and the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms.identity import UNKNOWN, Identities, decide, of_groups


def ask(likeness, *, cluster=None, picture=None, known=None, ruled_out=None):
    rows = len(likeness)
    result = decide(
        np.array(likeness, np.float32),
        cluster=np.array(cluster if cluster is not None else [-1] * rows, np.int64),
        picture=np.array(picture if picture is not None else range(rows), np.int64),
        known=np.array(known if known is not None else [UNKNOWN] * rows, np.int64),
        ruled_out=ruled_out or {},
    )
    return result.person.tolist()


def test_a_likely_face_is_named_and_an_unlikely_one_stays_unknown():
    assert ask([[0.9, 0.05], [0.3, 0.3], [0.1, 0.6]]) == [0, UNKNOWN, 1]


def test_a_doubtful_face_follows_its_cluster():
    assert ask([[0.9, 0], [0.95, 0], [0.4, 0.1]], cluster=[3, 3, 3]) == [0, 0, 0]
    assert ask([[0.2, 0], [0.3, 0], [0.55, 0.1]], cluster=[3, 3, 3]) == [UNKNOWN] * 3


def test_a_name_in_the_cluster_counts_much_and_keeps_its_own_answer():
    assert ask([[0.0, 0.9], [0.45, 0.0]], cluster=[0, 0], known=[1, UNKNOWN]) == [1, UNKNOWN]
    assert ask([[0, 0], [0, 0.4], [0, 0.45]], cluster=[0, 0, 0], known=[1, UNKNOWN, UNKNOWN]) == [1, 1, 1]


def test_what_a_person_ruled_out_is_never_the_answer():
    assert ask([[0.9, 0.6]], ruled_out={0: [0]}) == [1]
    assert ask([[0.9, 0.1]], ruled_out={0: [0]}) == [UNKNOWN]


def test_in_one_picture_the_surest_face_takes_the_name_and_the_other_its_next_best():
    assert ask([[0.8, 0.1], [0.9, 0.1]], picture=[7, 7]) == [UNKNOWN, 0]
    assert ask([[0.8, 0.6], [0.9, 0.1]], picture=[7, 7]) == [1, 0]
    assert ask([[0.99, 0], [0.6, 0.2]], picture=[7, 7], known=[UNKNOWN, 0]) == [UNKNOWN, 0]


def test_a_person_may_name_two_faces_of_one_picture_the_same():
    assert ask([[0.1, 0.1], [0.1, 0.1]], picture=[7, 7], known=[1, 1]) == [1, 1]


def test_no_faces_no_answers():
    assert ask(np.zeros((0, 2))) == []


@given(st.data())
def test_nobody_is_twice_in_one_picture_unless_a_person_said_so(data):
    rows = data.draw(st.integers(1, 8))
    people = data.draw(st.integers(1, 3))
    share = st.floats(0, 1, width=32)
    likeness = [[data.draw(share) for _ in range(people)] for _ in range(rows)]
    picture = [data.draw(st.integers(0, 2)) for _ in range(rows)]
    cluster = [data.draw(st.integers(-1, 2)) for _ in range(rows)]
    result = ask(likeness, picture=picture, cluster=cluster)
    for item in set(picture):
        named = [who for who, where in zip(result, picture) if where == item and who != UNKNOWN]
        assert len(named) == len(set(named))


def surely(likeness, **values):
    rows = len(likeness)
    default = {"cluster": [-1] * rows, "picture": range(rows), "known": [UNKNOWN] * rows}
    arrays = {name: np.array(given, np.int64) for name, given in (default | values).items()}
    return decide(np.array(likeness, np.float32), ruled_out={}, **arrays).confidence.tolist()


def test_a_face_counts_beside_the_mean_of_its_group_and_alone_for_itself():
    assert surely([[0.9, 0], [0.6, 0], [0.3, 0]], cluster=[5, 5, 5]) == pytest.approx([0.72, 0.6, 0.48])
    assert surely([[0.9, 0], [0.3, 0]], cluster=[5, 5]) == pytest.approx([0.72, 0.48])
    assert surely([[0.9, 0], [0.3, 0]], cluster=[5, 6]) == pytest.approx([0.9, 0.3])


def test_names_by_people_count_in_a_group_the_more_of_them_agree():
    # One name: 0.9 * 1 / 2 of trust; two of different people: 0.9 * 2 / 3, half a vote for each.
    assert surely([[0, 0], [0.4, 0.2]], cluster=[1, 1], known=[0, UNKNOWN]) == pytest.approx([1, 0.562])
    rows = [[0, 0], [0, 0], [0.4, 0.2]]
    assert surely(rows, cluster=[1, 1, 1], known=[0, 1, UNKNOWN]) == pytest.approx([1, 1, 0.436])
    assert surely(rows, cluster=[1, 1, 1], known=[0, 0, UNKNOWN]) == pytest.approx([1, 1, 0.616])


def test_faces_of_one_track_share_their_likeness():
    assert surely([[0.9, 0], [0.1, 0.6], [0.5, 0]], track=[0, 0, 1]) == pytest.approx([0.5, 0.5, 0.5])


def test_the_least_confidence_is_enough_and_of_equals_the_earlier_face_has_the_name():
    assert ask([[0.5, 0.1]]) == [0]
    assert ask([[0.5, 0], [0.5, 0]], picture=[7, 7]) == [0, UNKNOWN]


def test_who_loses_a_name_may_lose_the_next_one_too():
    assert ask([[0.8, 0.6], [0.9, 0.1], [0.1, 0.7]], picture=[7, 7, 7]) == [UNKNOWN, 0, 1]
    assert ask([[0.8, 0.75], [0.9, 0.1], [0.1, 0.7]], picture=[7, 7, 7]) == [1, 0, UNKNOWN]


def grouped(person, confidence, group):
    identities = Identities(np.array(person, np.int64), np.array(confidence, np.float32))
    result = of_groups(identities, np.array(group, np.int64), max(group, default=-1) + 1)
    return result.person.tolist(), [round(float(value), 3) for value in result.confidence]


def test_a_group_is_who_most_of_its_faces_are_and_doubtful_faces_count_against_it():
    assert grouped([0, 0, 0], [0.9, 0.8, 0.7], [0, 0, 0]) == ([0], [0.8])
    assert grouped([0, 0, UNKNOWN], [0.9, 0.9, 0.4], [0, 0, 0]) == ([0], [0.6])
    assert grouped([0, 1, UNKNOWN], [0.9, 0.9, 0.4], [0, 0, 0]) == ([UNKNOWN], [0.3])
    assert grouped([2, 1], [0.6, 0.7], [1, 0]) == ([1, 2], [0.7, 0.6])


def test_no_groups_no_answers():
    assert grouped([], [], []) == ([], [])


@given(st.data())
def test_a_group_is_never_surer_than_its_surest_face_and_the_order_of_faces_does_not_matter(data):
    rows = data.draw(st.integers(1, 12))
    person = data.draw(st.lists(st.integers(UNKNOWN, 3), min_size=rows, max_size=rows))
    confidence = data.draw(st.lists(st.floats(0.5, 1, width=32), min_size=rows, max_size=rows))
    group = sorted(data.draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows)))
    group = np.unique(group, return_inverse=True)[1].tolist()
    order = data.draw(st.permutations(range(rows)))
    result = grouped(person, confidence, group)
    assert result == grouped(*([values[place] for place in order] for values in (person, confidence, group)))
    for number, (who, sure) in enumerate(zip(*result, strict=True)):
        members = [place for place in range(rows) if group[place] == number]
        assert sure <= round(max(confidence[place] for place in members), 3)
        assert who == UNKNOWN or (sure >= 0.5 and who in {person[place] for place in members})
