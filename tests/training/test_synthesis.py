"""The training canvases: repeatable, with truth that lies where the faces were put."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.decoys import add_decoy
from training.drawing_scenes import DrawnScenes, draw_scenes
from training.drawn_heads import draw_head
from training.finish import line_art
from training.pasted_faces import CROP_CENTRE, CROP_FACE, shut_eyes, sideways, turned_extent, warp
from training.scenery import scene
from training.synthesis import Material, canvas, read_material

SIDES = (14.0, 80.0)


def test_the_same_seed_gives_the_same_canvas() -> None:
    created = [canvas(np.random.default_rng(5), 128, Material(), sides=SIDES) for _ in range(2)]
    assert np.array_equal(created[0][0], created[1][0])
    assert np.array_equal(created[0][1], created[1][1])


def test_canvases_have_faces_of_the_asked_size_that_can_be_seen() -> None:
    rng = np.random.default_rng(6)
    faces = []
    for _ in range(40):
        picture, truth = canvas(rng, 128, Material(), sides=SIDES)
        assert picture.shape == (128, 128, 3)
        assert picture.dtype == np.uint8
        faces.extend(truth.tolist())
    assert len(faces) > 15
    for x, y, width, height in faces:
        side = (width * height) ** 0.5
        assert 10 <= side <= 1.15 * SIDES[1]
        assert -0.2 * side <= x <= 128 + 0.2 * side
        assert -0.2 * side <= y <= 128 + 0.2 * side


def test_scenery_has_the_asked_size_with_and_without_crops() -> None:
    crops = [np.full((40, 56, 3), 90, np.uint8)]
    rng = np.random.default_rng(7)
    assert {scene(rng, 96, values).shape for values in ([], crops) for _ in range(30)} == {(96, 96, 3)}


def test_a_cut_of_a_drawn_scene_keeps_the_face_where_the_truth_says() -> None:
    picture = np.zeros((360, 480, 3), np.uint8)
    picture[100:140, 200:240] = 255  # the only bright spot is the face
    scenes = DrawnScenes([picture], [np.array([[200, 100, 240, 140]], np.float32)])
    rng = np.random.default_rng(8)
    seen = 0
    for _ in range(30):
        cut, truth = scenes(rng, 128, (20.0, 60.0))
        for x, y, side, height in truth.tolist():
            assert side == pytest.approx(height)
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


def face_crop() -> np.ndarray:
    """An aligned crop: brown hair, a skin-coloured disc, two dark eyes."""
    crop = np.full((64, 64, 3), (90, 60, 40), np.uint8)
    cv2.circle(crop, (32, 34), 20, (250, 220, 200), -1)
    for x in (20, 44):
        cv2.circle(crop, (x, 26), 4, (20, 20, 90), -1)
    return crop


def test_a_turned_face_has_the_upright_box_round_it() -> None:
    assert turned_extent(10, 20, 0) == pytest.approx((10, 20))
    assert turned_extent(10, 20, np.pi / 2) == pytest.approx((20, 10))
    assert turned_extent(10, 10, 0.7) == pytest.approx((10, 10))


def test_a_pasted_face_lies_where_its_box_says() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        crop = np.zeros((64, 64, 3), np.uint8)
        middle = round(CROP_CENTRE[0] * 64), round(CROP_CENTRE[1] * 64)
        cv2.circle(crop, middle, round(CROP_FACE * 32), (255, 255, 255), -1)
        tile, _, (x, y, width, height) = warp(rng, crop, np.ones((64, 64), np.float32), 40.0, tilted=1.0)
        rows, columns = np.nonzero(tile[..., 0] > 127)
        seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        result = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        assert np.abs(np.subtract(seen, result)).max() <= 2


def test_shut_eyes_take_the_dark_discs_away_and_leave_the_chin() -> None:
    crop = face_crop()
    created = shut_eyes(np.random.default_rng(12), crop)
    assert created[22:30, 16:24].mean() > crop[22:30, 16:24].mean() + 30
    assert np.array_equal(created[48:], crop[48:])


def test_a_face_from_the_side_ends_at_its_profile() -> None:
    _, cover = sideways(np.random.default_rng(13), face_crop())
    assert cover[32, 30] == 1
    assert (cover[:, 60:] == 0).all()


def test_line_art_has_no_colour() -> None:
    created = line_art(np.random.default_rng(14), face_crop())
    assert (created[..., 0] == created[..., 1]).all()
    assert (created[..., 0] == created[..., 2]).all()
    assert created.min() < 60 < 200 < created.max()


def test_decoys_change_a_picture_and_label_nothing() -> None:
    rng = np.random.default_rng(15)
    changed = 0
    for _ in range(20):
        picture = np.zeros((96, 96, 3), np.uint8)
        add_decoy(rng, picture, faces=[face_crop()], hard=[np.full((64, 64, 3), 80, np.uint8)], x=48, y=48, side=30)
        changed += bool(picture.any())
    assert changed == 20


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
    with pytest.raises(ValueError, match=r"face/1\.png is not a readable picture"):
        read_material(tmp_path / "bad.zip")
