"""The training canvases: repeatable, with truth that lies where the faces were put."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.drawing_scenes import DrawnScenes, draw_scenes
from training.drawn_heads import draw_head
from training.scenery import scene
from training.synthesis import Material, canvas, read_material

SIDES = (14.0, 80.0)


def test_the_same_seed_gives_the_same_canvas() -> None:
    made = [canvas(np.random.default_rng(5), 128, Material(), sides=SIDES) for _ in range(2)]
    assert np.array_equal(made[0][0], made[1][0])
    assert np.array_equal(made[0][1], made[1][1])


def test_canvases_have_faces_of_the_asked_size_that_can_be_seen() -> None:
    rng = np.random.default_rng(6)
    faces = []
    for _ in range(40):
        picture, truth = canvas(rng, 128, Material(), sides=SIDES)
        assert picture.shape == (128, 128, 3)
        assert picture.dtype == np.uint8
        faces.extend(truth.tolist())
    assert len(faces) > 15
    for x, y, side in faces:
        assert 10 <= side <= SIDES[1]
        assert -0.2 * side <= x <= 128 + 0.2 * side
        assert -0.2 * side <= y <= 128 + 0.2 * side


def test_scenery_has_the_asked_size_with_and_without_crops() -> None:
    crops = [np.full((40, 56, 3), 90, np.uint8)]
    rng = np.random.default_rng(7)
    assert {scene(rng, 96, given).shape for given in ([], crops) for _ in range(30)} == {(96, 96, 3)}


def test_a_cut_of_a_drawn_scene_keeps_the_face_where_the_truth_says() -> None:
    picture = np.zeros((360, 480, 3), np.uint8)
    picture[100:140, 200:240] = 255  # the only bright spot is the face
    scenes = DrawnScenes([picture], [np.array([[200, 100, 240, 140]], np.float32)])
    rng = np.random.default_rng(8)
    seen = 0
    for _ in range(30):
        cut, truth = scenes(rng, 128, (20.0, 60.0))
        for x, y, side in truth.tolist():
            inner = cut[
                max(0, round(y - 0.4 * side)) : round(y + 0.4 * side),
                max(0, round(x - 0.4 * side)) : round(x + 0.4 * side),
            ]
            assert inner.mean() > 220
            seen += 1
    assert seen > 20


def test_other_seeds_draw_other_scenes() -> None:
    first, again, other = (draw_scenes(2, seed=seed, size=(160, 120)) for seed in (1, 1, 2))
    assert np.array_equal(first.pictures[0], again.pictures[0])
    assert not np.array_equal(first.pictures[0], other.pictures[0])


def test_a_head_from_behind_has_no_face() -> None:
    rng = np.random.default_rng(9)
    heads = [draw_head(rng, 32) for _ in range(60)]
    assert any(head.side == 0 for head in heads)
    assert all(28 <= head.side <= 34 for head in heads if head.side)
    assert all(head.alpha.max() == 1 and head.image.shape[0] == head.alpha.shape[0] == 128 for head in heads)


def test_the_archive_is_divided_before_training(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "crops.zip", "w") as packed:
        for kind, count in (("face", 30), ("not_face", 40)):
            for number in range(count):
                picture = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
                packed.writestr(f"{kind}/{number}.png", cv2.imencode(".png", picture)[1].tobytes())
    learn, hold = read_material(tmp_path / "crops.zip")
    assert (len(learn.faces) + len(hold.faces), len(learn.others) + len(hold.others)) == (30, 40)
    assert len(hold.faces) == 3
    assert not {face.tobytes() for face in learn.faces} & {face.tobytes() for face in hold.faces}
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr("face/1.png", b"no picture")
    with pytest.raises(ValueError, match=r"face/1\.png is no readable picture"):
        read_material(tmp_path / "bad.zip")
