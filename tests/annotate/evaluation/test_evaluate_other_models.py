"""`evaluate` measures installed detectors and embedders with their own options."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from tests.annotate.ccip_graphs import write_ccip
from tests.annotate.onnx_graphs import red, write_yolo

ONE = np.array([[320, 320, 64, 64, 0.9]] * 8, np.float32).T.copy()


def told(*args: str) -> dict[str, Any]:
    out = StringIO()
    call_command("evaluate", *args, "--json", stdout=out, stderr=StringIO())
    scores: dict[str, Any] = json.loads(out.getvalue())
    return scores


@pytest.fixture()
def people(tmp_path: Path) -> Path:
    """Two people, red and blue, four pictures each, of other brightness and with another stripe."""
    random = np.random.default_rng(0)
    for name, colour in (("anna", (220, 20, 20)), ("beth", (20, 20, 220))):
        (tmp_path / "people" / name).mkdir(parents=True)
        for index in range(4):
            picture = np.full((32, 32, 3), colour, np.uint8)
            picture[:, random.integers(0, 28) :][:, :4] = random.integers(0, 255, 3)
            picture[random.integers(0, 28) :][:4] = random.integers(0, 255, 3)
            Image.fromarray(picture).save(tmp_path / "people" / name / f"{index}.png")
    return tmp_path / "people"


def test_ccip_names_by_the_smallest_difference(people: Path, settings: Any) -> None:
    write_ccip(settings.KOMA_MODELS_DIR / "ccip-tiny")
    result = told("characters", str(people), "--model", "ccip-tiny", "--shots", "1", "--draws", "3")
    assert (result["model"], result["accuracy"]) == ("ccip-tiny", {"1": 1.0})
    with pytest.raises(CommandError, match="no model 'gone' for embedding"):
        told("characters", str(people), "--model", "gone", "--shots", "1")


def test_a_yolo_detector_is_measured_with_its_threshold(tmp_path: Path, settings: Any) -> None:
    write_yolo(settings.KOMA_MODELS_DIR / "face_detect_tiny", ONE)
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(red(640, 640)).save(folder / "a.png")
    (folder / "boxes.json").write_text(json.dumps({"a.png": {"boxes": [[288, 288, 352, 352]]}}))
    assert told("faces", str(folder), "--model", "face_detect_tiny")["hits_iou50"] == 1
    assert told("faces", str(folder), "--model", "face_detect_tiny", "--dynamic", "yes")["hits_iou50"] == 1
    assert told("faces", str(folder), "--model", "face_detect_tiny", "--threshold", "0.95")["hits_iou50"] == 0


def test_a_cascades_numbers_are_options(test_data: Path, settings: Any) -> None:
    name = "lbpcascade_animeface"
    settings.KOMA_MODELS_DIR.mkdir(parents=True, exist_ok=True)
    (settings.KOMA_MODELS_DIR / f"{name}.xml").write_bytes((test_data / "models" / f"{name}.xml").read_bytes())
    folder = str(test_data / "faces" / "eval_illustrations")
    face = told("faces", folder, "--model", name)
    head = told("faces", folder, "--model", name, "--box_scale", "1.5", "--border", "clamp")
    assert (face["hits_iou30"], face["hits_iou50"]) == (35, 31)
    assert head["hits_iou50"] == 0  # heads are no faces
    with pytest.raises(CommandError, match="pyramid step"):
        told("faces", folder, "--model", name, "--step", "0.5")


@pytest.mark.parametrize("wrong", [("--border", "melt"), ("--step", "nan"), ("--dynamic", "perhaps")])
def test_options_that_mean_nothing_are_refused(tmp_path: Path, wrong: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match="argument"):
        call_command("evaluate", "faces", str(tmp_path), *wrong)
