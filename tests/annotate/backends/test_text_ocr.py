"""PaddleOCR's interface on a tiny graph whose heat is the red of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from annotate.backends.boxes.text import CLIP_MEAN, CLIP_STD, SIDE_MAX, PaddleText
from annotate.backends.model_files import registry
from ingest.errors import BadInput
from tests.annotate.onnx_graphs import save


def write_text(folder: Path) -> Path:
    """Heat: red times its deviation plus its mean, so 0 to 1 again."""
    save(
        folder / "model.onnx",
        [
            helper.make_node("Slice", ["x", "zero", "one", "axis"], ["red"]),
            helper.make_node("Mul", ["red", "std"], ["scaled"]),
            helper.make_node("Add", ["scaled", "mean"], ["heat"]),
        ],
        inputs={"x": ["n", 3, "h", "w"]},
        outputs={"heat": ["n", 1, "h", "w"]},
        tensors={
            "zero": np.array([0]), "one": np.array([1]), "axis": np.array([1]),
            "std": np.array(CLIP_STD[0], np.float32), "mean": np.array(CLIP_MEAN[0], np.float32),
        },
    )  # fmt: skip
    return folder


@pytest.fixture()
def model(tmp_path: Path) -> PaddleText:
    return PaddleText(write_text(tmp_path / "ch_PP-OCRv4_det"), device="cpu")


def test_black_is_added_right_and_below_up_to_64_and_nothing_is_scaled(model: PaddleText) -> None:
    picture = np.full((70, 130, 3), 7, np.uint8)
    fitted = model.fit(picture)
    assert fitted.shape == (128, 192, 3)
    assert (fitted[:70, :130] == 7).all() and not fitted[70:].any() and not fitted[:, 130:].any()
    assert model.fit(np.zeros((64, 128, 3), np.uint8)).shape == (64, 128, 3)


def test_boxes_come_in_the_pictures_pixels(model: PaddleText) -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[40:51, 50:100, 0] = 230
    boxes = model.answer(model.fit(picture)[None], [(200, 100)])[0]
    assert boxes.boxes.tolist() == [[42, 32, 107, 58]]  # see the heat map's own test
    assert boxes.scores == pytest.approx([230 / 255], abs=1e-4)


def test_heat_beside_the_picture_is_cut_off(model: PaddleText) -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    fitted = model.fit(picture)
    fitted[105:125, 20:180, 0] = 255
    assert not len(model.answer(fitted[None], [(200, 100)])[0].boxes)


def test_it_is_known_by_its_name_and_what_does_not_fit_is_refused(model: PaddleText, tmp_path: Path) -> None:
    installed_model = registry.find("ch_PP-OCRv4_det", tmp_path, task="text")
    assert isinstance(registry.open_model(installed_model, device="cpu"), PaddleText)
    with pytest.raises(BadInput, match="text detection takes up to"):
        model.fit(np.zeros((1, SIDE_MAX + 1, 3), np.uint8))
    with pytest.raises(BadInput, match="is missing"):
        PaddleText(tmp_path, device="cpu")
