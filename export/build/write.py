"""Writing of a planned dataset to a folder: pictures, JSON, captions, multiply.txt, and finally a manifest.

It can be stopped at any time and resumed: a picture whose JSON exists is complete. It does not access the database.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from annotate.backends.contract import Upscaler
from export.algorithms import metadata
from export.algorithms.placing import Placed, placed
from export.algorithms.plan import Item, Plan, facts
from export.algorithms.recipe import Recipe
from export.build.sinks import FolderSink
from export.formats import masks
from export.formats.masks import Masker
from export.formats.pictures import Growth, encoding_for, ending, is_unchanged, picture_bytes
from ingest import outside_json
from ingest.errors import BadInput, KomaError
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import Store, UnknownName

MANIFEST = "dataset.json"
EARLIER = "an earlier step"  # upscaled before the picture came here
_MARK = ".building.json"
_THREADS = 2
_BATCH = 16  # pictures between checks for a cancel and progress reports
_ALIVE_EVERY_S = 5.0

OnProgress = Callable[[int], None]


@dataclass(slots=True)
class Built:
    """Result: items and bytes written, and items that failed, each with its reason."""

    written: int = 0
    resumed: int = 0
    failed: list[str] = field(default_factory=list)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Work:
    """The items of one stored picture: itself and its crops."""

    items: tuple[Item, ...]


def build(
    plan: Plan,
    recipe: Recipe,
    *,
    store: Store,
    folder: Path,
    on_progress: OnProgress = lambda done: None,
    upscaler: Upscaler | None = None,
    masker: Masker | None = None,
) -> Built:
    """Write all files of the plan below `folder`; `heard` gets the number of items done and may raise to stop.

    `upscaler` is needed where items have passes, `masker` where the recipe wants masks.

    A folder with part of the same plan is completed, one with part of another plan is emptied first. Raises KomaError
    when a picture cannot be read (complete ones stay, so that a retry continues), and StoreFull.
    """
    layout = placed(plan, recipe)
    if upscaler is None and any(item.passes for item in plan.items):
        raise ValueError("the plan upscales pictures, so an upscaler must be given")
    if (masker is None) != (recipe.output.masks == "none"):
        raise ValueError("a masker must be given where the recipe uses masks, and only there")
    _open(folder, _digest(plan, recipe, layout, upscaler, masker))
    sink = FolderSink(folder, reserve_bytes=store.reserve_bytes)
    sink.remove_leftovers()
    built = Built(warnings=layout.warnings)
    done = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        for batch in _batches(_works(plan.items), _BATCH):
            on_progress(done)
            tasks = [pool.submit(_write, work, recipe, layout, store, sink, upscaler, masker) for work in batch]

            def alive(before: int = done, batch: Any = batch, tasks: list[Future[Built]] = tasks) -> None:
                written = (len(work.items) for work, task in zip(batch, tasks, strict=True) if task.done())
                on_progress(before + sum(written))

            for outcome in _outcomes(tasks, alive):
                built.written += outcome.written
                built.resumed += outcome.resumed
                built.failed += outcome.failed
            done += sum(len(work.items) for work in batch)
    on_progress(done)
    if built.failed:
        raise KomaError(
            f"{len(built.failed)} pictures could not be written. First: {built.failed[0]} "
            "Leave these frames out or restore their files, then press Retry.",
        )
    for path, data in layout.files.items():
        sink.write(path, data)
    sink.write(MANIFEST, _json(manifest(plan, recipe, layout)))
    (folder / _MARK).unlink(missing_ok=True)
    return built


def _outcomes(tasks: list[Future[Built]], alive: Callable[[], None]) -> list[Built]:
    """Results in order; `alive` is called every few seconds meanwhile (upscaling takes long), and may raise to stop."""
    try:
        while wait(tasks, timeout=_ALIVE_EVERY_S).not_done:
            alive()
    except BaseException:
        for task in tasks:
            task.cancel()  # running ones end by themselves
        raise
    return [task.result() for task in tasks]


def manifest(plan: Plan, recipe: Recipe, layout: Placed) -> dict[str, Any]:
    """Return the manifest of a dataset, without dates or machine names: recipe, folders, and all pictures."""
    return {
        "made_by": "Koma",
        "recipe": recipe.as_dict(),
        "recipe_sha256": recipe.digest,
        # Spelling in folder names -> character: two spellings may differ in less than the names do.
        "characters": {spelled: name for name, spelled in sorted(plan.spelled.items())},
        "pictures": {item.stem: _entry(item, layout) for item in plan.items},
        "folders": [
            {
                "folder": "/".join(layout.folders[share.path]),
                "levels": list(share.path),
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
        "upscaled": {str(passes): count for passes, count in sorted(plan.upscaled.items())},
        "warnings": list(layout.warnings),
    }


def _entry(item: Item, layout: Placed) -> dict[str, Any]:
    """Return a picture's manifest entry; `by_person`: the names given by people, if any."""
    picture = item.picture
    entry: dict[str, Any] = {
        "key": picture.key,
        "folder": "/".join(layout.folders[item.folder]),
        "characters": list(picture.names),
    }
    if picture.names_by_person:
        entry["by_person"] = list(picture.names_by_person)
    return entry


def _open(folder: Path, digest: str) -> None:
    marker = folder / _MARK
    if folder.exists():
        try:
            same = outside_json.read(marker)["plan"] == digest
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if same:
            return
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    marker.write_text(json.dumps({"plan": digest}))


def _digest(plan: Plan, recipe: Recipe, layout: Placed, upscaler: Upscaler | None, masker: Masker | None) -> str:
    digest = hashlib.sha256(recipe.digest.encode())
    if masker is not None:
        digest.update(masker.identity.encode())
    if upscaler is not None:
        digest.update(repr(upscaler.info).encode())
    for item in plan.items:
        square = (item.crop.left, item.crop.top, item.crop.side, item.crop.border) if item.crop else None
        facts_of = (item.picture, layout.folders[item.folder], item.stem, square, item.passes, item.size)
        digest.update(repr(facts_of).encode("utf-8", "replace"))
    return digest.hexdigest()


def _works(items: Iterable[Item]) -> Iterator[_Work]:
    for _, group in groupby(items, key=lambda item: item.picture.key.split(":crop")[0]):
        yield _Work(tuple(group))


def _batches(works: Iterable[_Work], size: int) -> Iterator[list[_Work]]:
    source = iter(works)
    while batch := list(islice(source, size)):
        yield batch


def _write(
    work: _Work, recipe: Recipe, layout: Placed, store: Store, sink: FolderSink, upscaler: Upscaler | None,
    masker: Masker | None,
) -> Built:  # fmt: skip
    outcome = Built()
    missing = [item for item in work.items if not sink.has(f"{_base(item, layout)}.json")]
    outcome.resumed = len(work.items) - len(missing)
    if not missing:
        return outcome
    try:
        data = store.read(work.items[0].picture.source)
        as_they_are = [_goes_as_it_is(item, recipe) for item in missing]
        rgb = None if all(as_they_are) and masker is None else read_picture(data, name=work.items[0].stem).rgb
        mask = None if masker is None or rgb is None else masker.mask(rgb)
        for item, unchanged in zip(missing, as_they_are, strict=True):
            growth = _growth(item, upscaler)
            if unchanged or rgb is None:
                picture, size = data, (item.picture.width, item.picture.height)
            else:
                encoding = encoding_for(item.picture, recipe.selection)
                picture = picture_bytes(rgb, recipe.selection, item.crop, growth, encoding=encoding)
                size = masks.size_of(picture)
            if mask is not None:
                path = masks.place(_base(item, layout), recipe.output.masks)
                sink.write(path, masks.mask_bytes(mask, size, item.crop))
            after = ending(item.picture, recipe.selection, unchanged=unchanged)
            _write_item(item, picture, after, recipe, layout, sink, model=growth.model)
            outcome.written += 1
    except (FileNotFoundError, UnknownName) as error:
        outcome.failed.append(f"{work.items[0].stem}: its stored picture is gone ({error}).")
    except UnreadablePicture as error:
        outcome.failed.append(str(error))
    except BadInput as error:  # of a model
        outcome.failed.append(f"{work.items[0].stem}: {error.message}")
    return outcome


def _goes_as_it_is(item: Item, recipe: Recipe) -> bool:
    """Return whether the file is copied byte for byte. An original states earlier upscaling; a stored copy does not."""
    is_uncut = item.crop is None and item.size is None and not item.passes
    names_passes = item.picture.original or not item.all_passes
    return bool(is_uncut and names_passes) and is_unchanged(item.picture, recipe.selection)


def _growth(item: Item, upscaler: Upscaler | None) -> Growth:
    model = upscaler.info.name if upscaler is not None and item.passes else ""
    enlarge = partial(upscaler.upscale, times=item.passes) if upscaler is not None and item.passes else None
    return Growth(enlarge, item.size, item.all_passes, model or EARLIER)


def _write_item(
    item: Item, picture: bytes, after: str, recipe: Recipe, layout: Placed, sink: FolderSink, *, model: str
) -> None:
    """Write the picture with the extension `after`, its caption and its JSON."""
    base = _base(item, layout)
    lines = item.captions
    sink.write(base + after, picture)
    if lines or layout.write_empty_captions:
        sink.write(base + layout.caption_ending, "\n".join(lines).encode())
    body = metadata.written(
        facts(item.picture, recipe),
        recipe.metadata.version,
        count_source=recipe.caption.count_source,
        always_facepos=recipe.caption.always_facepos,
        caption=lines[0] if lines else "",
        filename=item.stem + after,
        group="/".join(layout.folders[item.folder]),
    )
    body |= _how_made(item, model=model)
    text = _json(body)
    if recipe.metadata.version == "v2":
        folder, _, stem = base.rpartition("/")
        sink.write(f"{folder}/.{stem}_meta.json" if folder else f".{stem}_meta.json", text)  # where v2's tools look
    sink.write(f"{base}.json", text)  # last: it marks the picture as complete


def _how_made(item: Item, *, model: str) -> dict[str, Any]:
    """Return how the picture was processed beyond cropping: upscaling passes, and what a face was cropped from."""
    facts: dict[str, Any] = {}
    if item.all_passes:
        facts["upscale"] = {"passes": item.all_passes, "model": model}
    crop = item.crop
    if crop is not None and crop.face is not None:
        facts["face_set"] = {
            "source": item.picture.key.rpartition(":crop")[0],
            "face": [round(side, 1) for side in crop.face],
            "square": [crop.left, crop.top, crop.side],
            "border": crop.border or "inside",
        }
    return facts


def _base(item: Item, layout: Placed) -> str:
    return "/".join((*layout.folders[item.folder], item.stem))


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, indent=None).encode("utf-8", "replace") + b"\n"
