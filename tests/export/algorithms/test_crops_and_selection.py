"""Square crops round faces with their own face boxes, and which pictures go out at which size."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.algorithms.crops import CropOptions, crops_of
from export.algorithms.rows import Face, Picture, people_from_tags
from export.algorithms.selection import (
    NO_FACE,
    TOO_FEW,
    TOO_MANY,
    WRONG_EPISODE,
    WRONG_TYPE,
    Selection,
    reason_left_out,
    written_size,
)


def picture(*faces: Face, width: int = 1280, height: int = 720, tags: tuple[str, ...] = ()) -> Picture:
    return Picture(key="k", stem="x", file="f", width=width, height=height, faces=faces, tags=tags)


def face(left: float, top: float, right: float, bottom: float, name: str = "") -> Face:
    return Face(left=left, top=top, right=right, bottom=bottom, character=name)


ON = CropOptions(enabled=True)


def test_a_landscape_crop_is_centred_on_the_face_and_clamped() -> None:
    crops = list(crops_of(picture(face(0.6, 0.4, 0.7, 0.6, "Mai"), face(0.0, 0.4, 0.1, 0.6, "Ena")), ON))

    assert [(crop.left, crop.top, crop.side) for crop in crops] == [(472, 0, 720), (0, 0, 720)]
    assert [crop.picture.names for crop in crops] == [("Mai",), ("Ena",)]
    assert [crop.picture.stem for crop in crops] == ["x_1", "x_2"]
    moved = crops[0].picture.faces[0]
    assert moved.left == pytest.approx((768 - 472) / 720)
    assert crops[0].picture.face_height_ratio == pytest.approx(0.2)


def test_a_portrait_crop_leaves_room_above_the_head_and_measures_the_face_by_its_own_size() -> None:
    crop = next(crops_of(picture(face(0.25, 0.5, 0.75, 0.7), width=400, height=1000), ON))

    assert (crop.left, crop.top, crop.side) == (0, 400, 400)
    assert crop.picture.face_height_ratio == pytest.approx(200 / 400)
    assert crop.picture.cropped


def test_a_face_belongs_to_a_crop_when_its_middle_fifth_lies_within() -> None:
    # The square of the first face reaches from x 280 to 1000; the second face has its centre at 999 and at 980.
    first = face(0.4, 0.4, 0.6, 0.6, "A")
    outside = picture(first, face(0.75, 0.4, 999 * 2 / 1280 - 0.75, 0.6, "B"))
    inside = picture(first, face(0.75, 0.4, 980 * 2 / 1280 - 0.75, 0.6, "B"))

    assert next(crops_of(outside, ON)).picture.names == ("A",)
    assert next(crops_of(inside, ON)).picture.names == ("A", "B")


def test_too_large_a_face_is_padded_to_a_square_or_skipped() -> None:
    large = picture(face(0.2, 0.0, 0.8, 1.0))

    crop = next(crops_of(large, ON))
    assert (crop.left, crop.top, crop.side) == (0, -280, 1280)
    assert crop.picture.face_height_ratio == pytest.approx(720 / 1280)
    assert list(crops_of(large, CropOptions(enabled=True, pad=False))) == []


def test_square_pictures_and_switched_off_crops_give_none() -> None:
    assert list(crops_of(picture(face(0.4, 0.4, 0.5, 0.5), width=500, height=500), ON)) == []
    assert list(crops_of(picture(face(0.4, 0.4, 0.5, 0.5)), CropOptions())) == []


def test_a_close_crop_takes_its_size_from_the_face() -> None:
    crop = next(crops_of(picture(face(0.5, 0.5, 0.6, 0.7)), CropOptions(enabled=True, around=2.0)))

    assert crop.side == 288
    assert crop.picture.face_height_ratio == pytest.approx(0.5)


def test_tags_that_count_people_do_not_follow_into_a_crop_with_fewer_faces() -> None:
    two = picture(face(0.1, 0.4, 0.2, 0.6), face(0.8, 0.4, 0.9, 0.6), tags=("2girls", "multiple_girls", "smile"))

    assert next(crops_of(two, ON)).picture.tags == ("smile",)


@given(
    st.integers(8, 3000),
    st.integers(8, 3000),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=5),
    st.sampled_from([None, 1.0, 1.5, 3.0]),
)
def test_crops_are_squares_with_faces_inside(
    width: int, height: int, boxes: list[tuple[float, float, float, float]], around: float | None
) -> None:
    faces = [face(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in boxes]

    for crop in crops_of(picture(*faces, width=width, height=height), CropOptions(enabled=True, around=around)):
        assert 0 <= crop.side <= max(width, height)
        if crop.left >= 0 and crop.top >= 0:
            assert crop.left + crop.side <= width
            assert crop.top + crop.side <= height
        for box in crop.picture.faces:
            assert 0 <= box.left <= box.right <= 1
            assert 0 <= box.top <= box.bottom <= 1


def test_pictures_without_a_face_stay_out_by_default_with_a_reason() -> None:
    single, three = picture(face(0, 0, 1, 1)), picture(*[face(0, 0, 0.1, 0.1)] * 3)

    assert reason_left_out(picture(), Selection()) == NO_FACE
    assert reason_left_out(picture(), Selection(min_faces=2)) == TOO_FEW
    assert reason_left_out(picture(), Selection(min_faces=0)) is None
    assert reason_left_out(single, Selection()) is None
    assert reason_left_out(three, Selection(max_faces=2)) == TOO_MANY


def test_pictures_of_other_types_and_episodes_stay_out_with_a_reason() -> None:
    row = picture(face(0, 0, 1, 1))  # a screenshot of no episode

    assert reason_left_out(row, Selection(image_types=("fanart",))) == WRONG_TYPE
    assert reason_left_out(row, Selection(image_types=("fanart", "screenshots"))) is None
    assert reason_left_out(row, Selection(episodes=("S2EP04",))) == WRONG_EPISODE
    assert reason_left_out(replace(row, episode="S2EP04"), Selection(episodes=("S2EP03", "S2EP04"))) is None


def test_the_numbers_of_faces_include_their_limits() -> None:
    two = picture(*[face(0, 0, 0.1, 0.1)] * 2)

    assert reason_left_out(two, Selection(min_faces=2, max_faces=2)) is None
    assert reason_left_out(two, Selection(min_faces=3)) == TOO_FEW
    assert reason_left_out(two, Selection(min_faces=0, max_faces=1)) == TOO_MANY


@pytest.mark.parametrize(
    ("wrong", "field"), [({"min_faces": -1}, "min_faces"), ({"max_faces": 0}, "max_faces"), ({"size": 640}, "size")]
)
def test_senseless_selections_are_refused(wrong: dict[str, int], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        Selection(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        (0, "shortest", (1920, 1080)),
        (512, "shortest", (910, 512)),
        (1024, "longest", (1024, 576)),
        (768, "longest", (768, 432)),
        (1024, "shortest", (1820, 1024)),
    ],
)
def test_sizes_bound_the_chosen_side(size: int, side: str, expected: tuple[int, int]) -> None:
    assert written_size(1920, 1080, Selection(size=size, side=side)) == expected  # type: ignore[arg-type]


def test_a_long_strip_keeps_one_pixel_of_its_short_side() -> None:
    assert written_size(9000, 1, Selection(size=512, side="longest")) == (512, 1)
    assert written_size(1, 9000, Selection(size=512, side="longest")) == (1, 512)


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([0, 512, 768, 1024]), st.booleans())
def test_nothing_is_ever_enlarged(width: int, height: int, size: int, longest: bool) -> None:
    enlarged = written_size(width, height, Selection(size=size, side="longest" if longest else "shortest"))

    assert 1 <= enlarged[0] <= width
    assert 1 <= enlarged[1] <= height


@pytest.mark.parametrize(
    ("tags", "people"),
    [
        (("1girl", "solo"), 1),
        (("2girls", "1boy"), 3),
        (("6+girls", "2boys"), 8),
        (("21girls_something",), None),
        (("no_humans",), 0),
        (("1girl", "3girls"), 3),
    ],
)
def test_people_are_counted_by_whole_tags(tags: tuple[str, ...], people: int | None) -> None:
    assert people_from_tags(tags) == people
