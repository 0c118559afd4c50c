"""The mask model of an export, used one mask at a time."""

from __future__ import annotations

import threading

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from annotate.backends.masks.isnet import IsnetMask
from annotate.backends.model_files import registry
from annotate.chosen_models import choices, tasks
from annotate.models import ModelChoice
from export.algorithms.recipe import Recipe
from export.formats.masks import Masker
from ingest.errors import BadInput
from ingest.models import Collection

TASK = "mask"


class ModelMasker:
    """A mask model shared by several threads, which take turns."""

    def __init__(self, model: IsnetMask) -> None:
        self._model = model
        self._turn = threading.Lock()
        self.identity = repr(model.info)

    def mask(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Compute the mask uint8 [h, w] of uint8 RGB [h, w, 3]: 0 (background) to 255 (character)."""
        with self._turn:
            mask = self._model.mask(rgb)
        return np.rint(mask * 255).astype(np.uint8)


def open_for(collection: Collection, recipe: Recipe) -> Masker | None:
    """Open the collection's mask model, or the first installed if none is chosen; None if the recipe has no masks.

    Raises BadInput when there is no model or it cannot be used.
    """
    if recipe.output.masks == "none":
        return None
    name = choices.chosen(collection, TASK)
    if name == tasks.NONE:
        if ModelChoice.objects.filter(collection=collection, task=TASK).exists():
            raise BadInput(
                "This recipe uses masks, but this collection is set to use no mask model. Choose one on the "
                "models page, or choose a recipe without masks."
            )
        installed = registry.installed(settings.KOMA_MODELS_DIR, task=TASK)
        if not installed:
            raise BadInput(
                "This recipe uses masks, but no mask model is installed. Install one (isnetis) on the models "
                "page, or choose a recipe without masks."
            )
        name = installed[0].name
    return ModelMasker(registry.open_model(registry.find(name, settings.KOMA_MODELS_DIR, task=TASK)))
