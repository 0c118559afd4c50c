"""The YOLO family's adapter on tiny graphs: what is fed, what is read, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from annotate.backends.boxes.known_detectors import open_detector
from annotate.backends.boxes.yolo import YoloBoxes, kind_of
from annotate.backends.model_files import registry
from ingest.errors import BadInput
from tests.annotate.onnx_graphs import red, write_yolo

ONE = np.array([[320, 160, 64, 32, 0.9]] * 8, np.float32).T.copy()  # [5, 8]: the same box eight times


def test_a_picture_is_stretched_to_imgsz_and_its_boxes_come_back_in_its_pixels(tmp_path: Path) -> None:
    write_yolo(tmp_path / "face_detect_v1.4_s", ONE, imgsz="[320, 640]")
    model = YoloBoxes(tmp_path / "face_detect_v1.4_s", device="cpu")
    fitted = model.fit(red(1280, 720))
    assert fitted.shape == (320, 640, 3)
    boxes = model.answer(fitted[None], [(1280, 720)])[0]
    # x 288..352 of 640 -> 576..704 of 1280; y 144..176 of 320 -> 324..396 of 720.
    assert boxes.boxes.tolist() == [[576, 324, 704, 396]]
    assert boxes.scores == pytest.approx([0.9]) and boxes.labels.tolist() == [0]
    assert (model.threshold, model.overlap) == (0.25, 0.7)


def test_without_imgsz_the_side_is_640(tmp_path: Path) -> None:
    write_yolo(tmp_path / "m", ONE, imgsz=None)
    assert YoloBoxes(tmp_path / "m", device="cpu").fit(red(10, 10)).shape == (640, 640, 3)


def test_dynamic_pictures_are_shrunk_and_their_sides_go_up_to_32(tmp_path: Path) -> None:
    write_yolo(tmp_path / "m", ONE)
    model = YoloBoxes(tmp_path / "m", dynamic=True, device="cpu")
    assert model.fit(red(1280, 720)).shape == (384, 640, 3)  # 360 -> 384
    assert model.fit(red(1280, 705)).shape == (384, 640, 3)  # 352.5 -> 384: rounded up before, not after
    assert model.fit(red(1280, 704)).shape == (352, 640, 3)
    assert model.fit(red(100, 50)).shape == (64, 128, 3)  # never enlarged by more than its multiple
    boxes = model.answer(model.fit(red(1280, 768))[None], [(1280, 768)])[0]
    assert boxes.boxes.tolist() == [[576, 288, 704, 352]]  # 640 x 384 -> twice
    assert model.info.revision == "dynamic"


def test_red_is_the_first_channel_of_the_tensor_and_bytes_are_parts_of_one(tmp_path: Path) -> None:
    write_yolo(tmp_path / "m", ONE)
    model = YoloBoxes(tmp_path / "m", device="cpu")
    blue = red(64, 64)[:, :, ::-1].copy()
    half = (red(64, 64) // 2).astype(np.uint8)  # 127 / 255 = 0.498
    assert len(model.detect([blue])[0].boxes) == 0
    assert model.detect([half])[0].scores == pytest.approx([0.9 * 127 / 255], abs=1e-5)


def test_pictures_of_several_sizes_are_answered_in_their_order(tmp_path: Path) -> None:
    write_yolo(tmp_path / "m", ONE)
    model = YoloBoxes(tmp_path / "m", dynamic=True, device="cpu")
    boxes = model.detect([red(640, 320), np.zeros((64, 64, 3), np.uint8), red(640, 384), red(640, 320)])
    assert [len(answer.boxes) for answer in boxes] == [1, 0, 1, 1]
    assert boxes[0].boxes.tolist() == boxes[3].boxes.tolist() == [[288, 144, 352, 176]]


def test_a_graph_for_one_picture_gets_one_at_a_time(tmp_path: Path) -> None:
    write_yolo(tmp_path / "m", ONE, batch=1, sides=(640, 640))
    model = YoloBoxes(tmp_path / "m", device="cpu")
    assert [len(item.boxes) for item in model.detect([red(64, 64), red(32, 64)])] == [1, 1]
    with pytest.raises(BadInput, match="640 x 640 pixels only"):
        YoloBoxes(tmp_path / "m", dynamic=True, device="cpu")


def test_yolo10_and_rt_detr_are_read_in_their_own_forms(tmp_path: Path) -> None:
    write_yolo(tmp_path / "ten", np.array([[64, 64, 128, 192, 0.8, 1]] * 3, np.float32), names="{0: 'a', 1: 'b'}")
    ten = YoloBoxes(tmp_path / "ten", device="cpu").detect([red(1280, 640)])[0]
    assert ten.boxes.tolist() == [[128, 64, 256, 192]]
    write_yolo(tmp_path / "detr", np.array([[0.5, 0.5, 0.1, 0.2, 0.8]] * 9, np.float32))
    (tmp_path / "detr" / "model_type.json").write_text(json.dumps({"model_type": "rtdetr"}))
    detr = YoloBoxes(tmp_path / "detr", device="cpu").detect([red(1000, 500)])[0]
    assert detr.boxes.tolist() == [[450, 200, 550, 300]]


@pytest.mark.parametrize(
    ("name", "threshold", "overlap"),
    [
        ("face_detect_v1.4_s", 0.25, 0.7), ("head_detect_v2.0_s", 0.4, 0.7), ("head_detect_v0_n", 0.3, 0.7),
        ("person_detect_v1.1_m", 0.3, 0.5), ("halfbody_detect_v1.0_s", 0.5, 0.7), ("hand_detect_v1.0_s", 0.35, 0.7),
        ("eye_detect_v1.0_s", 0.3, 0.3), ("my_own", 0.25, 0.7),
    ],
)  # fmt: skip
def test_thresholds_follow_what_a_model_is_for(name: str, threshold: float, overlap: float) -> None:
    assert (kind_of(name).threshold, kind_of(name).overlap) == (threshold, overlap)


@pytest.mark.parametrize(
    "names",
    ["{0: 'a'", "__import__('os').system('true')", "{1: 'a'}", "{}", "[" * 9000, "{0: 'a\\nb'}", "3", "{0: ''}",
     "{" + ", ".join(f"{n}: 'x{n}'" for n in range(256)) + "}", "{'a': 1}", "'" + "x" * 70000 + "'"],
)  # fmt: skip
def test_names_that_are_no_list_of_labels_are_refused_with_a_message(tmp_path: Path, names: str) -> None:
    write_yolo(tmp_path / "m", ONE, names=names)
    with pytest.raises(BadInput, match="metadata `names`"):
        YoloBoxes(tmp_path / "m", device="cpu")


@pytest.mark.parametrize("imgsz", ["[640]", "[0, 640]", "['a', 'b']", "[1e9, 2]", "[640, 99999]"])
def test_a_size_that_is_none_is_refused_with_a_message(tmp_path: Path, imgsz: str) -> None:
    write_yolo(tmp_path / "m", ONE, imgsz=imgsz)
    with pytest.raises(BadInput, match="metadata `imgsz`"):
        YoloBoxes(tmp_path / "m", device="cpu")


def test_what_does_not_belong_together_is_refused_with_a_message(tmp_path: Path) -> None:
    write_yolo(tmp_path / "m", ONE, names="{0: 'a', 1: 'b'}")
    with pytest.raises(BadInput, match="not a detector of 2 labels"):
        YoloBoxes(tmp_path / "m", device="cpu").detect([red(64, 64)])
    (tmp_path / "m" / "model_type.json").write_text('{"model_type": "pickle"}')
    with pytest.raises(BadInput, match=r"model_type\.json: .*'pickle' is none of yolo, rtdetr"):
        YoloBoxes(tmp_path / "m", device="cpu")
    with pytest.raises(BadInput, match="is missing"):
        YoloBoxes(tmp_path / "nowhere", device="cpu")


def test_folders_are_known_by_their_names_and_faces_open_as_detectors(tmp_path: Path) -> None:
    write_yolo(tmp_path / "face_detect_v1.4_s", ONE)
    write_yolo(tmp_path / "person_detect_v1.1_m", ONE, names="{0: 'person'}")
    tasks = {model.name: (model.family.name, model.task) for model in registry.installed(tmp_path)}
    assert tasks == {"face_detect_v1.4_s": ("yolo_faces", "faces"), "person_detect_v1.1_m": ("yolo_boxes", "boxes")}
    detector = open_detector("face_detect_v1.4_s", tmp_path, threshold=0.95, device="cpu")
    assert isinstance(detector, YoloBoxes) and detector.info.task == "faces"
    assert len(detector.detect([red(64, 64)])[0].boxes) == 0  # 0.9 does not pass
    persons = registry.open_model(registry.find("person_detect_v1.1_m", tmp_path, task="boxes"), device="cpu")
    assert persons.labels[0].name == "person" and persons.threshold == 0.3
