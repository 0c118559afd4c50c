"""What networks answer may be anything: no number, no score, of any size. It becomes words, never a row."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from annotate.actions.model_versions import version_of
from annotate.algorithms import yolo_answers
from annotate.backends.boxes import known_detectors
from annotate.backends.boxes.text import PaddleText
from annotate.backends.boxes.yolo import YoloBoxes
from annotate.backends.contract import ModelInfo
from annotate.backends.embedders.ccip import CcipEmbedder
from annotate.backends.masks.isnet import IsnetMask
from annotate.backends.model_files import registry
from annotate.backends.upscalers import known_upscalers
from annotate.models import ModelVersion
from ingest.errors import BadInput
from tests.annotate.ccip_graphs import write_ccip
from tests.annotate.onnx_graphs import red, save, write_yolo
from tests.annotate.scorer_graphs import opened, write_model, write_tags

WRONG = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("value", [*WRONG, 3.5, -2.0])
def test_a_tagger_whose_scores_are_none_is_refused(tmp_path: Path, value: float) -> None:
    folder = tmp_path / "wd-tiny"
    folder.mkdir()
    write_tags(folder, [("sky", 0), ("general", 9)])
    write_model(folder, side=4, weights=np.zeros((48, 2)), bias=[0.5, value])
    with pytest.raises(BadInput, match="the network's"):
        opened(folder).scores([red(8, 8)])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([50, 50, 20, 20, 3e38], r"scores reach 3e\+38"), ([50, 50, 20, 20, 7.0], "scores reach 7"),
        ([50, 50, 20, 20, float("nan")], "not numbers"),
    ],
)  # fmt: skip
def test_a_detector_whose_scores_are_none_is_refused(tmp_path: Path, row: list[float], words: str) -> None:
    answer = np.zeros((5, 9), np.float32)
    answer[:, :] = np.array(row, np.float32)[:, None]
    write_yolo(tmp_path / "m", answer)
    with pytest.raises(BadInput, match=words):
        YoloBoxes(tmp_path / "m", device="cpu").detect([red(64, 64)])


@pytest.mark.parametrize("far", [1e38, -1e38, 3e9])
def test_boxes_far_outside_are_none(tmp_path: Path, far: float) -> None:
    write_yolo(tmp_path / "m", np.array([[far, 320], [far, 320], [far, 64], [far, 64], [0.9, 0.8]], np.float32))
    (answer,) = YoloBoxes(tmp_path / "m", device="cpu").detect([red(640, 640)])
    assert answer.boxes.tolist() == [[288, 288, 352, 352]]


def test_a_detector_that_sees_a_hundred_thousand_things_comes_to_an_end(tmp_path: Path) -> None:
    """None of them overlap, so suppression alone would look at each pair."""
    many = 100_000
    rows = np.zeros((many, 5), np.float32)
    rows[:, 0], rows[:, 1] = np.arange(many) % 400 * 20, np.arange(many) // 400 * 20
    rows[:, 2:4], rows[:, 4] = 10, np.linspace(0.5, 1, many)
    began = time.process_time()
    answer = yolo_answers.read(
        rows.T, yolo_answers.Form.PLANES, classes=1, threshold=0.25, overlap=0.7, fed=(8000, 5000), size=(8000, 5000)
    )
    assert len(answer.boxes) == yolo_answers.KEPT_MAX
    assert answer.scores.min() > 0.9  # the surest ones
    assert time.process_time() - began < 60


@pytest.mark.parametrize("value", [*WRONG, 1e30])
def test_vectors_that_are_no_numbers_are_never_kept(tmp_path: Path, value: float) -> None:
    folder = write_ccip(tmp_path / "ccip")
    save(
        folder / "model_feat.onnx",
        [
            helper.make_node("ReduceMean", ["input"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("Tile", ["means", "times"], ["tiled"]),
            helper.make_node("Add", ["tiled", "w"], ["output"]),
        ],
        inputs={"input": ["n", 3, 384, 384]}, outputs={"output": ["n", 768]},
        tensors={"times": np.array([1, 256]), "w": np.array(value, np.float32)},
    )  # fmt: skip
    with pytest.raises(BadInput, match="vectors hold values that are not numbers"):
        CcipEmbedder(folder, device="cpu").embed([red(40, 40)])


@pytest.mark.parametrize("value", WRONG)
def test_differences_that_are_no_numbers_group_nobody(tmp_path: Path, value: float) -> None:
    model = CcipEmbedder(write_ccip(tmp_path / "ccip", scale=value), device="cpu")
    vectors = model.embed([red(40, 40), np.zeros((40, 40, 3), np.uint8)])
    with pytest.raises(BadInput, match="not numbers"):
        model.differences(vectors, vectors)


def plus(path: Path, value: float, *, name: str, output: str, shape: list[Any], given: list[Any]) -> None:
    """A graph whose output is the first channel of its input plus `value`."""
    save(
        path,
        [
            helper.make_node("Slice", [name, "zero", "one", "axis"], ["first"]),
            helper.make_node("Add", ["first", "w"], [output]),
        ],
        inputs={name: shape}, outputs={output: given},
        tensors={
            "zero": np.array([0]), "one": np.array([1]), "axis": np.array([1]), "w": np.array(value, np.float32),
        },
    )  # fmt: skip


@pytest.mark.parametrize("value", WRONG)
def test_masks_and_heat_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    mask, text = tmp_path / "isnetis", tmp_path / "ch_PP-OCRv4_det"
    plus(mask / "model.onnx", value, name="img", output="mask", shape=["n", 3, 1024, 1024], given=["n", 1, 1024, 1024])
    with pytest.raises(BadInput, match="not numbers"):
        IsnetMask(mask, device="cpu").mask(red(30, 20))
    plus(text / "model.onnx", value, name="x", output="heat", shape=["n", 3, "h", "w"], given=["n", 1, "h", "w"])
    model = PaddleText(text, device="cpu")
    with pytest.raises(BadInput, match="not numbers"):
        model.answer(model.fit(red(30, 20))[None], [(30, 20)])


@pytest.mark.parametrize("value", WRONG)
def test_an_enlarged_picture_of_no_numbers_is_never_written(tmp_path: Path, value: float) -> None:
    save(
        tmp_path / "esrgan" / "RealESRGAN_x4plus_anime_6B.onnx",
        [
            helper.make_node("Resize", ["image.1", "", "scales"], ["large"], mode="nearest"),
            helper.make_node("Add", ["large", "w"], ["image"]),
        ],
        inputs={"image.1": ["n", 3, "h", "w"]}, outputs={"image": ["n", 3, "H", "W"]},
        tensors={"scales": np.array([1, 1, 4, 4], np.float32), "w": np.array(value, np.float32)},
    )  # fmt: skip
    with pytest.raises(BadInput, match="not numbers"):
        known_upscalers.open_upscaler("esrgan", tmp_path, device="cpu")


def face_graph(path: Path, heat: NDArray[np.float32], shape: NDArray[np.float32]) -> None:
    """The face detector's interface with an answer that never changes."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["h"], ["heat"]), helper.make_node("Identity", ["s"], ["shape"])],
        "fixed",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("heat", "shape")],
        [numpy_helper.from_array(heat, "h"), numpy_helper.from_array(shape, "s")],
    )
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    path.with_suffix(".json").write_text(json.dumps({"threshold": 0.5}))


@pytest.mark.parametrize(
    ("heat", "shape"),
    [
        (np.full((1, 4, 4), np.nan), np.zeros((1, 4, 4, 4))), (np.full((1, 4, 4), np.inf), np.zeros((1, 4, 4, 4))),
        (np.full((1, 4, 4), 9.0), np.zeros((1, 4, 4, 4))), (np.full((1, 4, 4), 0.9), np.full((1, 4, 4, 4), np.nan)),
        (np.full((1, 4, 4), 0.9), np.zeros((1, 2, 4, 4))), (np.full((4, 4), 0.9), np.zeros((1, 4, 4, 4))),
        (np.full((3, 4, 4), 0.9), np.zeros((3, 4, 4, 4))), (np.full((1, 4, 4), 0.9), np.zeros((1, 4, 9, 9))),
    ],
)  # fmt: skip
def test_a_face_detector_that_answers_nonsense_is_refused(tmp_path: Path, heat: Any, shape: Any) -> None:
    face_graph(tmp_path / "mine.onnx", heat.astype(np.float32), shape.astype(np.float32))
    detector = known_detectors.open_detector("mine", tmp_path, device="cpu")
    with pytest.raises(BadInput, match=r"mine\.onnx"):
        detector.detect([red(64, 48)])


@pytest.mark.django_db
def test_what_a_model_tells_of_itself_fits_its_row_whatever_it_is() -> None:
    """PostgreSQL refuses longer text and zero bytes, which would end the run that asked."""
    hostile = "MIT\0<b>\u202e\n" + "x" * 5000
    row = version_of(ModelInfo(task="tags", name="n" * 300, revision=hostile, sha256="0" * 64, licence=hostile))
    again = version_of(ModelInfo(task="tags", name="n" * 300, revision=hostile, sha256="0" * 64, licence=hostile))
    assert row == again and ModelVersion.objects.count() == 1
    row.refresh_from_db()
    for field in ("name", "revision", "licence"):
        text = getattr(row, field)
        assert len(text) <= 100 and text.isprintable()


def test_a_network_alone_in_a_folder_is_no_model_of_any_family(tmp_path: Path) -> None:
    face_graph(tmp_path / "x.onnx", np.zeros((1, 4, 4), np.float32), np.zeros((1, 4, 4, 4), np.float32))
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.onnx").rename(tmp_path / "folder" / "model.onnx")
    (tmp_path / "folder" / "koma.json").write_text(json.dumps({"family": "os:system", "name": "../../etc"}))
    assert registry.installed(tmp_path) == []
