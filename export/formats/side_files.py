"""Caption and JSON beside each picture, in folders as planned: what most trainers read, and what is imported again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path as DiskPath
from typing import Any

from export.algorithms import metadata
from export.algorithms.plan import Item, Plan, facts
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Path, Sink, Written
from export.formats.masks import is_mask
from ingest.imaging.formats import PICTURE_SUFFIXES


class SideFiles:
    """A writer of pictures in folders, each with a caption and a JSON file; formats add files for all of them."""

    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink, row: Format) -> None:
        self.recipe = recipe
        self.sink = sink
        self.balance = plan.balance
        self.folders: Mapping[Path, Path] = row.folders(plan.balance)
        self._ending = row.caption_ending(recipe)
        self._write_empty = row.write_empty_captions

    def base(self, item: Item) -> str:
        """Return the path of a picture without its ending."""
        return "/".join((*self.folders[item.folder], item.stem))

    def side_files(self, item: Item, written: Written) -> Iterator[tuple[str, bytes]]:
        """Yield the caption and the JSON of a picture."""
        base = self.base(item)
        if item.captions or self._write_empty:
            yield base + self._ending, "\n".join(item.captions).encode()
        yield from metadata_files(base, item, written, self.recipe, group="/".join(self.folders[item.folder]))

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Nothing: no file describes all pictures."""

    def close(self) -> None:
        """Nothing: no file describes all pictures."""


def metadata_files(
    base: str, item: Item, written: Written, recipe: Recipe, *, group: str
) -> Iterator[tuple[str, bytes]]:
    """Yield a picture's JSON as `base`.json and, of version v2, also as `.X_meta.json`, where v2's tools look."""
    values = replace(facts(item.picture, recipe), size=written.size)
    body = metadata.written(
        values,
        recipe.metadata.version,
        count_source=recipe.caption.count_source,
        always_facepos=recipe.caption.always_facepos,
        caption=item.caption,
        filename=written.path.rpartition("/")[2],
        group=group,
    )
    text = json_line(body | _how_created(item, model=written.upscaler))
    if recipe.metadata.version == "v2":
        folder, _, stem = base.rpartition("/")
        yield (f"{folder}/.{stem}_meta.json" if folder else f".{stem}_meta.json"), text
    yield f"{base}.json", text


def json_line(data: Mapping[str, Any]) -> bytes:
    """Return JSON in one line."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _how_created(item: Item, *, model: str) -> dict[str, Any]:
    """Return how the picture was processed beyond cropping: upscaling passes, and what a face was cropped from."""
    result: dict[str, Any] = {}
    if item.all_passes:
        result["upscale"] = {"passes": item.all_passes, "model": model}
    crop = item.crop
    if crop is not None and crop.face is not None:
        result["face_set"] = {
            "source": item.picture.key.rpartition(":crop")[0],
            "face": [round(side, 1) for side in crop.face],
            "square": [crop.left, crop.top, crop.side],
            "border": crop.border or "inside",
        }
    return result


def count_pictures(folder: DiskPath, recipe: Recipe, row: Format) -> Contents:
    """Count pictures in a written dataset as trainers do that skip hidden folders, and those with a caption file."""
    ending = row.caption_ending(recipe)
    pictures = captions = 0
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        parts = DiskPath(root).relative_to(folder).parts
        present = set(names)
        for name in names:
            path = DiskPath(name)
            if path.suffix.lower() in PICTURE_SUFFIXES and not is_mask((*parts, name)):
                pictures += 1
                captions += path.stem + ending in present
    return Contents(pictures=pictures, captions=captions)
