"""What the selects of the export page offer: pairs of value and label, or values that are their own labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from export import forms
from export.algorithms.recipe import Recipe
from export.algorithms.selection import SIZES
from export.algorithms.upscaling import UpscaleOptions
from export.build import upscaling
from export.formats.registry import FORMATS
from ingest.models import Collection, ImageType

OPTIONS: dict[str, Any] = {
    "image_types": ImageType.choices,
    "sizes": tuple((size, f"{size} px" if size else "original") for size in SIZES),
    "sides": (("shortest", "shortest side"), ("longest", "longest side")),
    "formats": (("original", "original"), "png", "webp", "jpeg"),
    "borders": (
        ("shift", "move inside"),
        ("edge", "repeat the edge"),
        ("reflect", "mirror"),
        ("black", "black"),
        ("drop", "skip the face"),
    ),
    "nobody_known": ("others", ("0_characters", "0_characters/character_others")),
    "versions": tuple(forms.presets()),
    "count_sources": ("people", "faces", ("characters", "known characters")),
    "facepos_forms": (
        ("phrases", "at left / in the middle / at right"),
        ("tokens", "fhll fvtp"),
        ("words", "fhleft fvtop"),
        ("raw", "fvp 42 70 fhp 22 39"),
    ),
    "json_versions": ("v1.0", "v1.1", "v1.2", "v2"),
    "caption_endings": (("", "the trainer’s own"), ".txt", ".caption"),
    "captions_per_picture": (("first", "one"), ("lines", "several: also from files and models")),
    "mask_forms": (
        "none",
        ("folder", "in a folder “.masks”"),
        ("onetrainer", "next to each picture, for OneTrainer"),
    ),
}


def options_of(collection: Collection, recipe: Recipe) -> dict[str, Any]:
    """All options by the names that the templates use."""
    layouts = [(layout.name, layout.label) for layout in FORMATS.values()]
    return OPTIONS | {"layouts": layouts, "upscalers": _upscalers(collection, recipe)}


def _upscalers(collection: Collection, recipe: Recipe) -> list[tuple[str, str]]:
    """The collection's own, those that are installed, and the recipe's even if it is not."""
    collection_upscaler = upscaling.name_of(collection, replace(recipe, upscale=UpscaleOptions()))
    names = upscaling.offered()
    if recipe.upscale.model and recipe.upscale.model not in names:
        names = [*names, recipe.upscale.model]
    return [("", f"{collection_upscaler} (the collection's)"), *((name, name) for name in names)]
