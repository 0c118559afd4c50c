"""kohya's flat folders `N_name`: N whole repeats, the levels of the name joined by `~`; one level, never nested."""

from __future__ import annotations

from export.algorithms.balance import Balance, repeat_warnings
from export.algorithms.filenames import Names
from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.algorithms.spelling import LEVEL_JOINER, LEVEL_JOINER_IN_NAME
from export.formats.contract import Layout, Path


def layout(plan: Plan, recipe: Recipe) -> Layout:
    """One folder for every folder that holds pictures (not only leaves), `max(1, round(multiply))` repeats."""
    return Layout(
        folders=folders_of(plan.balance),
        files={},
        caption_ending=recipe.output.caption_ending,
        write_empty_captions=False,
        warnings=(*plan.warnings, *repeat_warnings(plan.balance), *recipe.output.warnings),
    )


def folders_of(balance: Balance) -> dict[Path, Path]:
    """Planned folder -> its flat folder."""
    names = Names()
    folders: dict[Path, Path] = {}
    for share in sorted(balance.folders, key=lambda row: row.path):
        levels = (part.replace(LEVEL_JOINER, LEVEL_JOINER_IN_NAME) for part in share.path)
        wish = f"{share.repeats}_{LEVEL_JOINER.join(levels) or 'all'}"
        folders[share.path] = (names.folder((), wish),)
    return folders


def levels_in(folder: str) -> tuple[str, ...]:
    """The levels of a flat folder: `12_a~b` is `a/b`."""
    number, _, rest = folder.partition("_")
    return tuple((rest if number.isdigit() else folder).split(LEVEL_JOINER))
