"""Settling a head crop: where the planes say the face is, averaged over the views, and cut again from there."""

from __future__ import annotations

import numpy as np

from annotate.algorithms import head_place as hp

SIDES = [side for side, _ in hp.VIEWS]


def planes(*faces):
    """One (heat, shape) for each view: faces of (x, y, side) in parts of the unmirrored crop, with a score."""
    built = []
    for side, mirrored in hp.VIEWS:
        cells = side // hp.STRIDE
        heat, shape = np.zeros((cells, cells), np.float32), np.zeros((3, cells, cells), np.float32)
        for x, y, size, score in faces:
            place = (1 - x if mirrored else x) * cells, y * cells
            column, row = int(place[0]), int(place[1])
            heat[row, column] = score
            shape[:, row, column] = place[0] - column - 0.5, place[1] - row - 0.5, np.log(size * side / hp.UNIT_SIDE)
        built.append((heat, shape))
    return built


def test_all_views_agree_on_the_place_also_the_mirrored_one():
    place = hp.place_of(planes((0.41, 0.7, 0.5, 0.9)))
    assert place is not None
    assert np.allclose([place.x, place.y, place.side], [0.41, 0.7, 0.5], atol=1e-5)


def test_a_face_at_the_edge_gives_way_to_a_fainter_one_in_the_middle():
    place = hp.place_of(planes((0.05, 0.2, 0.3, 0.95), (0.52, 0.66, 0.5, 0.5)))
    assert place is not None
    assert abs(place.x - 0.52) < 1e-5


def test_nothing_seen_is_no_place_and_the_whole_crop_stays():
    assert hp.place_of(planes()) is None
    crop = np.random.default_rng(1).integers(0, 256, (150, 160, 3)).astype(np.uint8)
    assert hp.settled(crop, None).shape == (hp.HEAD_SIDE_PX, hp.HEAD_SIDE_PX, 3)


def test_views_have_the_sides_the_network_wants():
    crop = np.zeros((151, 160, 3), np.uint8)
    assert [view.shape for view in hp.views(crop)] == [(1, side, side, 3) for side in SIDES]
    assert all(side % 16 == 0 for side in SIDES)


def test_a_crop_that_is_off_and_too_wide_is_cut_to_where_the_face_is_expected():
    picture = np.zeros((160, 160, 3), np.uint8)
    picture[60:100, 30:70] = 255  # the face: middle (0.3125, 0.5), side 0.25
    head = hp.settled(picture, hp.Place(50 / 160, 80 / 160, 40 / 160))
    rows, columns = np.nonzero(head[:, :, 0] > 127)
    side = hp.HEAD_SIDE_PX
    assert abs(columns.mean() / side - hp.EXPECTED[0]) < 0.03
    assert abs(rows.mean() / side - hp.EXPECTED[1]) < 0.03
    assert 0.5 < (columns.max() - columns.min()) / side < 0.65
