"""Colours of hair and eyes of drawn faces: right in any light, nothing where it is unsure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from annotate.algorithms.face_colours import FaceColours, face_colours
from demo_film.backgrounds import PLACES
from demo_film.canvas import Canvas
from demo_film.cast import Pose
from demo_film.characters import Light, draw_person
from demo_film.crops import identity_appearance

DAY, DUSK, NIGHT = (1.0, 1.0, 1.0), PLACES["town"].tint, PLACES["street"].tint


def drawn(light, *, hair, eyes, shut=False, identity=700_001):
    """A portrait of a person with these colours in a light, and the face's box in pixels."""
    appearance = replace(identity_appearance(identity), hair=hair, eyes=eyes, skin="light", accessory="none")
    canvas = Canvas(np.full((220, 220, 3), (120, 150, 130), np.uint8) * np.array(light))
    person = draw_person(canvas, appearance, Pose(eyes=0.0 if shut else 1.0), x=110, y=105, unit=52, light=Light(light))
    assert person.face is not None
    return canvas.finish(), person.face


def names(colours: FaceColours) -> tuple[str, str]:
    return (colours.hair.name if colours.hair else "", colours.eyes.name if colours.eyes else "")


@pytest.mark.parametrize("light", [DAY, DUSK, NIGHT], ids=["day", "dusk", "night"])
@pytest.mark.parametrize(("hair", "eyes"), [("brown", "green"), ("black", "blue"), ("blonde", "purple")])
def test_the_light_of_the_scene_does_not_change_a_colour(light, hair, eyes):
    found_hair, found_eyes = names(face_colours(*drawn(light, hair=hair, eyes=eyes)))
    assert found_hair in (hair, "")
    assert found_eyes in (eyes, "")
    if light is DAY:
        assert (found_hair, found_eyes) == (hair, eyes)


def test_shut_eyes_have_no_colour():
    for hair in ("aqua", "brown", "red"):
        assert face_colours(*drawn(DAY, hair=hair, eyes="blue", shut=True)).eyes is None


def test_hair_beyond_the_edge_of_the_picture_is_not_guessed_from_the_repeated_edge():
    picture, box = drawn(DAY, hair="pink", eyes="blue")
    cut = round(box[1] + 0.1 * (box[3] - box[1]))  # the picture begins on the forehead
    colours = face_colours(np.ascontiguousarray(picture[cut:]), (box[0], box[1] - cut, box[2], box[3] - cut))
    assert names(colours)[0] in ("pink", "")


def test_a_face_of_a_few_pixels_and_a_blank_picture_have_no_colours():
    picture, box = drawn(DAY, hair="brown", eyes="green")
    assert face_colours(picture, (box[0], box[1], box[0] + 15, box[1] + 15)) == FaceColours()
    assert face_colours(np.full((90, 90, 3), 200, np.uint8), (20, 20, 70, 70)).eyes is None
