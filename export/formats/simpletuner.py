"""SimpleTuner: folders and `multidatabackend.json`, one entry per folder.

Facts (reference 4.3): `repeats` 0 means once; a missing caption file stops the run; every picture below a folder is
read, also in hidden folders, so masks lie outside; an entry for text embeds is needed.
"""

from __future__ import annotations

from pathlib import Path as DiskPath
from typing import Any

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink
from export.formats.masks import VISIBLE_FOLDER as MASKS
from export.formats.side_files import (
    SideFiles,
    count_pictures,
    json_text,
    leaves_below,
    levels_below,
    needs_txt,
    without_onetrainer_masks,
)

IMAGES, CACHE = "images", "../cache"


class _Writer(SideFiles):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, SIMPLETUNER, with_json=False)

    def mask(self, item: Item) -> str:
        """Return the path of a mask."""
        return f"{MASKS}/{self.base(item)}.png"

    def close(self) -> tuple[str, ...]:
        """Write multidatabackend.json."""
        entries: list[dict[str, Any]] = []
        for number, (share, path) in enumerate(self.shares(), start=1):
            name = f"set-{number:04d}"
            entry: dict[str, Any] = {
                "id": name,
                "type": "local",
                "dataset_type": "image",
                "instance_data_dir": path,
                "caption_strategy": "textfile",
                "resolution": self.resolution,
                "resolution_type": "pixel_area",
                "crop": False,
                "cache_dir_vae": f"{CACHE}/vae/{name}",
                "repeats": share.repeats - 1,
            }
            if self.is_regularization(share):
                entry["is_regularisation_data"] = True
            if self.recipe.output.masks == "folder":
                entry["conditioning_data"] = f"{name}-masks"
                entries.append(
                    {
                        "id": f"{name}-masks",
                        "type": "local",
                        "dataset_type": "conditioning",
                        "conditioning_type": "mask",
                        "instance_data_dir": f"{MASKS}/{path}",
                    }
                )
            entries.append(entry)
        entries.append(
            {
                "id": "text",
                "type": "local",
                "dataset_type": "text_embeds",
                "default": True,
                "cache_dir": f"{CACHE}/text",
            }
        )
        self.sink.write("multidatabackend.json", json_text(entries))
        self.how_to_start(
            "SimpleTuner",
            "Set `data_backend_config` to `multidatabackend.json`. Its paths are relative: start SimpleTuner in this",
            "folder, or write this folder's path before each. The option `delete_unwanted_images` deletes pictures",
            "from the dataset: train on a copy if you use it.",
        )
        return ()


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, SIMPLETUNER)


def _problems(recipe: Recipe) -> tuple[str, ...]:
    return (*without_onetrainer_masks(recipe), *needs_txt("SimpleTuner")(recipe))


SIMPLETUNER = Format(
    name="simpletuner",
    label="SimpleTuner: folders + multidatabackend.json",
    open=_open,
    check=_check,
    problems=_problems,
    rounding="round",
    folders=leaves_below(IMAGES),
    levels=levels_below,
)
