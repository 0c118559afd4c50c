"""Boxes from the numbers of YOLO networks, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.algorithms.yolo_answers import Form, form_of, into_picture, read, suppress

SQUARE = (100, 100)


def found(rows, form, *, classes=1, fed=SQUARE, size=SQUARE, threshold=0.25, overlap=0.7):
    table = np.array(rows, np.float32)
    answer = read(
        table.T.copy() if form == Form.PLANES else table, form, classes=classes, threshold=threshold, overlap=overlap,
        fed=fed, size=size,
    )  # fmt: skip
    return answer.boxes.tolist(), [round(float(score), 3) for score in answer.scores], answer.labels.tolist()


def test_centre_and_size_become_corners_and_the_best_class_names_the_box() -> None:
    assert found([[50, 40, 20, 10, 0.1, 0.9]], Form.PLANES, classes=2) == ([[40, 35, 60, 45]], [0.9], [1])


def test_a_score_must_be_greater_than_the_threshold() -> None:
    rows = [[20, 20, 10, 10, 0.25], [60, 60, 10, 10, 0.375]]
    assert found(rows, Form.PLANES)[1] == [0.375]


def test_boxes_follow_the_two_sides_each_by_its_own_stretch() -> None:
    boxes, _, _ = found([[50, 50, 20, 20, 1]], Form.PLANES, fed=(100, 100), size=(200, 50))
    assert boxes == [[80, 20, 120, 30]]


def test_boxes_are_cut_at_the_border_and_rounded_half_to_even() -> None:
    placed = into_picture(np.array([[-5, 2.5, 103, 3.5]], np.float32), SQUARE, SQUARE)
    assert placed.tolist() == [[0, 2, 100, 4]]


def test_the_overlap_counts_whole_pixels() -> None:
    # 10 x 10 and 10 x 10 moved by 2 to the right: as pixels 11 x 11 = 121 each, shared 9 x 11 = 99,
    # 99 / (121 + 121 - 99) = 0.6923; without the +1 it were 80 / 120 = 0.6667.
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert suppress(boxes, scores, overlap=0.68).tolist() == [0]
    assert suppress(boxes, scores, overlap=0.70).tolist() == [0, 1]


def test_an_overlap_of_just_the_limit_stays() -> None:
    # 1 x 1 pixels beside each other: [0, 0, 1, 0] is 2 x 1 pixels, [0, 0, 0, 0] one of them: IoU 1 / 2.
    boxes = np.array([[0, 0, 1, 0], [0, 0, 0, 0]], np.float32)
    assert suppress(boxes, np.array([0.9, 0.8], np.float32), overlap=0.5).tolist() == [0, 1]


def test_of_equal_scores_the_later_row_wins() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    assert suppress(boxes, np.array([0.5, 0.5, 0.5], np.float32), overlap=0.7).tolist() == [2, 1]


def test_classes_suppress_one_another() -> None:
    rows = [[50, 50, 20, 20, 0.6, 0.0], [50, 50, 20, 20, 0.0, 0.8]]
    assert found(rows, Form.PLANES, classes=2) == ([[40, 40, 60, 60]], [0.8], [1])


def test_rows_come_as_corners_and_their_overlap_is_always_seven_tenths() -> None:
    # 21 x 21 pixels each, the second moved by 4: 17 x 21 / (2 * 441 - 357) = 0.68, so it stays; the third goes.
    rows = [[10, 10, 30, 30, 0.9, 1], [14, 10, 34, 30, 0.5, 0], [10, 10, 30, 30, 0.4, 0], [0, 0, 5, 5, 0.1, 0]]
    boxes, scores, labels = found(rows, Form.ROWS, classes=2, overlap=0.1)
    assert (boxes, scores, labels) == ([[10, 10, 30, 30], [14, 10, 34, 30]], [0.9, 0.5], [1, 0])


def test_relative_rows_are_parts_of_the_fed_picture() -> None:
    boxes, _, _ = found([[0.5, 0.5, 0.2, 0.4, 0.9]], Form.RELATIVE, fed=(640, 640), size=(200, 100))
    assert boxes == [[80, 30, 120, 70]]
    separate = [[0.2, 0.2, 0.1, 0.1, 0.9], [0.4, 0.2, 0.1, 0.1, 0.8]]  # they touch nowhere: both stay
    assert len(found(separate, Form.RELATIVE, fed=(640, 640))[0]) == 2


def test_forms_are_distinguished_by_the_last_side_and_what_the_model_says() -> None:
    assert form_of((300, 6), rtdetr=False) == Form.ROWS
    assert form_of((5, 8400), rtdetr=False) == Form.PLANES
    assert form_of((300, 6), rtdetr=True) == Form.RELATIVE


def test_numbers_that_are_none_and_classes_that_do_not_exist_never_become_boxes() -> None:
    assert found([[np.nan, 0, 1, 1, 0.9], [5, 5, 2, 2, np.nan]], Form.PLANES) == ([], [], [])
    with pytest.raises(ValueError, match="class 3"):
        found([[0, 0, 5, 5, 0.9, 3]], Form.ROWS)
    with pytest.raises(ValueError, match="numbers a box"):
        found([[0, 0, 5, 5, 0.9, 0.1, 0.1]], Form.PLANES, classes=2)


def test_nothing_found_is_an_empty_answer() -> None:
    assert found([[5, 5, 2, 2, 0.0]], Form.PLANES) == ([], [], [])
