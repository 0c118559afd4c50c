"""Tracks through a shot."""

from __future__ import annotations

import numpy as np

from annotate.algorithms.tracks import link

LEFT, RIGHT = (0.1, 0.2, 0.3, 0.5), (0.6, 0.2, 0.8, 0.5)


def track(*faces):
    """Each face: shot, frame, box, one value that says what it looks like."""
    shot, frame, boxes, looks = zip(*faces)
    points = np.array([[value, 0.0] for value in looks], np.float32)
    return link(np.array(shot), np.array(frame), np.array(boxes, np.float32), points).tolist()


def test_faces_that_stay_in_place_are_one_track_each():
    assert track((0, 1, LEFT, 0.0), (0, 1, RIGHT, 5.0), (0, 2, LEFT, 0.3), (0, 2, RIGHT, 5.3)) == [0, 1, 0, 1]


def test_a_cut_ends_a_track():
    assert track((0, 1, LEFT, 0.0), (1, 2, LEFT, 0.0)) == [0, 1]
    assert track((-1, 1, LEFT, 0.0), (-1, 2, LEFT, 0.0)) == [0, 1]


def test_another_person_in_the_same_place_is_another_track():
    assert track((0, 1, LEFT, 0.0), (0, 2, LEFT, 4.0)) == [0, 1]


def test_a_face_that_moved_must_look_the_same():
    assert track((0, 1, LEFT, 0.0), (0, 2, RIGHT, 0.2)) == [0, 0]
    assert track((0, 1, LEFT, 0.0), (0, 2, RIGHT, 1.0)) == [0, 1]


def test_a_face_missed_once_goes_on():
    assert track((0, 1, LEFT, 0.0), (0, 1, RIGHT, 5.0), (0, 2, RIGHT, 5.0), (0, 3, LEFT, 0.1)) == [0, 1, 1, 0]


def test_two_faces_of_a_frame_are_never_one():
    assert track((0, 1, LEFT, 0.0), (0, 2, LEFT, 0.1), (0, 2, RIGHT, 0.1)) == [0, 0, 1]
