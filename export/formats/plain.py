"""A plain folder: all pictures in one folder, a caption and a JSON beside each. No levels, no weights."""

from __future__ import annotations

from pathlib import Path as DiskPath

from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink
from export.formats.side_files import SideFiles, count_pictures, one_folder


class _Writer(SideFiles):
    def close(self) -> tuple[str, ...]:
        """Say what lies there."""
        self.how_to_start(
            "Pictures", "Beside each picture lie its caption (`NAME.txt`) and what is known of it (JSON)."
        )
        return ()


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink, PLAIN)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, PLAIN)


PLAIN = Format(
    name="plain",
    label="plain folder: pictures + .txt + .json",
    group="datasets",
    open=_open,
    check=_check,
    rounding="none",
    folders=one_folder(),
    levels=None,
)
