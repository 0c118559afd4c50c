"""The built-in face detector on drawn people in difficult views: profile, leaning, grey, eyes shut, very small."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.algorithms import boxes
from annotate.backends.boxes.builtin import BuiltinFaces
from demo_film.backgrounds import random_background
from demo_film.canvas import Canvas
from demo_film.cast import Pose, random_appearance, random_pose
from demo_film.characters import draw_person

SIZE = (1280, 720)


def crowd(
    rng: np.random.Generator, unit: float, *, yaw: tuple[float, float] = (0, 40), tilt: float = 0.0, eyes: float = 1.0
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Five people side by side whose skulls have a radius of `unit` pixels, and the boxes of their faces."""
    canvas = Canvas(random_background(rng, SIZE))
    collected = []
    for place in range(5):
        side = 1 if rng.random() < 0.5 else -1
        pose: Pose = replace(
            random_pose(rng, back_views=False),
            yaw=side * float(rng.uniform(*yaw)),
            tilt=float(rng.choice([-1, 1])) * tilt,
            eyes=eyes,
            smiling_eyes=False,
        )
        position = (0.1 + 0.2 * place) * SIZE[0], float(rng.uniform(0.3, 0.6)) * SIZE[1]
        drawn = draw_person(canvas, random_appearance(rng), pose, x=position[0], y=position[1], unit=unit)
        assert drawn.face is not None
        collected.append(drawn.face)
    return canvas.finish(), np.array(collected, np.float32)


def close_up(rng: np.random.Generator, unit: float) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One person in a square picture, from the front, and the box of the face as far as the picture reaches."""
    side = SIZE[1]
    canvas = Canvas(random_background(rng, (side, side)))
    pose = replace(random_pose(rng, back_views=False), yaw=float(rng.uniform(-30, 30)), tilt=0.0, eyes=1.0)
    drawn = draw_person(canvas, random_appearance(rng), pose, x=side / 2, y=0.42 * side, unit=unit)
    assert drawn.face is not None
    return canvas.finish(), boxes.clip(np.array([drawn.face], np.float32), side, side)


def share_found(detector: BuiltinFaces, seed: int, *, grey: bool = False, **how: float | tuple[float, float]) -> float:
    rng = np.random.default_rng(seed)
    hits = faces = 0
    for _ in range(6):
        picture, truth = crowd(rng, **how)  # type: ignore[arg-type]
        if grey:
            picture = np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
        detections = detector.detect([picture])[0]
        hits += len(boxes.match(truth, detections.boxes, min_iou=0.4).pairs)
        faces += len(truth)
    return hits / faces


@pytest.fixture(scope="module")
def usual() -> BuiltinFaces:
    return BuiltinFaces(device="cpu", threads=1)


@pytest.fixture(scope="module")
def small() -> BuiltinFaces:
    return BuiltinFaces(small_faces=True, device="cpu", threads=1)


def test_faces_in_full_profile_are_found(usual: BuiltinFaces) -> None:
    assert share_found(usual, 31, unit=50, yaw=(78, 95)) >= 0.9


def test_faces_in_profile_with_closed_eyes_are_found(usual: BuiltinFaces) -> None:
    assert share_found(usual, 32, unit=50, yaw=(78, 95), eyes=0.0) >= 0.9


def test_faces_that_lean_by_45_degrees_are_found(usual: BuiltinFaces) -> None:
    assert share_found(usual, 33, unit=45, tilt=45) >= 0.9


def test_faces_that_lean_by_75_degrees_are_found(usual: BuiltinFaces) -> None:
    assert share_found(usual, 35, unit=45, tilt=75) >= 0.95


def test_grey_faces_are_found(usual: BuiltinFaces) -> None:
    assert share_found(usual, 34, grey=True, unit=45) >= 0.9


def test_faces_of_32_pixels_are_found(usual: BuiltinFaces) -> None:
    assert share_found(usual, 35, unit=20) >= 0.9  # a face is 1.6 times as high


def test_faces_of_18_pixels_are_found_by_the_setting_for_small_ones(small: BuiltinFaces) -> None:
    assert share_found(small, 36, unit=11) >= 0.85


@pytest.mark.parametrize(("unit", "height"), [(320, 0.7), (380, 0.83)])
def test_a_face_over_most_of_a_square_picture_is_found(usual: BuiltinFaces, unit: int, height: float) -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(10):
        picture, truth = close_up(rng, unit)
        assert (truth[0, 3] - truth[0, 1]) / SIZE[1] == pytest.approx(height, abs=0.05)
        hits += len(boxes.match(truth, usual.detect([picture])[0].boxes, min_iou=0.5).pairs)
    assert hits >= 9
