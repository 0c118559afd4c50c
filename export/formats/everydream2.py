"""EveryDream2 and others: folders as planned, a caption beside each picture, a `multiply.txt` in each folder.

The trainer does not inherit multiply, so every folder with pictures has its own file (reference 4.1).
"""

from __future__ import annotations

from pathlib import Path as DiskPath

from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink
from export.formats.side_files import SideFiles, count_pictures, several_captions, without_onetrainer_masks
from ingest import humane


class _Writer(SideFiles):
    def close(self) -> tuple[str, ...]:
        """Write the multiply of each folder."""
        for share, path in self.shares():
            self.sink.write(f"{path}/multiply.txt".lstrip("/"), share.multiply_text.encode())
        self.how_to_start(
            "EveryDream2",
            "In `train.json` set `data_root` to this folder. Sub-folders are read, each with the multiply in its own",
            "`multiply.txt`; folders and files whose name begins with a dot are skipped.",
            "",
            "    python train.py --config train.json",
        )
        if not self.without_caption:
            return ()
        pictures = humane.count(self.without_caption, "picture")
        return (
            f"{pictures} without a caption: EveryDream2 takes the beginning of the file name instead. "
            "Add a caption part that is always there, such as the general description.",
        )


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink, EVERYDREAM2)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, EVERYDREAM2)


EVERYDREAM2 = Format(
    name="hierarchy",
    label="EveryDream2: folders + multiply.txt",
    open=_open,
    check=_check,
    problems=without_onetrainer_masks,
    warnings=several_captions(
        "EveryDream2 treats a line break as part of a tag. Several captions per picture are for trainers that choose "
        "a line: OneTrainer, SimpleTuner, kohya with --enable_wildcard."
    ),
)
