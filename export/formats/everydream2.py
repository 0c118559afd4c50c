"""EveryDream2 and others: folders as planned, a caption beside each picture, a `multiply.txt` in each folder.

The trainer does not inherit multiply, so every folder with pictures has its own file (reference 4.1).
"""

from __future__ import annotations

from pathlib import Path as DiskPath

from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink
from export.formats.side_files import SideFiles, count_pictures


class _Writer(SideFiles):
    def close(self) -> None:
        """Write the multiply of each folder."""
        for share in self.balance.folders:
            self.sink.write("/".join((*share.path, "multiply.txt")), share.multiply_text.encode())


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink, EVERYDREAM2)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, EVERYDREAM2)


def _warnings(recipe: Recipe) -> tuple[str, ...]:
    if recipe.output.captions == "first":
        return ()
    return (
        "EveryDream2 treats a line break as part of a tag. Several captions per picture are for trainers that choose "
        "a line: OneTrainer, SimpleTuner, kohya with --enable_wildcard.",
    )


EVERYDREAM2 = Format(
    name="hierarchy",
    label="folders + multiply.txt",
    open=_open,
    check=_check,
    warnings=_warnings,
)
