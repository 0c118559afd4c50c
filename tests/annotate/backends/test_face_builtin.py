"""The face detector's interface, on a tiny graph whose answers are worked out by hand, and the built-in weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from annotate.algorithms import boxes
from annotate.algorithms.face_pyramid import Detections, Level, confirm, decode, levels, looks, merge, refine
from annotate.backends.boxes.builtin import BuiltinFaces
from annotate.backends.boxes.known_detectors import open_detector
from annotate.backends.contract import FaceDetector
from annotate.backends.model_files import weights
from demo_film.crops import random_scene
from ingest.errors import BadInput
from tests.annotate.face_graph import picture_with, write_graph


@pytest.fixture()
def tiny(tmp_path: Path) -> BuiltinFaces:
    write_graph(tmp_path)
    return BuiltinFaces([tmp_path], name="tiny", device="cpu")


def test_a_red_cell_is_a_face_of_its_own_size(tiny: BuiltinFaces) -> None:
    detections = tiny.detect([picture_with((2, 3))])[0]
    assert np.allclose(detections.boxes, [[16, 24, 24, 32]], atol=1e-4)
    assert detections.scores.tolist() == [1.0]


def test_green_moves_the_box_right_and_blue_moves_it_down(tiny: BuiltinFaces) -> None:
    detections = tiny.detect([picture_with((2, 3), colour=(255, 51, 204))])[0]
    # 51 / 255 = 0.2 cells and 204 / 255 = 0.8 cells of 8 pixels.
    assert np.allclose(detections.boxes, [[17.6, 30.4, 25.6, 38.4]], atol=1e-3)


def test_red_is_the_first_channel(tiny: BuiltinFaces) -> None:
    assert len(tiny.detect([picture_with((2, 3), colour=(0, 0, 255))])[0].boxes) == 0


def test_a_weak_cell_stays_below_the_threshold(tiny: BuiltinFaces) -> None:
    assert len(tiny.detect([picture_with((2, 3), colour=(127, 0, 0))])[0].boxes) == 0
    assert len(tiny.detect([picture_with((2, 3), colour=(128, 0, 0))])[0].boxes) == 1


def test_a_picture_that_is_no_multiple_of_the_step_keeps_its_boxes_inside(tiny: BuiltinFaces) -> None:
    picture = np.zeros((45, 61, 3), np.uint8)
    picture[40:, 56:] = 255
    picture[40:, 56:, 1:] = 0
    detections = tiny.detect([picture])[0]
    # The border is repeated, so the last cells are whole; the box is cut to the picture.
    assert len(detections.boxes)
    assert (detections.boxes <= [61, 45, 61, 45]).all()


def test_the_answer_does_not_depend_on_the_batch(tiny: BuiltinFaces) -> None:
    pictures = [picture_with((1, 1)), picture_with((4, 2), size=(96, 80)), picture_with((3, 3), (6, 1))]
    together = tiny.detect(pictures)
    for picture, answer in zip(pictures, together, strict=True):
        alone = tiny.detect([picture])[0]
        assert np.array_equal(alone.boxes, answer.boxes)
        assert np.array_equal(alone.scores, answer.scores)
    assert tiny.detect([]) == []


def test_a_large_picture_is_seen_at_halving_sizes() -> None:
    pyramid = levels(np.zeros((1080, 1920, 3), np.uint8))
    assert [level.pixels.shape for level in pyramid] == [
        (640, 1120, 3), (320, 560, 3), (160, 288, 3), (80, 144, 3), (48, 80, 3),
    ]  # fmt: skip
    assert pyramid[1].scale_x == pytest.approx(560 / 1920)


def test_a_picture_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        levels(np.zeros((10, 10), np.uint8))


def test_only_the_peak_of_a_hill_is_a_face() -> None:
    heat = np.array([[0.6, 0.7, 0.6], [0.7, 0.9, 0.7], [0.6, 0.7, 0.6]], np.float32)
    shape = np.zeros((3, 3, 3), np.float32)
    shape[2] = np.log(2)
    detections, scores = decode(heat, shape, threshold=0.5, stride=8, unit_side=8)
    assert np.allclose(detections, [[4, 4, 20, 20]])  # centre (12, 12), side 16
    assert np.allclose(scores, [0.9])


def test_a_face_may_be_taller_than_wide() -> None:
    heat = np.zeros((3, 3), np.float32)
    heat[1, 1] = 0.9
    shape = np.zeros((4, 3, 3), np.float32)
    shape[3] = np.log(2)
    detections, _ = decode(heat, shape, threshold=0.5, stride=8, unit_side=8)
    assert np.allclose(detections, [[8, 4, 16, 20]])


def test_the_first_copy_is_as_long_as_is_asked_for() -> None:
    assert levels(np.zeros((720, 1280, 3), np.uint8), longest=800)[0].pixels.shape == (464, 800, 3)  # 450, padded
    assert levels(np.zeros((300, 400, 3), np.uint8), longest=800)[0].scale_x == 1


def test_copies_may_shrink_faster() -> None:
    pyramid = levels(np.zeros((720, 1280, 3), np.uint8), longest=1280, ratio=0.4)
    assert [level.scale_x for level in pyramid] == pytest.approx([1, 512 / 1280, 205 / 1280, 82 / 1280, 33 / 1280])


def test_a_face_seen_at_two_levels_is_one_face() -> None:
    complete = Level(np.zeros((16, 16, 3), np.uint8), 1.0, 1.0)
    half = Level(np.zeros((16, 16, 3), np.uint8), 0.5, 0.5)
    detections = merge(
        [
            (complete, np.array([[10, 10, 30, 30]], np.float32), np.array([0.6], np.float32)),
            (half, np.array([[5, 5, 16, 16]], np.float32), np.array([0.8], np.float32)),
        ],
        100, 100,
    )  # fmt: skip
    assert detections.boxes.tolist() == [[10, 10, 32, 32]]
    assert detections.scores == pytest.approx([0.8])


def test_a_model_opened_by_name_keeps_the_contract(tmp_path: Path) -> None:
    write_graph(tmp_path)
    detector = open_detector("tiny", tmp_path, device="cpu")
    assert isinstance(detector, FaceDetector)
    assert detector.device == "CPU"
    assert (detector.info.name, detector.info.revision, len(detector.info.sha256)) == ("tiny", "1", 64)


def test_the_built_in_weights_have_a_second_name_for_small_faces(tmp_path: Path) -> None:
    usual, small = (open_detector(name, tmp_path, device="cpu") for name in ("builtin", "builtin-small"))
    assert usual.info.sha256 == small.info.sha256
    assert usual.info.name != small.info.name  # results of the one are not taken for the other's


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"These are not the weights you look for. " * 30, "cannot load"), (None, "cannot load")],
)
def test_a_file_that_is_no_onnx_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = write_graph(tmp_path)
    path.write_bytes(path.read_bytes()[:400] if content is None else content)
    with pytest.raises(BadInput, match=reason) as caught:
        BuiltinFaces([tmp_path], name="tiny", device="cpu")
    assert str(path) in str(caught.value)


def test_weights_that_differ_from_their_description_are_refused(tmp_path: Path) -> None:
    path = write_graph(tmp_path)
    path.with_suffix(".json").write_text('{"sha256": "00"}')
    with pytest.raises(BadInput, match="damaged, truncated or of another version"):
        weights.read("tiny", [tmp_path])
    path.with_suffix(".json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        weights.read("tiny", [tmp_path])
    path.with_suffix(".json").write_text('{"threshold": "high"}')
    with pytest.raises(BadInput, match="must be numbers"):
        BuiltinFaces([tmp_path], name="tiny", device="cpu")


@pytest.mark.parametrize("name", ["../tiny", "/etc/passwd", "", ".", "a/b", "a\0b"])
def test_a_model_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="is not a valid model name"):
        weights.find(name, [tmp_path])


def test_a_missing_model_names_the_folders(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"There is no faces9\.onnx in .*KOMA_MODELS_DIR"):
        open_detector("faces9", tmp_path)


def test_a_cascade_is_opened_by_its_name(tmp_path: Path, test_data: Path) -> None:
    (tmp_path / "lbp.xml").write_bytes((test_data / "models" / "lbpcascade_animeface.xml").read_bytes())
    (tmp_path / "bad.xml").write_text("<html>no cascade</html>")
    assert open_detector("lbp", tmp_path).detect([picture_with((2, 3))])[0].boxes.shape == (0, 4)
    with pytest.raises(BadInput, match="cascade"):
        open_detector("bad", tmp_path)


@pytest.fixture(scope="module")
def builtin() -> BuiltinFaces:
    return BuiltinFaces(device="cpu")


def test_the_built_in_weights_are_what_their_card_says(builtin: BuiltinFaces) -> None:
    path = weights.BUILTIN / "faces.onnx"
    assert path.stat().st_size <= 2 << 20
    assert builtin.info.sha256 == weights.sha256_of(path)
    card = (weights.BUILTIN / "README.md").read_text(encoding="utf-8")
    assert builtin.info.sha256[:12] in card


def test_the_built_in_model_finds_drawn_people_and_repeats_itself(builtin: BuiltinFaces) -> None:
    rng = np.random.default_rng(20_001)
    truth = hits = extra = 0
    for _ in range(12):
        picture, faces, _ = random_scene(rng, (640, 360))
        faces = np.array([f for f in faces if f[3] - f[1] >= 24], np.float32).reshape(-1, 4)
        first, second = builtin.detect([picture])[0], builtin.detect([picture])[0]
        assert np.array_equal(first.boxes, second.boxes)
        large = first.boxes[(first.boxes[:, 3] - first.boxes[:, 1]) >= 24]
        matched = boxes.match(faces, large, min_iou=0.3)
        truth, hits, extra = truth + len(faces), hits + len(matched.pairs), extra + len(matched.extra)
    assert truth >= 10
    assert hits >= 0.85 * truth
    assert extra <= 3


def test_a_find_is_looked_at_again_at_three_sizes_round_its_middle() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[80:120, 140:180] = 255
    squares = looks(picture, Detections(np.array([[140, 80, 180, 120]], np.float32), np.array([0.5], np.float32)))
    assert squares.shape == (3, 96, 96, 3)
    for square, side in zip(squares, (48, 56, 64), strict=True):
        assert np.isclose(np.sqrt((square[..., 0] > 127).sum()), side, atol=2)
        assert abs(np.argwhere(square[..., 0] > 127).mean(axis=0) - 47.5).max() <= 1.5


def test_a_look_over_the_border_repeats_it() -> None:
    picture = np.full((20, 30, 3), 70, np.uint8)
    squares = looks(picture, Detections(np.array([[-30, -40, 60, 60]], np.float32), np.array([0.5], np.float32)))
    assert (squares == 70).all()


def test_the_second_looks_count_twice_as_much_as_the_first() -> None:
    detections = Detections(np.array([[0, 0, 9, 9], [20, 0, 29, 9]], np.float32), np.array([0.9, 0.5], np.float32))
    heat = np.zeros((6, 12, 12), np.float32)
    heat[0, 5, 5], heat[1, 4, 7], heat[2, 3, 5] = 0.3, 0.4, 1.0  # the last lies outside the middle
    heat[3:, 6, 6] = 0.7
    remaining = confirm(detections, heat, threshold=0.4)
    assert remaining.boxes.tolist() == [[20, 0, 29, 9], [0, 0, 9, 9]]
    assert np.allclose(remaining.scores, [(0.5 + 2 * 0.7) / 3, (0.9 + 2 * 0.7 / 3) / 3])
    assert confirm(detections, heat, threshold=0.58).boxes.tolist() == [[20, 0, 29, 9]]


def test_another_networks_looks_count_as_much_as_the_first() -> None:
    detections = Detections(np.array([[0, 0, 9, 9]], np.float32), np.array([0.9], np.float32))
    own, other = np.full((3, 12, 12), 0.6, np.float32), np.full((3, 12, 12), 0.3, np.float32)
    assert np.allclose(confirm(detections, own, other, threshold=0.5).scores, [(0.9 + 2 * 0.6 + 0.3) / 4])
    assert len(confirm(detections, own, other, threshold=0.605).boxes) == 0


def test_a_find_that_the_second_network_does_not_confirm_is_dropped(tmp_path: Path) -> None:
    path = write_graph(tmp_path, unit_side=32.0, threshold=0.8)
    write_graph(tmp_path, name="blue", heat_channel=2)
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[32:64, 16:48, 0] = picture[32:64, 96:128, 0] = picture[32:64, 96:128, 2] = 255
    card = json.loads(path.with_suffix(".json").read_text()) | {"second_look": True}
    path.with_suffix(".json").write_text(json.dumps(card))
    alone = BuiltinFaces([tmp_path], name="tiny", device="cpu").detect([picture])[0]
    assert {bool(left > 80) for left in alone.boxes[:, 0]} == {False, True}
    path.with_suffix(".json").write_text(json.dumps(card | {"opinion": "blue"}))
    both = BuiltinFaces([tmp_path], name="tiny", device="cpu").detect([picture])[0]
    assert {bool(left > 80) for left in both.boxes[:, 0]} == {True}


def test_small_faces_may_have_a_threshold_of_their_own(tmp_path: Path) -> None:
    path = write_graph(tmp_path, threshold=0.4)
    card = json.loads(path.with_suffix(".json").read_text())
    assert BuiltinFaces([tmp_path], name="tiny", small_faces=True, device="cpu").threshold == 0.4
    path.with_suffix(".json").write_text(json.dumps(card | {"threshold_small": 0.6}))
    assert BuiltinFaces([tmp_path], name="tiny", small_faces=True, device="cpu").threshold == 0.6
    assert BuiltinFaces([tmp_path], name="tiny", device="cpu").threshold == 0.4
    assert BuiltinFaces([tmp_path], name="tiny", small_faces=True, threshold=0.5, device="cpu").threshold == 0.5


def test_a_second_network_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write_graph(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text()) | {"opinion": "other"}
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(BadInput, match=r"There is no other\.onnx in"):
        BuiltinFaces([tmp_path], name="tiny", device="cpu")


def look_planes(
    found: Detections, picture: np.ndarray, truth: tuple[float, float, float, float]
) -> tuple[np.ndarray, ...]:
    """What a perfect network would answer to the second looks: the true box, seen in the cell of each look's middle."""
    heat, shape = np.zeros((3 * len(found.boxes), 12, 12), np.float32), np.zeros((3 * len(found.boxes), 4, 12, 12))
    for row, square in enumerate(looks(picture, found)):
        inside = np.argwhere(square[..., 0] > 127)
        (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0) + 1
        heat[row, 6, 5] = 0.8
        shape[row, :2, 6, 5] = (left + right) / 16 - 5.5, (top + bottom) / 16 - 6.5
        shape[row, 2:, 6, 5] = np.log((right - left) / 32), np.log((bottom - top) / 32)
    return heat, shape.astype(np.float32)


def test_second_looks_mend_a_box() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[80:120, 140:170] = 255
    wrong = Detections(np.array([[132, 84, 172, 124]], np.float32), np.array([0.0001], np.float32))
    heat, shape = look_planes(wrong, picture, (140, 80, 170, 120))
    mended = refine(wrong, heat, shape, width=300, height=200)
    assert np.allclose(mended.boxes, [[140, 80, 170, 120]], atol=1.5)
    halves = refine(Detections(wrong.boxes, np.array([2.4], np.float32)), heat, shape, width=300, height=200)
    assert np.allclose(halves.boxes, [[136, 82, 171, 122]], atol=1.5)  # the first box weighs as much as three looks


def test_looks_that_see_nothing_leave_a_box_as_it_is() -> None:
    detections = Detections(np.array([[132, 84, 172, 124]], np.float32), np.array([0.6], np.float32))
    blind = np.full((3, 12, 12), 0.1, np.float32), np.zeros((3, 4, 12, 12), np.float32)
    assert np.array_equal(refine(detections, *blind, width=300, height=200).boxes, detections.boxes)


def test_a_box_cut_by_the_border_is_reported_by_the_looks_and_stays_inside() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[80:120, :30] = 255
    detections = Detections(np.array([[0, 80, 20, 130]], np.float32), np.array([9.0], np.float32))
    heat, shape = look_planes(detections, picture, (0, 80, 30, 120))
    mended = refine(detections, heat, shape, width=300, height=200).boxes[0]
    assert mended[0] == 0  # the looks repeat the border, so the face goes on there
    assert np.allclose(mended[1:], [80, 30, 120], atol=2)


def test_small_faces_are_looked_for_in_a_larger_copy(tmp_path: Path) -> None:
    path = write_graph(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text()) | {"longest": 320}
    path.with_suffix(".json").write_text(json.dumps(card))
    picture = np.zeros((720, 1280, 3), np.uint8)
    picture[360:368, 640:648, 0] = 255
    usual = BuiltinFaces([tmp_path], name="tiny", device="cpu")
    small = BuiltinFaces([tmp_path], name="tiny", small_faces=True, device="cpu")
    assert len(usual.detect([picture])[0].boxes) == 0  # an eighth of a cell
    assert np.allclose(small.detect([picture])[0].boxes, [[640, 360, 648, 368]], atol=1e-3)
    assert (usual.info.name, small.info.name) == ("tiny", "tiny-small")
