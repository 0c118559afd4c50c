"""kohya's flat folders `N_name`: N whole repeats, the levels of the name joined by `~`; one level, never nested."""

from __future__ import annotations

from export.algorithms.balance import Balance
from export.algorithms.filenames import Names
from export.algorithms.layouts.contract import Layout, Path
from export.algorithms.spelling import LEVEL_JOINER, LEVEL_JOINER_IN_NAME


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


KOHYA = Layout(
    name="kohya",
    label="kohya: N_name folders",
    folders=folders_of,
    levels=levels_in,
    whole_repeats=True,
    write_empty_captions=False,
    several_captions="kohya reads the first line of a caption file only, unless --enable_wildcard is set.",
)
