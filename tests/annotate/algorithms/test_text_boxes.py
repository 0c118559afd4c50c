"""Text boxes of heat maps, and what they are for, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.algorithms.text_boxes import read_heat, use_of


def heat_with(*boxes, size=(200, 100), level=0.9):
    heat = np.zeros((size[1], size[0]), np.float32)
    for left, top, right, bottom in boxes:
        heat[top:bottom, left:right] = level
    return heat


def test_a_line_grows_by_its_area_over_its_circumference() -> None:
    # Pixels 50..99 x 40..50: their middles span 49 x 10; 49 * 10 * 2 / (2 * 59) = 8.305 on each side.
    boxes = read_heat(heat_with((50, 40, 100, 51)))
    assert boxes.boxes.tolist() == [[42, 32, 107, 58]]
    assert boxes.scores == pytest.approx([0.9])
    less = read_heat(heat_with((50, 40, 100, 51)), grow=1.0)  # 4.15 on each side
    assert less.boxes.tolist() == [[46, 36, 103, 54]]


def test_boxes_end_at_the_border() -> None:
    assert read_heat(heat_with((0, 0, 200, 12))).boxes.tolist() == [[0, 0, 200, 21]]  # 11 + 10.4, right beyond 200


def test_weak_heat_weak_boxes_and_slivers_are_no_text() -> None:
    assert not len(read_heat(heat_with((50, 40, 100, 50), level=0.29)).boxes)
    assert not len(read_heat(heat_with((50, 40, 100, 50), level=0.69)).boxes)
    assert len(read_heat(heat_with((50, 40, 100, 50), level=0.71)).boxes)
    assert not len(read_heat(heat_with((50, 40, 100, 43))).boxes)  # 2 high between the middles of 3 rows
    assert len(read_heat(heat_with((50, 40, 100, 44))).boxes)


def test_the_mean_heat_counts_not_the_highest() -> None:
    heat = heat_with((50, 40, 100, 50), level=0.5)
    heat[40:50, 50:60] = 1.0
    assert not len(read_heat(heat).boxes)
    assert read_heat(heat, box_min=0.5).scores == pytest.approx([0.6], abs=0.02)


def test_a_turned_line_gets_the_upright_box_round_it() -> None:
    heat = np.zeros((200, 200), np.float32)
    for step in range(100):
        heat[50 + step : 62 + step, 50 + step : 62 + step] = 0.95
    box = read_heat(heat).boxes[0]
    assert box[0] < 50 and box[1] < 50 and box[2] > 160 and box[3] > 160


SUBTITLE = (0.3, 0.85, 0.7, 0.92)


def use(*boxes):
    result = use_of(np.array(boxes, np.float32).reshape(-1, 4))
    return result.subtitled, result.credits


def test_a_wide_line_low_in_the_middle_is_a_subtitle() -> None:
    assert use(SUBTITLE) == (True, False)
    assert use((0.3, 0.5, 0.7, 0.57)) == (False, False)  # too high up
    assert use((0.0, 0.85, 0.15, 0.92)) == (False, False)  # a station's name in the corner
    assert use((0.48, 0.85, 0.52, 0.92)) == (False, False)  # a word on a shirt
    assert use((0.2, 0.7, 0.8, 0.95)) == (False, False)  # a title


def test_many_lines_are_credits_and_then_the_lowest_is_no_subtitle() -> None:
    roll = [(0.4, 0.1 * row, 0.6, 0.1 * row + 0.05) for row in range(1, 7)]
    assert use(*roll[:5]) == (False, False)
    assert use(*roll[:5], SUBTITLE) == (True, False)
    assert use(*roll) == (False, True)
    assert use(*roll, SUBTITLE) == (False, True)


def test_no_text_is_for_nothing() -> None:
    assert use() == (False, False)


def test_the_share_counts_what_lies_under_two_boxes_once() -> None:
    boxes = np.array([[0, 0, 0.5, 0.5], [0.25, 0, 0.75, 0.5]], np.float32)
    assert use_of(boxes).share == pytest.approx(0.375)
