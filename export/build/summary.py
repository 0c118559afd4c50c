"""`dataset.json` of a dataset: recipe, folders, and which picture is which, without dates or machine names."""

from __future__ import annotations

import json
import math
from typing import Any

from export.algorithms.balance import FolderShare, repeats_of
from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.build.sinks import FolderSink
from export.formats.contract import Format, Written

MANIFEST = "dataset.json"
_PICTURES = ".building.pictures"


class Summary:
    """Collects the pictures in a file while they are written, since there may be millions."""

    def __init__(self, plan: Plan, recipe: Recipe, row: Format, sink: FolderSink) -> None:
        self._plan, self._recipe, self._sink, self._rounding = plan, recipe, sink, row.rounding
        self._has_levels = row.levels is not None
        self._folders = row.folders(plan.balance)
        self._temp = sink.path(_PICTURES)
        self._file = self._temp.open("w", encoding="utf-8", errors="replace")
        self._is_first = True

    def add(self, item: Item, written: Written) -> None:
        """Note a picture. Where folders mean nothing there is nothing to import again: the manifest says the rest."""
        if not self._has_levels:
            return
        entry = json.dumps(_entry(item, written.path.rpartition("/")[0]), ensure_ascii=False)
        self._file.write(f"{'' if self._is_first else ', '}{json.dumps(item.stem, ensure_ascii=False)}: {entry}")
        self._is_first = False

    def close(self, warnings: tuple[str, ...]) -> None:
        """Write the file."""
        self._file.close()
        before, after = (json.dumps(part, ensure_ascii=False) for part in self._parts(warnings))
        with self._sink.path(MANIFEST).open("w", encoding="utf-8", errors="replace") as file:
            file.write(f'{before[:-1]}, "pictures": {{')
            with self._temp.open(encoding="utf-8") as pictures:
                while part := pictures.read(1 << 20):
                    file.write(part)
            file.write(f"}}, {after[1:]}\n")
        self._temp.unlink()

    def _parts(self, warnings: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        plan, recipe = self._plan, self._recipe
        before = {
            "made_by": "Koma",
            "recipe": recipe.as_dict(),
            "recipe_sha256": recipe.digest,
            # Spelling in folder names -> character: two spellings may differ in less than the names do.
            "characters": {spelled: name for name, spelled in sorted(plan.spelled.items())},
        }
        epoch = math.fsum(share.per_epoch(self._rounding) for share in plan.balance.folders)
        after = {
            "folders": [self._folder(share, epoch) for share in plan.balance.folders],
            "images": plan.balance.pictures,
            "epoch": round(plan.balance.epoch, 2),
            **({} if self._rounding == "exact" else {"rounding": self._rounding, "epoch_rounded": round(epoch, 2)}),
            "left_out": dict(plan.left_out),
            "upscaled": {str(passes): count for passes, count in sorted(plan.upscaled.items())},
            "warnings": list(warnings),
        }
        return before, after

    def _folder(self, share: FolderShare, epoch: float) -> dict[str, Any]:
        """Return a folder's entry; where the trainer rounds, also what it makes of the multiply."""
        entry: dict[str, Any] = {
            "folder": "/".join(self._folders[share.path]),
            "levels": list(share.path),
            "pictures": share.pictures,
            "probability": round(share.probability, 9),
            "multiply_unclipped": share.unclipped,
            "multiply": share.multiply,
            "epoch_share": round(share.epoch_share, 9),
        }
        if self._rounding == "exact":
            return entry
        repeats = repeats_of(share.multiply, self._rounding)
        per_epoch = share.per_epoch(self._rounding)
        rounded = {
            "pictures_per_epoch": per_epoch,
            "epoch_share_rounded": round(per_epoch / epoch, 9) if epoch else 0.0,
        }
        return entry | ({} if repeats is None else {"repeats": repeats}) | rounded


def _entry(item: Item, folder: str) -> dict[str, Any]:
    """Return a picture's entry; `by_person`: the names given by people, if any."""
    picture = item.picture
    entry: dict[str, Any] = {"key": picture.key, "folder": folder, "characters": list(picture.names)}
    if picture.names_by_person:
        entry["by_person"] = list(picture.names_by_person)
    if item.split:
        entry["split"] = item.split
    return entry
