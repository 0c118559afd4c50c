"""`evaluate upscale`: a perfect upscaler is perfect, the table and the JSON line agree, odd files are told."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from tests.annotate.upscale_graph import write_esrgan


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures whose pixels are blocks of four by four, so that repeating undoes an area mean exactly."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(("a.png", "more/b.png")):
        rgb = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        rgb = rgb.repeat(4, axis=0).repeat(4, axis=1)
        Image.fromarray(np.pad(rgb, ((0, 3), (0, 1), (0, 0)))).save(folder / name)  # cut to a multiple again
    return folder


@pytest.fixture
def models(tmp_path: Path, settings: Any) -> Path:
    settings.KOMA_MODELS_DIR = tmp_path / "models"
    write_esrgan(settings.KOMA_MODELS_DIR / "blocks" / "RealESRGAN_x4plus_anime_6B.onnx")
    return tmp_path / "models"


def run(*args: object) -> str:
    out = io.StringIO()
    call_command("evaluate", "upscale", *map(str, args), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_a_model_that_undoes_the_shrinking_beats_the_resamplers(models: Path, pictures: Path) -> None:
    scores = json.loads(run(pictures, "--model", "blocks", "--json"))
    assert scores["pictures"] == 2
    assert scores["factor"] == 4
    assert (scores["psnr"], scores["ssim"]) == (100.0, 1.0)
    bicubic, lanczos = scores["baselines"]
    assert (bicubic["name"], lanczos["name"]) == ("bicubic", "lanczos")
    for other in (bicubic, lanczos):
        assert 10 < other["psnr"] < 40
        assert 0.2 < other["ssim"] < 0.99
        assert other["ms_per_megapixel"] > 0
    table = run(pictures, "--model", "blocks")
    assert f"{bicubic['psnr']:.2f}" in table
    assert "2 pictures made 4 times smaller" in table


def test_without_a_model_the_resamplers_are_held_against_each_other(models: Path, pictures: Path) -> None:
    scores = json.loads(run(pictures, "--json"))
    assert scores["model"] == "lanczos"
    assert [item["name"] for item in scores["baselines"]] == ["bicubic"]


def test_what_cannot_be_measured_is_reported(models: Path, pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (9, 9)).save(pictures / "tiny.png")
    scores = json.loads(run(pictures, "--json"))
    assert (scores["pictures"], scores["unreadable"]) == (2, 2)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CommandError, match="no picture that can be measured"):
        run(empty)
    with pytest.raises(CommandError, match="is not a folder"):
        run(tmp_path / "nowhere")
    with pytest.raises(CommandError, match="There is no model 'gone' for upscale"):
        run(pictures, "--model", "gone")
