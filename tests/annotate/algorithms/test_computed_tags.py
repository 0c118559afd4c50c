"""Tags worked out from pixels and boxes, on hand-made pictures."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.algorithms.colour_names import HAIR, lab_of
from annotate.algorithms.computed_tags import computed_tags, framing_tags, size_tags
from demo_film.palette import HAIR as PALETTE
from tests.annotate.people import ANNA, BETH, CARA, add_head, scenery


def flat(colour, width=480, height=270):
    return np.full((height, width, 3), colour, np.uint8)


def person(picture, looks, *, x=0.5, y=0.5, face=0.32):
    height, width = picture.shape[:2]
    left, top, right, bottom = add_head(picture, looks, x=x, y=y, face=face)
    return (left * width, top * height, right * width, bottom * height)


@pytest.mark.parametrize(
    ("width", "height", "tags"),
    [
        (500, 500, {"lowres"}), (501, 300, set()), (1280, 720, set()), (1600, 900, {"highres"}),
        (1000, 1200, {"highres"}), (3840, 2160, {"highres", "absurdres"}), (1024, 256, {"wide_image"}),
        (1024, 257, set()), (400, 1600, {"highres", "tall_image"}), (800, 200, set()),
    ],
)  # fmt: skip
def test_sizes_follow_danbooru(width, height, tags):
    assert set(size_tags(width, height)) == tags


@pytest.mark.parametrize(
    ("looks", "hair", "eyes"), [(ANNA, "blonde", "blue"), (BETH, "black", "red"), (CARA, "green", "brown")]
)
def test_hair_and_eyes_have_their_colour_by_day_and_by_night(looks, hair, eyes):
    picture = scenery()
    box = person(picture, looks)
    day = computed_tags(picture, [box]).tags
    assert f"{hair}_hair" in day
    night = computed_tags((picture * np.array([0.68, 0.72, 0.94])).astype(np.uint8), [box]).tags
    assert f"{hair}_hair" in night
    if looks is ANNA:
        assert f"{eyes}_eyes" in day
    assert all(0 < score <= 1 for score in day.values())


def test_every_painted_hair_colour_of_the_film_has_its_name():
    for name, paint in PALETTE.items():
        assert HAIR.name_of(lab_of(np.array([paint], np.uint8))[0]) == name


def test_colours_between_two_names_have_none():
    between = {
        "brown and blonde": (186, 148, 112),
        "aqua and green": (84, 180, 150),
        "brown and purple": (122, 104, 112),
    }
    for paint in between.values():
        assert HAIR.name_of(lab_of(np.array([paint], np.uint8))[0]) == ""


def test_one_face_is_solo_two_are_two_people():
    picture = scenery()
    item = person(picture, ANNA, x=0.25)
    assert "solo" in computed_tags(picture, [item]).tags
    two = computed_tags(picture, [item, person(picture, BETH, x=0.75)])
    assert two.people == 2
    assert "solo" not in two.tags
    assert {"blonde_hair", "black_hair"} <= set(two.tags)


def test_nobody_is_there_only_when_it_is_sure():
    empty = scenery()
    empty[..., 2] = np.clip(empty[..., 2] + 60.0, 0, 255)
    assert "no_humans" in computed_tags(empty, []).tags
    assert "no_humans" not in computed_tags(empty, [], people_elsewhere=True).tags
    skin = empty.copy()
    skin[100:140, 200:240] = (250, 222, 204)
    assert "no_humans" not in computed_tags(skin, []).tags
    assert "no_humans" not in computed_tags(flat((0, 0, 0)), []).tags
    assert "no_humans" not in computed_tags(empty, [person(empty, ANNA)]).tags


def test_grey_pictures_are_greyscale_and_one_ink_is_monochrome():
    grey = scenery().mean(axis=2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
    assert {"greyscale", "monochrome"} <= set(computed_tags(grey, []).tags)
    blue = (grey * np.array([0.5, 0.65, 1.0])).astype(np.uint8)
    result = computed_tags(blue, []).tags
    assert "monochrome" in result
    assert "greyscale" not in result
    assert "monochrome" not in computed_tags(scenery(), []).tags


def test_sepia_lamplight_and_a_black_picture_are_not_monochrome():
    grey = scenery().mean(axis=2, keepdims=True).repeat(3, axis=2)
    sepia = (grey * np.array([1.0, 0.75, 0.5])).astype(np.uint8)
    lamplight = (0.3 * scenery() + 0.7 * sepia).astype(np.uint8)
    for picture in (sepia, lamplight, flat((16, 16, 16))):
        assert not {"monochrome", "greyscale"} & set(computed_tags(picture, []).tags)


@pytest.mark.parametrize(
    ("colour", "name"),
    [((255, 255, 255), "white"), ((0, 0, 0), "black"), ((150, 196, 240), "blue"), ((190, 190, 190), "grey")],
)  # fmt: skip
def test_a_plain_background_is_simple_and_has_its_colour(colour, name):
    picture = flat(colour)
    result = computed_tags(picture, [person(picture, ANNA)]).tags
    assert {"simple_background", f"{name}_background"} <= set(result)
    busy = scenery()
    assert "simple_background" not in computed_tags(busy, [person(busy, ANNA)]).tags


def test_framing_follows_the_face_ratio():
    def best(top, bottom):
        scores = framing_tags([(top, bottom)])
        name = max(scores, key=lambda tag: scores[tag])
        return name if scores[name] >= 0.35 else ""

    assert best(0.2, 0.85) == "close-up"
    assert best(0.3, 0.65) == "portrait"
    assert best(0.2, 0.4) == "upper_body"
    assert best(0.3, 0.36) == ""
    assert framing_tags([]) == {}


def test_a_tiny_picture_and_a_box_over_the_edge_are_no_trouble():
    assert computed_tags(np.zeros((1, 1, 3), np.uint8), []).people == 0
    assert computed_tags(scenery(), [(-50.0, -20.0, 20.0, 40.0), (470.0, 260.0, 900.0, 700.0)]).people == 2
