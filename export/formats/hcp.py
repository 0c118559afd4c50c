"""HCP-Diffusion: folders with captions, and `dataset.yaml` with one source per folder.

Facts (reference D.3): sources are not recursive; `repeat` is a whole number; a folder as caption file takes the first
JSON in it for all captions, so the loader of text files is named and no JSON lies beside pictures; masks are a folder
of the same names where 127 weighs 1 and 255 weighs 5.
"""

from __future__ import annotations

from pathlib import Path as DiskPath

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink
from export.formats.masks import VISIBLE_FOLDER as MASKS
from export.formats.side_files import (
    SideFiles,
    below,
    count_pictures,
    levels_below,
    needs_txt,
    quoted,
    several_captions,
    without_onetrainer_masks,
)


class _Writer(SideFiles):
    def mask(self, item: Item) -> str:
        """Return the path of a mask."""
        return f"{MASKS}/{self.base(item)}.png"

    def close(self) -> tuple[str, ...]:
        """Write dataset.yaml and the template file that it names."""
        self.sink.write("caption_template.txt", b"{caption}\n")
        area = self.resolution
        lines = [
            "data:",
            "  dataset1:",
            "    _target_: hcpdiff.data.TextImagePairDataset",
            "    _partial_: true",
            "    batch_size: 4",
            "    source:",
        ]
        for number, (share, path) in enumerate(self.shares(), start=1):
            lines += [
                f"      data_source_{number}:",
                "        _target_: hcpdiff.data.source.Text2ImageAttMapSource",
                f"        img_root: {quoted(path or '.')}",
                '        prompt_template: "caption_template.txt"',
                "        caption_file:",
                "          _target_: hcpdiff.data.TXTCaptionLoader",
                f"          path: {quoted(path or '.')}",
                f"        att_mask: {quoted(f'{MASKS}/{path}') if self.recipe.output.masks == 'folder' else 'null'}",
                f"        repeat: {share.repeats}",
                "        bg_color: [255, 255, 255]",
            ]
        lines += [
            "    bucket:",
            "      _target_: hcpdiff.data.bucket.RatioBucket.from_files",
            f'      target_area: {{_target_: "builtins.eval", _args_: ["{area}*{area}"]}}',
            "      num_bucket: 8",
            "",
        ]
        self.sink.write("dataset.yaml", "\n".join(lines).encode())
        self.how_to_start(
            "HCP-Diffusion",
            "Include `dataset.yaml` in your training configuration in place of `base_dataset.yaml`. Its paths are",
            "relative: start the training in this folder, or write this folder's path before each.",
        )
        return ()


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink, HCP, with_json=False)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, HCP)


def _problems(recipe: Recipe) -> tuple[str, ...]:
    return (*without_onetrainer_masks(recipe), *needs_txt("HCP-Diffusion")(recipe))


HCP = Format(
    name="hcp",
    label="HCP-Diffusion: folders + dataset.yaml",
    open=_open,
    check=_check,
    problems=_problems,
    warnings=several_captions("HCP-Diffusion reads a caption file as one caption, line breaks included."),
    rounding="round",
    folders=below("images"),
    levels=levels_below,
)
