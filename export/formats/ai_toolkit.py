"""ai-toolkit: folders with pictures and captions, and the `datasets` part of its YAML, one entry per folder.

Facts (reference 4.3): `num_repeats` is a whole number; a folder is read with its sub-folders, so folders that have both
pictures and sub-folders would be read twice; captions are split at commas and joined by `, ` again; an empty caption
file is replaced by `default_caption`; `mask_path` is a flat folder of the same names, white is learned.
"""

from __future__ import annotations

from pathlib import Path as DiskPath

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink
from export.formats.masks import VISIBLE_FOLDER as MASKS
from export.formats.side_files import (
    SideFiles,
    count_pictures,
    leaves_below,
    levels_below,
    needs_txt,
    quoted,
    several_captions,
    without_onetrainer_masks,
)

IMAGES = "images"


def caption(item: Item) -> bytes:
    """Return the caption as the trainer joins it again: without spaces around commas."""
    return ",".join(part.strip() for part in item.caption.split(",")).encode()


class _Writer(SideFiles):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, AI_TOOLKIT, caption=caption)

    def mask(self, item: Item) -> str:
        """Return the path of a mask: a folder per folder of pictures."""
        return f"{MASKS}/{self.base(item)}.png"

    def close(self) -> tuple[str, ...]:
        """Write config.yaml."""
        lines = ["# The datasets of a process in ai-toolkit's configuration.", "datasets:"]
        for share, path in self.shares():
            lines += [f"  - folder_path: {quoted(path)}", "    caption_ext: txt", f"    num_repeats: {share.repeats}"]
            lines += [f"    resolution: [{self.resolution}]"]
            if self.is_regularization(share):
                lines.append("    is_reg: true")
            if self.recipe.output.masks == "folder":
                lines.append(f"    mask_path: {quoted(f'{MASKS}/{path}')}")
        self.sink.write("datasets.yaml", "\n".join((*lines, "")).encode())
        self.how_to_start(
            "ai-toolkit",
            "Copy the entries of `datasets.yaml` to `datasets:` in your configuration. Their paths are relative: start",
            "`run.py` in this folder, or write this folder's path before each. Each resolution in the list adds an",
            "epoch of its own.",
        )
        return ()


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, AI_TOOLKIT)


def _problems(recipe: Recipe) -> tuple[str, ...]:
    return (*without_onetrainer_masks(recipe), *needs_txt("ai-toolkit")(recipe))


AI_TOOLKIT = Format(
    name="ai-toolkit",
    label="ai-toolkit: folders + datasets.yaml",
    open=_open,
    check=_check,
    problems=_problems,
    warnings=several_captions("ai-toolkit reads one caption per picture; the first is written."),
    rounding="round",
    folders=leaves_below(IMAGES),
    levels=levels_below,
)
