"""Writes a planned data set into a folder: pictures, JSON, captions, multiply.txt, and at last a manifest.

Can be stopped at any moment and goes on where it was: a picture whose JSON is there is whole. Knows no database.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from export.algorithms import metadata
from export.algorithms.plan import Item, Plan, caption_of, facts
from export.formats.contract import Layout
from export.formats.pictures import ENDINGS, is_unchanged, picture_bytes
from export.formats.registry import layout_for
from export.recipe import Recipe
from export.sinks import FolderSink
from ingest.errors import KomaError
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import Store, UnknownName

MANIFEST = "dataset.json"
_MARK = ".building.json"
_THREADS = 2
_BATCH = 16  # pictures between two looks at cancel and progress

Heard = Callable[[int], None]


@dataclass(slots=True)
class Built:
    """What was written: items, bytes of pictures, and those that could not be, each with its reason."""

    written: int = 0
    resumed: int = 0
    failed: list[str] = field(default_factory=list)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Work:
    """The items of one stored picture: itself and its crops."""

    items: tuple[Item, ...]


def build(plan: Plan, recipe: Recipe, *, store: Store, folder: Path, heard: Heard = lambda done: None) -> Built:
    """Write all files of the plan below `folder`; `heard` gets the number of items done and may raise to stop.

    A folder with part of the same plan is completed, one with part of another plan is emptied first. Raises KomaError
    when a picture of the plan cannot be read (what is whole stays, so that a later try goes on), StoreFull.
    """
    layout = layout_for(plan, recipe)
    _open(folder, _digest(plan, recipe, layout))
    sink = FolderSink(folder, reserve_bytes=store.reserve_bytes)
    sink.remove_leftovers()
    built = Built(warnings=layout.warnings)
    done = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        for batch in _batches(_works(plan.items), _BATCH):
            heard(done)
            for outcome in pool.map(lambda work: _write(work, recipe, layout, store, sink), batch):
                built.written += outcome.written
                built.resumed += outcome.resumed
                built.failed += outcome.failed
            done += sum(len(work.items) for work in batch)
    heard(done)
    if built.failed:
        raise KomaError(
            f"{len(built.failed)} pictures could not be written. First: {built.failed[0]} "
            "Leave these frames out or bring their files back, then press Resume.",
        )
    for path, data in layout.files.items():
        sink.write(path, data)
    sink.write(MANIFEST, _json(manifest(plan, recipe, layout)))
    (folder / _MARK).unlink(missing_ok=True)
    return built


def manifest(plan: Plan, recipe: Recipe, layout: Layout) -> dict[str, Any]:
    """What the data set is made of, without dates or machine names: recipe, folders, and which picture is which."""
    return {
        "made_by": "Koma",
        "recipe": recipe.as_dict(),
        "recipe_sha256": recipe.digest,
        "pictures": {
            item.stem: {
                "key": item.picture.key,
                "folder": "/".join(layout.folders[item.folder]),
                "characters": list(item.picture.names),
            }
            for item in plan.items
        },
        "folders": [
            {
                "folder": "/".join(layout.folders[share.path]),
                "pictures": share.pictures,
                "probability": round(share.probability, 9),
                "multiply_unclipped": share.unclipped,
                "multiply": share.multiply,
                "epoch_share": round(share.epoch_share, 9),
            }
            for share in plan.balance.folders
        ],
        "images": plan.balance.pictures,
        "epoch": round(plan.balance.epoch, 2),
        "left_out": dict(plan.left_out),
        "warnings": list(layout.warnings),
    }


def _open(folder: Path, digest: str) -> None:
    mark = folder / _MARK
    if folder.exists():
        try:
            same = json.loads(mark.read_text())["plan"] == digest
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if same:
            return
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    mark.write_text(json.dumps({"plan": digest}))


def _digest(plan: Plan, recipe: Recipe, layout: Layout) -> str:
    digest = hashlib.sha256(recipe.digest.encode())
    for item in plan.items:
        square = (item.crop.left, item.crop.top, item.crop.side) if item.crop else None
        digest.update(repr((item.picture, layout.folders[item.folder], item.stem, square)).encode("utf-8", "replace"))
    return digest.hexdigest()


def _works(items: Sequence[Item]) -> Iterator[_Work]:
    for _, group in groupby(items, key=lambda item: item.picture.key.split(":crop")[0]):
        yield _Work(tuple(group))


def _batches(works: Iterable[_Work], size: int) -> Iterator[list[_Work]]:
    source = iter(works)
    while batch := list(islice(source, size)):
        yield batch


def _write(work: _Work, recipe: Recipe, layout: Layout, store: Store, sink: FolderSink) -> Built:
    outcome = Built()
    missing = [item for item in work.items if not sink.has(f"{_base(item, layout)}.json")]
    outcome.resumed = len(work.items) - len(missing)
    if not missing:
        return outcome
    name = work.items[0].picture.file
    try:
        data = store.read(name)
        whole = [item for item in missing if item.crop is None]
        plain = len(whole) == len(missing) and all(
            is_unchanged(name, item.picture.width, item.picture.height, recipe.selection) for item in whole
        )
        rgb = None if plain else read_picture(data, name=work.items[0].stem).rgb
        for item in missing:
            picture = data if rgb is None else picture_bytes(rgb, recipe.selection, item.crop)
            _write_item(item, picture, recipe, layout, sink)
            outcome.written += 1
    except (FileNotFoundError, UnknownName) as error:
        outcome.failed.append(f"{work.items[0].stem}: its stored picture is gone ({error}).")
    except UnreadablePicture as error:
        outcome.failed.append(str(error))
    return outcome


def _write_item(item: Item, picture: bytes, recipe: Recipe, layout: Layout, sink: FolderSink) -> None:
    base = _base(item, layout)
    ending = ENDINGS[recipe.selection.format]
    words = caption_of(item.picture, recipe)
    sink.write(base + ending, picture)
    if words or layout.write_empty_captions:
        sink.write(base + layout.caption_ending, words.encode())
    body = metadata.written(
        facts(item.picture, recipe),
        recipe.metadata.version,
        count_source=recipe.caption.count_source,
        always_facepos=recipe.caption.always_facepos,
        caption=words,
        filename=item.stem + ending,
        group="/".join(layout.folders[item.folder]),
    )
    text = _json(body)
    if recipe.metadata.version == "v2":
        folder, _, stem = base.rpartition("/")
        sink.write(f"{folder}/.{stem}_meta.json" if folder else f".{stem}_meta.json", text)  # where v2's tools look
    sink.write(f"{base}.json", text)  # last: its presence says that this picture is whole


def _base(item: Item, layout: Layout) -> str:
    return "/".join((*layout.folders[item.folder], item.stem))


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, indent=None).encode("utf-8", "replace") + b"\n"
