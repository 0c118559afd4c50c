"""Caption and JSON beside each picture, in folders as planned: what most trainers read, and what is imported again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path as DiskPath
from typing import Any

from export.algorithms import metadata
from export.algorithms.balance import Balance, FolderShare
from export.algorithms.plan import Item, Plan, facts
from export.algorithms.recipe import Recipe
from export.formats import masks
from export.formats.contract import Contents, Format, Path, Sink, Written
from ingest import humane
from ingest.imaging.formats import PICTURE_SUFFIXES

HOW_TO_START = "HOW_TO_START.md"
REGULARIZATION = "regularization"  # the image type of pictures that keep what a model knew before

Caption = Callable[[Item], bytes]


def caption_lines(item: Item) -> bytes:
    """Return the captions of a picture, one per line."""
    return "\n".join(item.captions).encode()


class SideFiles:
    """A writer of pictures in folders, each with a caption and a JSON file; formats add files for all of them.

    `with_json`: some trainers read any JSON beside pictures as captions. `caption`: the content of a caption file.
    """

    def __init__(
        self, plan: Plan, recipe: Recipe, sink: Sink, row: Format, *, with_json: bool = True,
        caption: Caption = caption_lines,
    ) -> None:  # fmt: skip
        self.plan, self.recipe, self.sink, self.row = plan, recipe, sink, row
        self.folders: Mapping[Path, Path] = row.folders(plan.balance)
        self._ending = row.caption_ending(recipe)
        self._with_json, self._caption = with_json, caption
        self.without_caption = 0

    def base(self, item: Item) -> str:
        """Return the path of a picture without its ending."""
        return "/".join((*self.folders[item.folder], item.stem))

    def mask(self, item: Item) -> str:
        """Return the path of its mask."""
        return masks.place(self.base(item), self.recipe.output.masks)

    def side_files(self, item: Item, written: Written) -> Iterator[tuple[str, bytes]]:
        """Yield the caption and the JSON of a picture."""
        base = self.base(item)
        content = self._caption(item) if item.captions else self.row.empty_caption
        if content is not None:
            yield base + self._ending, content
        if self._with_json:
            yield from metadata_files(base, item, written, self.recipe, group="/".join(self.folders[item.folder]))

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Count pictures without a caption."""
        self.without_caption += not item.captions

    def close(self) -> tuple[str, ...]:
        """Write nothing: no file describes all pictures."""
        return ()

    def shares(self) -> list[tuple[FolderShare, str]]:
        """Return the folders with pictures and their written paths, sorted."""
        rows = ((share, "/".join(self.folders[share.path])) for share in self.plan.balance.folders)
        return sorted(rows, key=lambda row: row[1])

    def is_regularization(self, share: FolderShare) -> bool:
        """Return whether a folder holds regularization pictures only: the level `image_type` says so."""
        return REGULARIZATION in share.path and "image_type" in self.recipe.arrange.format.split("/")

    @property
    def resolution(self) -> int:
        """Pixels to train at: the size that the recipe limits pictures to, else SDXL's 1024."""
        return self.recipe.selection.size or 1024

    def how_to_start(self, title: str, *lines: str) -> None:
        """Write the short text that says how to start the program, with what is in the dataset."""
        balance = self.plan.balance
        counts = f"{humane.count(balance.pictures, 'picture')} in {humane.count(len(balance.folders), 'folder')}"
        text = "\n".join((f"# {title}", "", f"{counts}, {balance.epoch:,.0f} per epoch as planned.", "", *lines))
        self.sink.write(HOW_TO_START, f"{text}\n".encode())


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


def json_line(data: Any) -> bytes:
    """Return JSON in one line."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def json_text(data: Any) -> bytes:
    """Return JSON that people read."""
    return json.dumps(data, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"


def quoted(text: str) -> str:
    """Return a text as TOML and YAML read it: both accept JSON's strings where every control sign is escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


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


def pictures_below(folder: DiskPath) -> Iterator[tuple[str, set[str]]]:
    """Yield the path of each picture below a dataset, sorted, and the names in its folder; without masks.

    Folders that begin with a dot are skipped, as by trainers.
    """
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        parts = DiskPath(root).relative_to(folder).parts
        present = set(names)
        for name in sorted(names):
            is_picture = os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES  # noqa: PTH122 - a million names
            if is_picture and not name.startswith(".") and not masks.is_mask((*parts, name)):
                yield "/".join((*parts, name)), present


def count_pictures(folder: DiskPath, recipe: Recipe, row: Format) -> Contents:
    """Count the pictures of a written dataset, and those with a caption file."""
    ending = row.caption_ending(recipe)
    pictures = captions = 0
    for path, present in pictures_below(folder):
        pictures += 1
        captions += f"{path.rpartition('/')[2].rpartition('.')[0]}{ending}" in present
    return Contents(pictures=pictures, captions=captions)


def below(top: str) -> Callable[[Balance], Mapping[Path, Path]]:
    """Return the folders of a format that has the planned ones below the folder `top`."""
    return lambda balance: {share.path: (top, *share.path) for share in balance.folders}


def leaves_below(top: str) -> Callable[[Balance], Mapping[Path, Path]]:
    """Return the folders, below `top`, of a format whose program reads each folder with its sub-folders.

    Pictures beside sub-folders lie in a sub-folder `_` of their own, so that none is read twice.
    """

    def folders(balance: Balance) -> Mapping[Path, Path]:
        paths = [share.path for share in balance.folders]
        inner = {path[:depth] for path in paths for depth in range(len(path))}
        return {path: (top, *path, "_") if path in inner else (top, *path) for path in paths}

    return folders


def levels_below(folders: Path) -> Path:
    """Return the planned levels of a folder of `below` or `leaves_below`."""
    levels = folders[1:]
    return levels[:-1] if levels[-1:] == ("_",) else levels


def one_folder(*folder: str) -> Callable[[Balance], Mapping[Path, Path]]:
    """Return the folders of a format that has all pictures in one."""
    return lambda balance: dict.fromkeys((share.path for share in balance.folders), folder)


def needs_txt(program: str) -> Callable[[Recipe], tuple[str, ...]]:
    """Return why a recipe with another ending of captions cannot be written for a program that reads .txt only."""
    text = f"{program} reads captions from .txt files only. Choose the ending .txt."
    return lambda recipe: (text,) if recipe.output.caption_ending == ".caption" else ()


def several_captions(text: str) -> Callable[[Recipe], tuple[str, ...]]:
    """Return the warnings of a format whose program reads several captions per picture in this way."""
    return lambda recipe: () if recipe.output.captions == "first" else (text,)


def without_onetrainer_masks(recipe: Recipe) -> tuple[str, ...]:
    """Return why masks beside pictures cannot be written: all other trainers read them as pictures."""
    if recipe.output.masks != "onetrainer":
        return ()
    return (
        "Masks next to each picture are only for OneTrainer; this trainer would learn the masks as pictures. "
        "Choose the format OneTrainer, or masks in a folder.",
    )
