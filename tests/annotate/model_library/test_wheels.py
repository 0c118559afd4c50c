"""A model inside a Python package is installed from there; real weights mark real subtitles."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from django.core.management import CommandError, call_command

from annotate.algorithms.text_boxes import use_of
from annotate.backends.model_files import registry, wheels
from annotate.evaluation.copies import COPIES
from demo_film.crops import random_scene
from tests.annotate.backends.test_text_ocr import write_text

NAME = "ch_PP-OCRv4_det"
FILE = "models/ch_PP-OCRv4_det_infer.onnx"
INSTALL = "pip install --no-deps -r requirements-text.txt"


@pytest.fixture()
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of that name whose code must not run, with another network inside."""
    root = tmp_path / "site" / "rapidocr_onnxruntime"
    (root / "models").mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('nobody imports me')")
    (write_text(tmp_path / "net") / "model.onnx").rename(root / FILE)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "rapidocr_onnxruntime", raising=False)
    return root


@pytest.mark.django_db
def test_without_the_package_the_line_that_installs_it_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "find_spec", lambda name: None)
    with pytest.raises(CommandError, match=INSTALL):
        call_command("models", "import", "--wheel", NAME)
    with pytest.raises(CommandError, match="available: ch_PP-OCRv4_det"):
        call_command("models", "import", "--wheel", "wd")
    with pytest.raises(CommandError, match="Give a folder or a zip, or --wheel"):
        call_command("models", "import")


@pytest.mark.django_db
def test_other_weights_than_the_pinned_ones_are_refused_and_nothing_is_installed(package: Path, settings: Any) -> None:
    with pytest.raises(CommandError, match="sha256 is"):
        call_command("models", "import", "--wheel", NAME)
    assert not registry.installed(settings.KOMA_MODELS_DIR)


@pytest.mark.django_db
def test_the_pinned_weights_are_installed_with_licence_and_release(
    package: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = wheels.WHEELS[NAME]
    values = {name: getattr(pinned, name) for name in wheels.Wheel.__slots__}
    values["sha256"] = hashlib.sha256((package / FILE).read_bytes()).hexdigest()
    monkeypatch.setitem(wheels.WHEELS, NAME, wheels.Wheel(**values))
    call_command("models", "import", "--wheel", NAME, "--json")
    assert json.loads(capsys.readouterr().out)["models"][0]["name"] == NAME
    (model,) = registry.installed(settings.KOMA_MODELS_DIR, task="text")
    assert model.card["licence"] == "Apache-2.0" and model.card["revision"] == "rapidocr-onnxruntime 1.4.4"
    assert (package / FILE).is_file()


@pytest.mark.optional
@pytest.mark.django_db
def test_the_real_weights_tell_subtitled_pictures_from_clean_ones(settings: Any, test_data: Path) -> None:
    call_command("models", "import", "--wheel", NAME)
    finder = registry.open_model(registry.find(NAME, settings.KOMA_MODELS_DIR, task="text"), device="cpu")
    pictures = [random_scene(np.random.default_rng(seed), (1280, 720))[0] for seed in range(3)]
    with av.open(str(test_data / "video" / "real_cuts_ep01.mp4")) as container:
        frames = [frame for number, frame in enumerate(container.decode(video=0)) if number in (45, 700, 1305)]
        pictures += [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames]
    for picture in pictures:
        for lettered in (False, True):
            lettered_picture = COPIES["two lines of subtitles"](picture) if lettered else picture
            fitted = finder.fit(lettered_picture)
            (boxes,) = finder.answer(np.asarray(fitted)[None], [(1280, 720)])
            share = np.asarray(boxes.boxes, np.float32) / np.array([1280, 720, 1280, 720], np.float32)
            assert use_of(share).subtitled == lettered
