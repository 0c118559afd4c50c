"""Models are found by their folders, opened by their family, and refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from annotate.backends.model_files import registry
from annotate.backends.runtime.onnx_session import CUDA, open_session
from annotate.backends.taggers.scorer import OnnxScorer
from ingest.errors import BadInput
from tests.annotate.onnx_graphs import write_yolo
from tests.annotate.scorer_graphs import write_model, write_tags


def wd_folder(folder: Path) -> Path:
    folder.mkdir()
    write_model(folder, side=2, weights=np.zeros((12, 2)))
    write_tags(folder, [("general", 9), ("1girl", 0)])
    return folder


def test_a_folder_with_a_taggers_files_is_found_and_opened(tmp_path: Path) -> None:
    wd_folder(tmp_path / "wd-tiny")
    (tmp_path / "notes").mkdir()
    assert [installed_model.name for installed_model in registry.installed(tmp_path)] == ["wd-tiny"]
    assert registry.installed(tmp_path, task="faces") == []
    model = registry.find("wd-tiny", tmp_path, task="tags")
    assert isinstance(registry.open_model(model, device="cpu"), OnnxScorer)


def test_a_card_names_the_family_and_an_unknown_family_is_no_model(tmp_path: Path) -> None:
    folder = wd_folder(tmp_path / "other")
    (folder / registry.CARD).write_text(json.dumps({"family": "wd", "licence": "Apache-2.0"}))
    assert registry.installed(tmp_path, task="tags")[0].card["licence"] == "Apache-2.0"
    (folder / registry.CARD).write_text(json.dumps({"family": "from the future"}))
    assert registry.installed(tmp_path) == []


def test_a_missing_model_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    wd_folder(tmp_path / "wd-tiny")
    with pytest.raises(BadInput, match=r"no model 'wd-big' for tags.*Installed for it: wd-tiny"):
        registry.find("wd-big", tmp_path, task="tags")


def test_what_was_asked_for_cuda_never_runs_on_the_processor_unsaid(tmp_path: Path) -> None:
    folder = wd_folder(tmp_path / "wd-tiny")
    if open_session(folder / "model.onnx").on_gpu:
        pytest.skip("CUDA works on this machine")
    with pytest.raises(BadInput, match="device=cuda, but CUDA"):
        open_session(folder / "model.onnx", device=CUDA)
    with pytest.raises(BadInput, match="not a device"):
        open_session(folder / "model.onnx", device="tpu")


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_detector_is_known_unopened_as_it_tells_itself_when_opened(tmp_path: Path, *, dynamic: bool) -> None:
    folder = tmp_path / "head_detect_v1"
    write_yolo(folder, np.array([[320, 320, 128, 320, 0.9]], np.float32).T)
    card = {"family": "yolo_boxes", "revision": "abc", "options": {"dynamic": dynamic}}
    (folder / "koma.json").write_text(json.dumps(card))
    (model,) = registry.installed(tmp_path)
    info = registry.open_model(model).info
    assert registry.identity(model) == (None if dynamic else (info.revision, info.sha256))
