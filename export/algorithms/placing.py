"""Placement of a plan by its recipe's layout: written folders and the layout's own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from export.algorithms.balance import repeat_warnings
from export.algorithms.layouts.contract import Path
from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """`folders`: planned folder -> written folder; `files`: path below the dataset -> bytes; endings with their dot."""

    folders: Mapping[Path, Path]
    files: Mapping[str, bytes]
    caption_ending: str
    write_empty_captions: bool
    warnings: tuple[str, ...]


def placed(plan: Plan, recipe: Recipe) -> Placed:
    """Return where everything in the plan is written."""
    layout = recipe.output.layout_rules
    return Placed(
        folders=layout.folders(plan.balance),
        files=layout.files(plan.balance),
        caption_ending=recipe.output.caption_ending,
        write_empty_captions=layout.write_empty_captions,
        warnings=(
            *plan.warnings,
            *(repeat_warnings(plan.balance) if layout.whole_repeats else ()),
            *recipe.output.warnings,
        ),
    )
