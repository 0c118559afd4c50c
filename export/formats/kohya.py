"""kohya's flat folders `N_name`: N whole repeats, the levels of the name joined by `~`; one level, never nested."""

from __future__ import annotations

from pathlib import Path as DiskPath

from export.algorithms.balance import Balance
from export.algorithms.filenames import Names
from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.algorithms.spelling import LEVEL_JOINER, LEVEL_JOINER_IN_NAME
from export.formats.contract import Contents, Format, Path, Sink
from export.formats.side_files import SideFiles, count_pictures


def folders_of(balance: Balance) -> dict[Path, Path]:
    """One folder for every folder that holds pictures (not only leaves), with `max(1, round(multiply))` repeats."""
    names = Names()
    folders: dict[Path, Path] = {}
    for share in sorted(balance.folders, key=lambda row: row.path):
        levels = (part.replace(LEVEL_JOINER, LEVEL_JOINER_IN_NAME) for part in share.path)
        wish = f"{share.repeats}_{LEVEL_JOINER.join(levels) or 'all'}"
        folders[share.path] = (names.folder((), wish),)
    return folders


def levels_in(folders: Path) -> Path:
    """The levels of a flat folder: `12_a~b` is `a/b`. Nested folders were made by hand and stay as they are."""
    if len(folders) != 1:
        return folders
    number, _, rest = folders[0].partition("_")
    return tuple((rest if number.isdigit() else folders[0]).split(LEVEL_JOINER))


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> SideFiles:
    return SideFiles(plan, recipe, sink, KOHYA)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, KOHYA)


def _warnings(recipe: Recipe) -> tuple[str, ...]:
    if recipe.output.captions == "first":
        return ()
    return ("kohya reads the first line of a caption file only, unless --enable_wildcard is set.",)


KOHYA = Format(
    name="kohya",
    label="kohya: N_name folders",
    open=_open,
    check=_check,
    warnings=_warnings,
    rounding="round",
    folders=folders_of,
    levels=levels_in,
    write_empty_captions=False,
)
