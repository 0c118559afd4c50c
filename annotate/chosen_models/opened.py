"""Installed models opened for stages: one session per model, device and process, reopened when files change."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from annotate.backends.boxes import known_detectors
from annotate.backends.boxes.in_reader import LookingFaces
from annotate.backends.model_files import registry
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime.open_models import opened_once, stamp_of, stamp_of_name


def opened(models: dict[str, Any], installed_model: Installed, *, device: str) -> Any:
    """Return the adapter of an installed model; `models` is a stage's `ctx.models`.

    A model that was reinstalled since is reopened, and its results are stored under the new version. Raises BadInput
    when it cannot be opened.
    """
    return opened_once(
        models, f"model:{installed_model.path}:{device}", stamp_of([installed_model.path]),
        lambda: registry.open_model(installed_model, device=device),
    )  # fmt: skip


def faces_in_reader(models: dict[str, Any], name: str, installed_model: Installed | None, *, device: str) -> Any:
    """Return a face detector for the shared reader: an installed one, or without `installed_model` a built-in by
    name."""
    if installed_model is None:
        folder = settings.KOMA_MODELS_DIR
        detector = opened_once(
            models, f"model:{name}:{device}", stamp_of_name(name, folder),
            lambda: known_detectors.open_detector(name, folder, device=device),
        )  # fmt: skip
    else:
        detector = opened(models, installed_model, device=device)
    return detector if hasattr(detector, "answer") else LookingFaces(detector)
