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
    result = rows(*given_boxes)
    scores = np.array([random.random() for _ in given_boxes], np.float32)
    remaining = boxes.suppress(result, scores, overlap=0.4, inside=0.75).tolist()
    overlap = boxes.iou(result, result)
    area = boxes.areas(result)
    inside = boxes.intersections(result, result) / np.minimum(area[:, None], area[None, :])
    neighbours = (overlap > 0.4) | (inside > 0.75)
    assert all(not neighbours[a, b] for a in remaining for b in remaining if a != b)
    for row in set(range(len(result))) - set(remaining):
        assert any(neighbours[row, better] and scores[better] >= scores[row] for better in remaining)
    assert scores[remaining].tolist() == sorted(scores[remaining].tolist(), reverse=True)


def test_a_mouth_inside_a_face_is_no_second_face() -> None:
    remaining = boxes.suppress(rows((0, 0, 100, 100), (40, 60, 60, 80)), np.array([0.9, 0.8], np.float32))
    assert remaining.tolist() == [0]


def test_areas_count_inverted_boxes_as_nothing_and_clipped_boxes_end_at_the_rim() -> None:
    assert boxes.areas(rows((0, 0, 0.5, 0.5), (5, 5, 3, 9))).tolist() == [0.25, 0]
    assert boxes.clip(rows((-5, 2, 20, 30)), 10, 12).tolist() == [[0, 2, 10, 12]]


def test_boxes_that_share_half_of_their_area_are_one_face_unless_asked_otherwise() -> None:
    half = rows((0, 0, 100, 100), (0, 33, 100, 133))  # share 67 of 133
    scores = np.array([0.8, 0.9], np.float32)
    assert boxes.suppress(half, scores).tolist() == [1]
    assert boxes.suppress(half, scores, overlap=0.6).tolist() == [1, 0]


def test_boxes_match_from_the_least_overlap_on() -> None:
    assert boxes.match(rows((0, 0, 10, 10)), rows((0, 0, 10, 5)), min_iou=0.5).pairs == ((0, 0),)


@given(LIST, LIST)
def test_matching_uses_each_box_once_and_never_below_the_least_overlap(truth, found) -> None:
    overlap = boxes.iou(rows(*truth), rows(*found))
    matched = boxes.match(rows(*truth), rows(*found), min_iou=0.3)
    assert all(overlap[a, b] >= 0.3 for a, b in matched.pairs)
    assert sorted([a for a, _ in matched.pairs] + list(matched.missed)) == list(range(len(truth)))
    assert sorted([b for _, b in matched.pairs] + list(matched.extra)) == list(range(len(found)))
    assert not any(overlap[a, b] >= 0.3 for a in matched.missed for b in matched.extra)


def test_a_face_found_twice_is_one_hit_and_one_extra() -> None:
    matched = boxes.match(rows((0, 0, 10, 10)), rows((0, 0, 10, 9), (0, 0, 10, 10)), min_iou=0.3)
    assert matched.pairs == ((0, 1),)
    assert matched.extra == (0,)


@given(BOX, st.integers(1, 600), st.integers(1, 600))
def test_relative_boxes_are_shares_of_the_picture(box, width, height) -> None:
    shares = boxes.relative(rows(box), width, height)
    assert np.allclose(shares * (width, height, width, height), rows(box), rtol=1e-5)
