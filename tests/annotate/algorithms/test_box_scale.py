"""Enlarged boxes at the picture's border, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.algorithms.box_scale import Border, enlarge

MIDDLE, CORNER = [40, 40, 60, 60], [0, 70, 20, 90]  # in a picture of 100 x 95


def grown(border, *, scale=1.5, boxes=(MIDDLE, CORNER), size=(100, 95)):
    enlarged, rows = enlarge(np.array(boxes, np.float32), scale, *size, border=border)
    return enlarged.tolist(), rows.tolist()


def test_a_box_grows_about_its_centre() -> None:
    assert grown(Border.CLAMP)[0][0] == [35, 35, 65, 65]


def test_at_the_border_a_box_is_moved_cut_left_out_or_left_alone() -> None:
    # [0, 70, 20, 90] times 1.5 is [-5, 65, 25, 95]: it leaves the picture on the left only.
    assert grown(Border.SHIFT)[0][1] == [0, 65, 30, 95]
    assert grown(Border.CLAMP)[0][1] == [0, 65, 25, 95]
    assert grown(Border.PAD)[0][1] == [-5, 65, 25, 95]
    assert grown(Border.DROP) == ([[35, 35, 65, 65]], [0])


def test_a_box_is_moved_from_the_right_and_the_bottom_too() -> None:
    assert grown(Border.SHIFT, boxes=[[80, 80, 100, 95]])[0] == [[70, 72.5, 100, 95]]


def test_a_box_larger_than_the_picture_becomes_the_picture() -> None:
    assert grown(Border.SHIFT, scale=9)[0] == [[0, 0, 100, 95]] * 2


def test_a_scale_of_one_changes_nothing_and_none_is_refused() -> None:
    assert grown(Border.SHIFT, scale=1)[0] == [MIDDLE, CORNER]
    with pytest.raises(ValueError, match="scale"):
        grown(Border.SHIFT, scale=0)
