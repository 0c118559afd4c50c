"""A captioner that is installed anew while a worker keeps it open is opened anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotate.backends.model_files import registry
from annotate.chosen_models.captioner import open_captioner
from ingest.pipeline.opened_models import OpenedModels
from tests.annotate.toy_captioner import WORDS, ToyCaptioner


def test_a_captioner_stays_open_until_it_is_installed_anew(settings: Any, monkeypatch: pytest.MonkeyPatch,
                                                           tmp_path: Path) -> None:  # fmt: skip
    settings.KOMA_MODELS_DIR = tmp_path
    family = registry.Family("toy", "caption", "tests.annotate.toy_captioner:open_installed")
    monkeypatch.setitem(registry.FAMILIES, "toy", family)
    folder = tmp_path / "toy-captioner"
    folder.mkdir()
    (folder / "koma.json").write_text(json.dumps({"family": "toy"}))
    (folder / WORDS).write_text("a girl")
    models = OpenedModels()

    def captioner() -> Any:
        return open_captioner("toy-captioner", max_tokens=9, models=models)

    first = captioner()
    assert isinstance(first, ToyCaptioner) and first.words == "a girl"
    assert captioner() is first
    (folder / WORDS).write_text("a girl with a hat")
    second = captioner()
    assert second is not first and second.words == "a girl with a hat"
    assert len(models) == 1  # the old one is not kept beside it
