"""kohya's flat folders `N_name`: N whole repeats, the levels of the name joined by `~`; one level, never nested."""

from __future__ import annotations

from export.algorithms.balance import repeat_warnings
from export.algorithms.filenames import Names
from export.algorithms.plan import Plan
from export.formats.contract import Layout
from export.recipe import Recipe

SEPARATOR = "~"


def layout(plan: Plan, recipe: Recipe) -> Layout:
    """One folder for every folder that holds pictures (not only leaves), `max(1, round(multiply))` repeats."""
    names = Names()
    folders = {}
    for share in sorted(plan.balance.folders, key=lambda row: row.path):
        wish = f"{share.repeats}_{SEPARATOR.join(share.path) or 'all'}"
        folders[share.path] = (names.folder((), wish),)
    return Layout(
        folders=folders,
        files={},
        caption_ending=recipe.output.caption_ending,
        write_empty_captions=False,
        warnings=(*plan.warnings, *repeat_warnings(plan.balance)),
    )
