"""Which model a collection uses: the default, a choice, several side by side, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotate.chosen_models import choices
from annotate.models import ModelChoice
from ingest.actions import history
from ingest.errors import BadInput

pytestmark = pytest.mark.django_db


def install(models_dir: Path, name: str, family: str = "wd") -> None:
    """A folder that the registry takes for a model; its files are never opened here."""
    (models_dir / name).mkdir(parents=True)
    (models_dir / name / "koma.json").write_text(json.dumps({"family": family}))


def test_without_a_choice_each_task_has_its_default(collection, settings):
    assert choices.chosen(collection, "faces") == "builtin"
    assert choices.chosen(collection, "embedding") == "builtin"
    assert choices.chosen(collection, "tags") == "none"
    assert choices.chosen_all(collection, "boxes") == ()
    install(settings.KOMA_MODELS_DIR, "wd-b")
    install(settings.KOMA_MODELS_DIR, "wd-a")
    assert choices.chosen(collection, "tags") == "wd-a"


def test_a_choice_holds_for_its_collection_and_is_undone_like_any_change(collection, settings, alice):
    install(settings.KOMA_MODELS_DIR, "wd-a")
    install(settings.KOMA_MODELS_DIR, "wd-b")
    assert choices.choose(collection=collection, task="tags", names=["wd-b"], by=alice) == ("wd-b",)
    assert choices.chosen(collection, "tags") == "wd-b"
    assert choices.choose(collection=collection, task="tags", names=["none"], by=alice) == ()
    assert choices.chosen(collection, "tags") == "none"
    history.undo_last(collection=collection, by=alice)
    assert choices.chosen(collection, "tags") == "wd-b"
    choices.choose(collection=collection, task="tags", names=[], by=alice)
    assert choices.chosen(collection, "tags") == "wd-a"
    assert not ModelChoice.objects.exists()


def test_only_what_is_installed_can_be_chosen_and_one_at_a_time(collection, settings, alice):
    install(settings.KOMA_MODELS_DIR, "wd-a")
    install(settings.KOMA_MODELS_DIR, "wd-b")
    with pytest.raises(BadInput, match=r"no model 'wd-c'\. Installed: wd-a, wd-b"):
        choices.choose(collection=collection, task="tags", names=["wd-c"], by=alice)
    with pytest.raises(BadInput, match="choose one model, or none"):
        choices.choose(collection=collection, task="tags", names=["wd-a", "wd-b"], by=alice)
    with pytest.raises(BadInput, match="no task"):
        choices.chosen(collection, "poems")
    assert not ModelChoice.objects.exists()


def test_a_chosen_model_that_was_removed_is_still_named(collection, alice):
    """The run then says that it is gone, instead of using another one unsaid."""
    ModelChoice.objects.create(collection=collection, task="tags", name="wd-gone")
    assert choices.chosen(collection, "tags") == "wd-gone"


def test_detectors_of_boxes_work_side_by_side(collection, settings, alice, monkeypatch):
    from annotate.backends.model_files import registry

    monkeypatch.setitem(registry.FAMILIES, "yolo_test", registry.Family("yolo_test", "boxes", "nowhere:nothing"))
    install(settings.KOMA_MODELS_DIR, "heads", "yolo_test")
    install(settings.KOMA_MODELS_DIR, "persons", "yolo_test")
    assert choices.chosen_all(collection, "boxes") == ()
    choices.choose(collection=collection, task="boxes", names=["persons", "heads"], by=alice)
    assert choices.chosen_all(collection, "boxes") == ("heads", "persons")


def test_enlarging_and_captions_have_a_default_without_any_model(collection, settings, monkeypatch):
    from annotate.backends.model_files import wheels

    monkeypatch.setattr(wheels, "find_spec", lambda name: None)
    assert choices.chosen(collection, "upscale") == "lanczos"
    assert "bicubic" in choices.offered("upscale")
    assert choices.chosen(collection, "caption") == "none"
    settings.KOMA_CAPTION_URL, settings.KOMA_CAPTION_MODEL = "http://127.0.0.1:1", "some-model"
    assert choices.chosen(collection, "caption") == "server"
    assert choices.offered("caption") == ["server"]
