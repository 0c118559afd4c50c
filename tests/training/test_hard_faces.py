"""Faces of kinds that aligned crops lack, made from such crops."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.hard_faces import matured, shaded, spectacled, two_inks
from training.pasted_faces import CROP_EYES
from training.scenery import Picture
from training.synthesis import quarter_turn

SEEDS = range(12)


def front_face() -> Picture:
    """An aligned crop, uint8 [64, 64, 3]: brown hair, skin, two tall dark eyes."""
    crop = np.full((64, 64, 3), (90, 60, 40), np.uint8)
    cv2.ellipse(crop, (32, 34), (22, 24), 0, 0, 360, (250, 220, 200), -1)
    for x, y in CROP_EYES:
        cv2.ellipse(crop, (round(64 * x), round(64 * y)), (4, 7), 0, 0, 360, (20, 20, 90), -1)
    return crop


def eye_height(crop: Picture) -> int:
    """Rows of the left eye's column, between brow and mouth, that have the eye's blue."""
    column = crop[18:42, round(64 * CROP_EYES[0][0])].astype(int)
    return int((column[:, 2] > column[:, 0] + 20).sum())


def test_a_matured_face_has_narrower_eyes() -> None:
    before = eye_height(front_face())
    heights = [eye_height(matured(np.random.default_rng(seed), front_face())) for seed in SEEDS]
    assert max(heights) < before
    assert min(heights) < 0.6 * before


def test_shade_makes_no_pixel_brighter_and_every_face_darker() -> None:
    for seed in SEEDS:
        dark = shaded(np.random.default_rng(seed), front_face())
        assert (dark <= front_face()).all()
        assert dark.mean() < 0.97 * front_face().mean()


def test_spectacles_change_the_eyes_and_leave_mouth_and_chin() -> None:
    for seed in SEEDS:
        changed = spectacled(np.random.default_rng(seed), front_face())
        assert (changed[16:40] != front_face()[16:40]).any()
        assert np.array_equal(changed[44:], front_face()[44:])


def test_two_inks_leave_colours_on_one_line() -> None:
    for seed in SEEDS:
        printed = two_inks(np.random.default_rng(seed), front_face()).reshape(-1, 3).astype(np.float64)
        spread = np.linalg.svd(printed - printed.mean(axis=0), compute_uv=False)
        assert spread[1] <= 0.05 * spread[0]


def test_a_quarter_turn_takes_the_faces_along() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[10:30, 40:50] = 255
    truth = np.array([[45, 20, 10, 20]], np.float32)
    for _ in range(4):
        picture, truth = quarter_turn(picture, truth)
        rows, columns = np.nonzero(picture[..., 0])
        extent = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        x, y, width, height = truth[0].tolist()
        assert extent == pytest.approx((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
