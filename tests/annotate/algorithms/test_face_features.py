"""Descriptions of heads: same person near, other person far; light, size, borders and storage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.algorithms import face_features as ff
from tests.annotate.people import ANNA, BETH, add_head, scenery


def portrait(looks, *, seed=0, face=0.4, width=480, height=270, x=0.5):
    picture = scenery(width, height, seed=seed)
    left, top, right, bottom = add_head(picture, looks, x=x, y=0.5, face=face, seed=seed)
    return picture, (left * width, top * height, right * width, bottom * height)


def distance(a, b):
    return float(np.linalg.norm(a - b))


def test_the_same_person_is_nearer_than_another_whatever_the_background_and_size():
    anna = ff.describe_face(*portrait(ANNA, seed=1))
    other_anna = ff.describe_face(*portrait(ANNA, seed=2, face=0.2))
    beth = ff.describe_face(*portrait(BETH, seed=1))
    assert anna.shape == (ff.FEATURES,)
    assert anna.dtype == np.float32
    assert 1.5 * distance(anna, other_anna) < distance(anna, beth)


def test_a_night_light_moves_a_face_less_than_another_person_does():
    picture, box = portrait(ANNA, seed=1)
    night = (picture * np.array([0.62, 0.68, 0.95])).astype(np.uint8)
    beth = ff.describe_face(*portrait(BETH, seed=1))
    day = ff.describe_face(picture, box)
    assert 1.5 * distance(day, ff.describe_face(night, box)) < distance(day, beth)


def test_white_light_leaves_a_white_head_and_survives_a_black_one():
    white = np.full((64, 64, 3), 245, np.uint8)
    assert np.abs(ff.in_white_light(white) - 245).max() < 1
    assert ff.in_white_light(np.zeros((64, 64, 3), np.uint8)).max() == 0


def test_the_mirrored_head_has_the_same_description():
    picture, box = portrait(BETH, seed=3)
    head = ff.cut_head(picture, box)
    forward = ff.describe_head(head)
    back = ff.describe_head(np.ascontiguousarray(head[:, ::-1]))
    assert np.allclose(forward, back, atol=0.02)
    assert np.linalg.norm(forward) == pytest.approx(np.sqrt(len(ff.REGIONS)), rel=0.05)


@given(
    st.tuples(*[st.floats(-50, 250)] * 2), st.tuples(*[st.floats(1, 400)] * 2), st.integers(1, 200), st.integers(1, 200)
)
@settings(max_examples=60, deadline=None)
def test_any_box_on_any_picture_gives_a_whole_crop(corner, extent, width, height):
    picture = np.full((height, width, 3), 77, np.uint8)
    box = (corner[0], corner[1], corner[0] + extent[0], corner[1] + extent[1])
    head = ff.cut_head(picture, box)
    assert head.shape == (64, 64, 3)
    assert (head == 77).all()


def test_packing_keeps_what_tells_people_apart():
    rows = np.stack([ff.describe_face(*portrait(ANNA, seed=1)), ff.describe_face(*portrait(BETH, seed=2))])
    stored = [ff.pack(row) for row in rows]
    assert [len(data) for data in stored] == [ff.FEATURES] * 2
    assert np.abs(ff.unpack(stored) - rows).max() <= 0.75 / 255 + 1e-6
    with pytest.raises(ValueError, match="3 values"):
        ff.unpack([b"abc"])
