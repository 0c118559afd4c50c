"""The main format: the folders of the plan, a `multiply.txt` in each that holds pictures (EveryDream2 and others)."""

from __future__ import annotations

from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Layout


def layout(plan: Plan, recipe: Recipe) -> Layout:
    """Folders as planned; multiply is not inherited by the trainer, so every folder with pictures has its own."""
    return Layout(
        folders={share.path: share.path for share in plan.balance.folders},
        files={"/".join((*share.path, "multiply.txt")): share.multiply_text.encode() for share in plan.balance.folders},
        caption_ending=recipe.output.caption_ending,
        warnings=(*plan.warnings, *recipe.output.warnings),
    )
