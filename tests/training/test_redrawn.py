"""People redrawn by many hands: the same numbers give the same heads, the person stays, the palette is left alone."""

from __future__ import annotations

import io
import zipfile

import cv2
import numpy as np
import pytest

from demo_film.palette import EYES, HAIR, SKIN
from training import redrawn
from training.head_material import drawn, faces_of, hands_of
from training.head_tags import TAGS, names_of, truth


def heads(person, hands=6):
    who = redrawn.somebody(person)
    return np.stack([redrawn.redraw(np.random.default_rng([person, hand]), who) for hand in range(hands)])


def test_a_number_is_always_the_same_drawing_and_the_palette_keeps_its_colours():
    before = dict(HAIR), dict(EYES), dict(SKIN)
    assert np.array_equal(heads(4, 2), heads(4, 2))
    assert before == (HAIR, EYES, SKIN)


def test_hands_differ_less_in_the_colour_of_the_hair_than_people_do():
    def fringe(person):
        return np.stack(
            [cv2.cvtColor(head[22:28, 26:38], cv2.COLOR_RGB2LAB).reshape(-1, 3).mean(axis=0) for head in heads(person)]
        )

    people = [fringe(person) for person in range(8)]
    within = np.mean([rows.std(axis=0).mean() for rows in people])
    between = np.stack([rows.mean(axis=0) for rows in people]).std(axis=0).mean()
    assert within < between


def test_what_is_reported_of_a_drawing_is_what_is_drawn():
    material = drawn(50, 3, hands=2)
    assert material.heads.shape == (6, 64, 64, 3)
    assert material.people.tolist() == [50, 50, 51, 51, 52, 52]
    for number in range(3):
        who = redrawn.somebody(50 + number)
        for hand in range(2):
            answers, is_asked = truth(redrawn.plan(np.random.default_rng([50 + number, hand, 5]), who), tone=who.tone)
            assert np.array_equal(material.answers[2 * number + hand], answers)
            assert np.array_equal(material.is_labelled[2 * number + hand], is_asked)


def test_shut_eyes_have_no_colour_to_be_asked_for():
    who = redrawn.somebody(1)
    shut = next(
        plan
        for plan in (redrawn.plan(np.random.default_rng(seed), who) for seed in range(500))
        if plan.pose.eyes == 0.0
    )
    answers, is_asked = truth(shut, tone=who.tone)
    assert answers[TAGS.index("closed_eyes")] == 1
    assert not any(
        is_asked[index] for index, name in enumerate(TAGS) if name.endswith("_eyes") and name != "closed_eyes"
    )


@pytest.mark.parametrize("name", sorted(HAIR))
def test_a_named_colour_has_its_own_name(name):
    assert names_of(HAIR[name], HAIR) == [name]


def test_faces_of_a_zip_come_once_each_and_are_changed_without_losing_their_hue(tmp_path):
    green = np.full((64, 64, 3), (60, 160, 80), np.uint8)
    green[:, 32:] = (200, 230, 205)
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    path = tmp_path / "crops.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, picture in (
            ("face/1.png", green),
            ("face/2.png", green),
            ("face/3.png", noise),
            ("other/4.png", noise),
        ):
            archive.writestr(name, io.BytesIO(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()).getvalue())
    faces = list(faces_of(path))
    assert len(faces) == 2
    changed = hands_of(0, faces[0], hands=8).astype(int)
    assert changed.shape == (8, 64, 64, 3)
    greener = changed[..., 1] - (changed[..., 0] + changed[..., 2]) / 2
    assert (greener.mean(axis=(1, 2)) > 0).all()
