"""Overlap, suppression, matching and squares, against their definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms import boxes

LENGTH = st.integers(1, 200)
BOX = st.builds(
    lambda x, y, w, h: (float(x), float(y), float(x + w), float(y + h)),
    st.integers(0, 300), st.integers(0, 300), LENGTH, LENGTH,
)  # fmt: skip
LIST = st.lists(BOX, max_size=8)


def rows(*given_boxes):
    return np.array(given_boxes, np.float32).reshape(-1, 4)


def test_iou_of_two_known_boxes() -> None:
    # 10x10 each, sharing 5x10: 50 / 150.
    assert np.isclose(boxes.iou(rows((0, 0, 10, 10)), rows((5, 0, 15, 10)))[0, 0], 1 / 3)
    assert boxes.iou(rows((0, 0, 10, 10)), rows((10, 0, 20, 10)))[0, 0] == 0
    assert boxes.iou(rows((3, 3, 3, 3)), rows((3, 3, 3, 3)))[0, 0] == 0


@given(LIST, LIST)
def test_iou_lies_between_0_and_1_and_does_not_care_for_order(first, second) -> None:
    forward = boxes.iou(rows(*first), rows(*second))
    assert forward.shape == (len(first), len(second))
    assert ((forward >= 0) & (forward <= 1)).all()
    assert np.allclose(forward, boxes.iou(rows(*second), rows(*first)).T)


@given(BOX)
def test_a_box_covers_itself_whole(box) -> None:
    assert np.isclose(boxes.iou(rows(box), rows(box))[0, 0], 1)


@given(LIST, st.randoms(use_true_random=False))
def test_what_suppression_keeps_is_apart_and_what_it_drops_has_a_better_neighbour(given_boxes, random) -> None:
    found = rows(*given_boxes)
    scores = np.array([random.random() for _ in given_boxes], np.float32)
    kept = boxes.suppress(found, scores, overlap=0.4, inside=0.75).tolist()
    overlap = boxes.iou(found, found)
    area = boxes.areas(found)
    inside = boxes.intersections(found, found) / np.minimum(area[:, None], area[None, :])
    near = (overlap > 0.4) | (inside > 0.75)
    assert all(not near[a, b] for a in kept for b in kept if a != b)
    for row in set(range(len(found))) - set(kept):
        assert any(near[row, better] and scores[better] >= scores[row] for better in kept)
    assert scores[kept].tolist() == sorted(scores[kept].tolist(), reverse=True)


def test_a_mouth_inside_a_face_is_no_second_face() -> None:
    kept = boxes.suppress(rows((0, 0, 100, 100), (40, 60, 60, 80)), np.array([0.9, 0.8], np.float32))
    assert kept.tolist() == [0]


@given(LIST, LIST)
def test_matching_uses_each_box_once_and_never_below_the_least_overlap(truth, found) -> None:
    overlap = boxes.iou(rows(*truth), rows(*found))
    matched = boxes.match(rows(*truth), rows(*found), least=0.3)
    assert all(overlap[a, b] >= 0.3 for a, b in matched.pairs)
    assert sorted([a for a, _ in matched.pairs] + list(matched.missed)) == list(range(len(truth)))
    assert sorted([b for _, b in matched.pairs] + list(matched.extra)) == list(range(len(found)))
    assert not any(overlap[a, b] >= 0.3 for a in matched.missed for b in matched.extra)


def test_a_face_found_twice_is_one_hit_and_one_extra() -> None:
    matched = boxes.match(rows((0, 0, 10, 10)), rows((0, 0, 10, 9), (0, 0, 10, 10)), least=0.3)
    assert matched.pairs == ((0, 1),)
    assert matched.extra == (0,)


@given(BOX, st.integers(1, 600), st.integers(1, 600))
def test_relative_boxes_come_back_to_pixels(box, width, height) -> None:
    again = boxes.in_pixels(boxes.relative(rows(box), width, height), width, height)
    assert np.allclose(again, rows(box), rtol=1e-5)


@given(BOX, st.integers(1, 600), st.integers(1, 600))
def test_a_head_square_lies_inside_the_picture_unless_it_is_padded(box, width, height) -> None:
    square = boxes.head_square(box, width, height)
    if square.padded:
        assert max(box[2] - box[0], box[3] - box[1]) > min(width, height)
        assert square.side == max(width, height)
    else:
        assert 0 <= square.left <= width - square.side
        assert 0 <= square.top <= height - square.side
    assert boxes.cut(np.zeros((height, width, 3), np.uint8), square).shape == (square.side, square.side, 3)


def test_a_head_square_follows_the_formula() -> None:
    # Face 40 wide and 50 high at (100, 100): side 1.5 * 50, centred on x = 120, top 25 above the face.
    assert boxes.head_square((100, 100, 140, 150), 640, 480) == boxes.Square(round(120 - 37.5), 75, 75)


def test_a_padded_cut_is_black_beside_the_picture() -> None:
    picture = np.full((4, 10, 3), 200, np.uint8)
    made = boxes.cut(picture, boxes.head_square((0, 0, 9, 4), 10, 4))
    assert made.shape == (10, 10, 3)
    assert (made[3:7] == 200).all()
    assert (made[:3] == 0).all()
    assert (made[7:] == 0).all()
