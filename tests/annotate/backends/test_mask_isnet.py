"""ISNet's interface on a tiny graph whose mask is the red of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from annotate.backends.masks.isnet import IsnetMask, placed
from annotate.backends.model_files import registry
from ingest.errors import BadInput
from tests.annotate.onnx_graphs import save


def write_isnet(folder: Path, *, side: int = 1024) -> Path:
    save(
        folder / "model.onnx",
        [helper.make_node("Slice", ["img", "zero", "one", "axis"], ["mask"])],
        inputs={"img": ["n", 3, side, side]},
        outputs={"mask": ["n", 1, side, side]},
        tensors={"zero": np.array([0]), "one": np.array([1]), "axis": np.array([1])},
    )
    return folder


def test_a_picture_lies_in_the_middle_of_the_square() -> None:
    assert placed(1280, 720) == (0, 224, 1024, 576)
    assert placed(720, 1281) == (224, 0, 575, 1024)  # 1024 * 720 / 1281 = 575.5: down; (1024 - 575) // 2
    assert placed(10, 10) == (0, 0, 1024, 1024)


def test_the_rest_of_the_square_is_black_and_the_mask_is_the_pictures_again(tmp_path: Path) -> None:
    model = IsnetMask(write_isnet(tmp_path / "isnetis"), device="cpu")
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:, 80:] = (255, 0, 0)
    picture[:, :80] = (51, 255, 255)
    fitted = model.fit(picture)
    assert fitted.shape == (1024, 1024, 3)
    assert not fitted[:224].any() and not fitted[800:].any() and (fitted[224:800, :500, 0] == 51).all()
    mask = model.answer(fitted[None], [(160, 90)])[0]
    assert mask.shape == (90, 160) and mask.dtype == np.float32
    assert mask[:, :78] == pytest.approx(0.2) and mask[:, 82:] == pytest.approx(1.0)
    assert np.array_equal(model.mask(picture), mask)


def test_alpha_is_put_on_white(tmp_path: Path) -> None:
    model = IsnetMask(write_isnet(tmp_path / "isnetis"), device="cpu")
    assert model.mask(np.zeros((8, 8, 4), np.uint8)) == pytest.approx(1.0)


def test_it_is_known_by_its_name_and_others_are_refused_with_a_message(tmp_path: Path) -> None:
    write_isnet(tmp_path / "isnetis")
    model = registry.find("isnetis", tmp_path, task="mask")
    assert isinstance(registry.open_model(model, device="cpu"), IsnetMask)
    with pytest.raises(BadInput, match="not an ISNet"):
        IsnetMask(write_isnet(tmp_path / "small", side=64), device="cpu")
    with pytest.raises(BadInput, match=r"holds no model\.onnx"):
        IsnetMask(tmp_path, device="cpu")
