"""Face sets: which square a face gets, what happens at the rim, what stays out, and how many passes a size takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.algorithms.face_set import OVER_THE_RIM, TOO_SMALL, FaceSetOptions, face_crops
from export.algorithms.parts import parts_of
from export.algorithms.plan import make_plan
from export.algorithms.recipe import Recipe, RecipeError, parse
from export.algorithms.rows import Face, Picture
from export.algorithms.upscaling import pass_warnings, passes_needed


def picture(*faces: Face, width: int = 1280, height: int = 720, **more: object) -> Picture:
    return Picture(key="k", stem="x", file="f", width=width, height=height, faces=faces, **more)  # type: ignore[arg-type]


def face(left: float, top: float, right: float, bottom: float, name: str = "") -> Face:
    """In pixels of 1280 x 720."""
    return Face(left=left / 1280, top=top / 720, right=right / 1280, bottom=bottom / 720, character=name)


ON = FaceSetOptions(enabled=True)


def recipe(**face_set: object) -> Recipe:
    return parse({"face_set": {"enabled": True} | face_set})


def test_the_square_is_one_and_a_half_times_the_longer_side_round_the_middle() -> None:
    (crop,), reasons = face_crops(picture(face(600, 300, 660, 400, "Mai")), ON)
    assert (crop.left, crop.top, crop.side) == (555, 275, 150)
    assert crop.border == ""
    assert crop.face == pytest.approx((600, 300, 660, 400))
    assert not reasons
    cropped_face = crop.picture.faces[0]
    assert (cropped_face.left, cropped_face.top) == (pytest.approx(45 / 150), pytest.approx(25 / 150))
    assert (crop.picture.stem, crop.picture.key) == ("x_face1", "k:cropface1")


def test_at_the_rim_the_square_moves_inside_or_is_continued_or_the_face_stays_out() -> None:
    neighbours = picture(face(10, 300, 110, 400))
    (moved,), _ = face_crops(neighbours, ON)
    assert (moved.left, moved.top, moved.side, moved.border) == (0, 275, 150, "shift")
    for border in ("edge", "reflect", "black"):
        (crop,), _ = face_crops(neighbours, FaceSetOptions(enabled=True, border=border))
        assert (crop.left, crop.top, crop.side, crop.border) == (-15, 275, 150, border)
    assert face_crops(neighbours, FaceSetOptions(enabled=True, border="drop")) == ([], [OVER_THE_RIM])


def test_a_face_larger_than_the_picture_allows_gets_the_largest_square() -> None:
    (crop,), _ = face_crops(picture(face(300, 10, 900, 710)), ON)
    assert (crop.left, crop.top, crop.side) == (240, 0, 720)


def test_crops_below_the_least_size_stay_out_and_are_counted() -> None:
    faces = (face(100, 100, 142, 142), face(300, 300, 343, 343))  # 63 and 64.5 pixels
    crops, reasons = face_crops(picture(*faces), ON)
    assert [crop.picture.stem for crop in crops] == ["x_face2"]
    assert reasons == [TOO_SMALL]
    plan = make_plan([picture(*faces)], recipe())
    assert plan.left_out == {TOO_SMALL: 1}
    assert [item.stem for item in plan.items] == ["x_face2"]


def test_each_crop_shows_one_person_and_counts_no_others() -> None:
    two = picture(
        face(500, 300, 600, 400, "Mai"), face(560, 300, 660, 400, "Ena"), tags=("2girls", "smile"), caption="Both wave."
    )
    crops, _ = face_crops(two, ON)
    assert [crop.picture.names for crop in crops] == [("Mai",), ("Ena",)]
    assert [crop.picture.tags for crop in crops] == [("smile",), ("smile",)]
    assert [crop.picture.caption for crop in crops] == [None, None]
    plan = make_plan([two] * 1, recipe())
    assert {item.picture.names for item in plan.items} == {("Mai",), ("Ena",)}


def test_passes_are_as_few_as_reach_the_size() -> None:
    assert [passes_needed(side, 128, 2) for side in (128, 127, 64, 63, 32, 31)] == [0, 1, 1, 2, 2, 3]
    assert [passes_needed(side, 128, 4) for side in (128, 32, 31, 8, 7)] == [0, 1, 2, 2, 3]


def test_only_the_faces_go_out_unless_whole_pictures_are_asked_for() -> None:
    item = picture(face(600, 300, 660, 400))
    assert [part.crop is None for part in parts_of(item, recipe(), factor=2)[0]] == [False]
    parts, _ = parts_of(item, recipe(whole=True), factor=2)
    assert [part.crop is None for part in parts] == [True, False]
    assert [(part.passes, part.size) for part in parts] == [(0, None), (0, (128, 128))]


def test_small_pictures_grow_to_the_least_size_by_the_side_that_counts() -> None:
    small = picture(width=300, height=200)
    for side, size, passes in (("shortest", (1152, 768), 2), ("longest", (768, 512), 2)):
        recipe = parse({"selection": {"min_faces": 0, "side": side}, "upscale": {"below": 768}})
        (part,), _ = parts_of(small, recipe, factor=2)
        assert (part.size, part.passes) == (size, passes)
    (large,), _ = parts_of(picture(), parse({"upscale": {"below": 720}}), factor=2)
    assert (large.size, large.passes) == (None, 0)


def test_more_than_two_passes_are_warned_of_also_those_before_koma() -> None:
    assert pass_warnings({1: 500, 2: 3}) == []
    assert "1 picture has more than 2 passes of upscaling (up to 3)" in pass_warnings({3: 1})[0]
    tiny = picture(face(600, 300, 612, 312))
    plan = make_plan([tiny], recipe(least=8))
    assert plan.upscaled == {3: 1}
    assert any("more than 2 passes" in text for text in plan.warnings)
    before = picture(face(600, 300, 650, 350), passes=2)  # one more makes three
    assert make_plan([before], recipe()).upscaled == {3: 1}


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"face_set": {"scale": 0.5}}, "scale: must lie between 1 and 5"),
        ({"face_set": {"size": 7}}, "size: must lie between 8 and 2048"),
        ({"face_set": {"border": "wrap"}}, "choose from shift, edge, reflect, black, drop"),
        ({"upscale": {"model": "../x"}}, "model: a name has letters"),
        ({"upscale": {"below": 5000}}, "below: must lie between 0 and 4096"),
        ({"selection": {"size": 512}, "upscale": {"below": 768}}, "768 pixels are more than selection.size: 512"),
    ],
)
def test_wrong_settings_are_named(given_: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse(given_)


sides = st.integers(8, 2000)


@given(sides, sides, st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1), st.floats(0.01, 1), st.floats(1, 5))
def test_moved_squares_always_lie_inside_and_show_their_face(
    width: int, height: int, x: float, y: float, wide: float, high: float, scale: float
) -> None:
    box = Face(left=x * (1 - wide), top=y * (1 - high), right=x * (1 - wide) + wide, bottom=y * (1 - high) + high)
    crops, reasons = face_crops(
        picture(box, width=width, height=height), FaceSetOptions(enabled=True, scale=scale, least=8)
    )
    assert len(crops) + len(reasons) == 1
    for crop in crops:
        assert crop.left >= 0
        assert crop.top >= 0
        assert crop.left + crop.side <= width
        assert crop.top + crop.side <= height
        assert crop.picture.faces
