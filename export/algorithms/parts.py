"""The parts exported from one picture: itself, square crops, faces of a face set, with upscaling and size."""

from __future__ import annotations

from dataclasses import dataclass

from export.algorithms.crops import Crop, crops_of
from export.algorithms.face_set import face_crops
from export.algorithms.recipe import Recipe
from export.algorithms.rows import Picture
from export.algorithms.upscaling import passes_needed


@dataclass(frozen=True, slots=True)
class Part:
    """One picture to write: `passes` of upscaling, then resized to `size` (None: the recipe's bounds)."""

    picture: Picture
    crop: Crop | None = None
    passes: int = 0
    size: tuple[int, int] | None = None


def parts_of(picture: Picture, recipe: Recipe, *, factor: int) -> tuple[list[Part], list[str]]:
    """Return the parts of a picture, and why faces are left out. `factor`: of one pass of the upscaler."""
    faces, reasons = face_crops(picture, recipe.face_set) if recipe.face_set.enabled else ([], [])
    parts: list[Part] = []
    if recipe.face_set.whole or not recipe.face_set.enabled:
        parts.append(_grown(picture, None, recipe, factor))
        parts += [_grown(crop.picture, crop, recipe, factor) for crop in crops_of(picture, recipe.crops)]
    side = recipe.face_set.size
    for crop in faces:
        passes = passes_needed(crop.side, recipe.face_set.grow, factor)
        parts.append(Part(crop.picture, crop, passes, (side, side)))
    return parts, reasons


def _grown(picture: Picture, crop: Crop | None, recipe: Recipe, factor: int) -> Part:
    """Return the part, upscaled if below the minimum size, then resized to exactly that size."""
    below, width, height = recipe.upscale.below, picture.width, picture.height
    measured = max(width, height) if recipe.selection.side == "longest" else min(width, height)
    if measured < 1 or measured >= below:
        return Part(picture, crop)
    scale = below / measured
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Part(picture, crop, passes_needed(measured, below, factor), size)
