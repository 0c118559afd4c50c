"""The casts of the measurement of one-shot naming, and its figures for vectors whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.backends.embedders.builtin import LENGTH
from bench import drawn_casts, one_shot


def test_sisters_share_their_face_and_others_a_hair_colour_and_nobody_is_drawn_twice():
    members = drawn_casts.cast(1, 8, strangers=3)
    for first in (members[0], members[4]):
        sister, alike = (members[members.index(first) + step] for step in (1, 2))
        assert (sister.eyes, sister.skin, sister.chin, sister.eye_shape) == (
            first.eyes, first.skin, first.chin, first.eye_shape,
        )  # fmt: skip
        assert sister.back != first.back
        assert alike.hair == first.hair
        assert (alike.back, alike.fringe) != (first.back, first.fringe)
    looks = {(who.hair, who.eyes, who.fringe, who.back) for who in members}
    assert len(looks) == len(members) == 11
    assert drawn_casts.cast(1, 8, strangers=3) == members
    assert drawn_casts.cast(2, 8, strangers=3) != members


def test_the_faces_of_a_shot_are_of_one_person_and_change():
    faces = drawn_casts.in_films(1, 1, strangers=1, shots=2)
    assert faces.person.tolist() == [0] * 6 + [1] * 6
    assert faces.shot.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len({head.tobytes() for head in faces.heads}) == 12


@pytest.mark.parametrize("method", [one_shot.discriminants, one_shot.two_covariances])
def test_people_far_apart_are_named_rightly_and_strangers_are_not(method):
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(8), 9)
    middles = random.normal(0, 0.05, (8, LENGTH))
    vectors = (middles[person] + random.normal(0, 0.003, (72, LENGTH))).astype(np.float32)
    prepared = one_shot.prepare(one_shot.Faces(vectors, person, np.arange(72) // 3, cast=5))
    shares = one_shot.measure(prepared, method, shots=1, draws=2)
    assert shares.tolist() == [1.0, 1.0, 0.0, 0.0]
