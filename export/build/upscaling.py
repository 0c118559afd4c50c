"""The upscaler of a recipe in a collection, and its factor."""

from __future__ import annotations

from django.conf import settings

from annotate.backends.contract import Upscaler
from annotate.backends.upscalers import known_upscalers
from annotate.chosen_models import choices, tasks
from export.algorithms.recipe import Recipe
from ingest.models import Collection


def is_asked(recipe: Recipe) -> bool:
    """Return whether the recipe may upscale anything."""
    return recipe.face_set.enabled or recipe.upscale.below > 0


def name_of(collection: Collection, recipe: Recipe) -> str:
    """Return the recipe's upscaler, else the collection's choice, else Lanczos."""
    if recipe.upscale.model:
        return recipe.upscale.model
    chosen = choices.chosen(collection, "upscale")
    return known_upscalers.DEFAULT if chosen == tasks.NONE else chosen


def factor_of(collection: Collection, recipe: Recipe) -> int:
    """Return the factor of one pass. Raises BadInput when the upscaler is not installed."""
    if not is_asked(recipe):
        return 2
    return known_upscalers.factor_of(name_of(collection, recipe), settings.KOMA_MODELS_DIR)


def open_for(collection: Collection, recipe: Recipe) -> Upscaler:
    """Open the upscaler. Raises BadInput when it cannot be used."""
    return known_upscalers.open_upscaler(name_of(collection, recipe), settings.KOMA_MODELS_DIR)


def offered() -> list[str]:
    """Return the available upscalers."""
    return known_upscalers.names(settings.KOMA_MODELS_DIR)
