"""Writing of a planned dataset to a folder in its format, by streaming: pictures, what lies beside them, a summary.

It can be stopped at any time and resumed: the journal says which pictures are complete. It uses no database.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import cast

from PIL import UnidentifiedImageError

from annotate.backends.contract import Upscaler
from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.build import manifest_file
from export.build.journal import Journal
from export.build.sinks import FolderSink
from export.build.summary import Summary
from export.formats import masks
from export.formats.contract import Format, PackingWriter, Writer, Written
from export.formats.masks import Masker
from export.formats.pictures import Growth, encoding_for, ending, is_unchanged, picture_bytes
from export.formats.registry import format_of, problems_of, warnings_of
from ingest.errors import BadInput, KomaError
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import Store, UnknownName

EARLIER = "an earlier step"  # upscaled before the picture came here
_THREADS = max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2)
_WINDOW = 8  # stored pictures per thread that are begun before the first is complete
_BATCH = 16  # stored pictures between checks for a cancel and progress reports
_ALIVE_EVERY_S = 5.0
_FAILED_MAX = 1000

OnProgress = Callable[[int], None]


@dataclass(slots=True)
class Built:
    """Result: items written now and earlier, and stored pictures that failed, each with its reason."""

    written: int = 0
    resumed: int = 0
    failed: list[str] = field(default_factory=list)
    failed_count: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a stored picture: its items as written, with their bytes if the format packs them; or a reason."""

    written: tuple[Written, ...] = ()
    pictures: tuple[bytes | None, ...] = ()
    failed: str = ""


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
    """Write all files of the plan below `folder`; `on_progress` gets the number of items done and may raise to stop.

    `upscaler` is needed where items have passes, `masker` where the recipe wants masks.

    A folder with part of the same plan is completed, one with part of another plan is emptied first. Raises BadInput
    when the recipe cannot be written in its format, KomaError when a picture cannot be read (complete ones stay, so
    that a retry continues) or is not found again afterwards, and StoreFull.
    """
    row = format_of(recipe)
    if problems := problems_of(recipe):
        raise BadInput(" ".join(problems))
    if upscaler is None and any(plan.upscaled) and any(item.passes for item in plan.items):
        raise ValueError("the plan upscales pictures, so an upscaler must be given")
    if (masker is None) != (recipe.output.masks == "none"):
        raise ValueError("a masker must be given where the recipe uses masks, and only there")
    with Journal(folder, _digest(plan, recipe, upscaler, masker)) as journal:
        sink = FolderSink(folder, reserve_bytes=store.reserve_bytes)
        writer = row.open(plan, recipe, sink)
        engine = _Engine(recipe, row, writer, store, sink, upscaler, masker)
        warnings = (*plan.warnings, *warnings_of(recipe, plan.balance))
        summary = Summary(plan, recipe, row, sink)
        built = Built(warnings=warnings)
        _write_all(plan, engine, journal, summary, built, on_progress)
        if built.failed:
            raise KomaError(
                f"{built.failed_count} pictures could not be written. First: {built.failed[0]} "
                "Leave these frames out or restore their files, then press Retry.",
            )
        built.warnings += writer.close()
        _check(plan, recipe, row, engine, journal, on_progress)
        if isinstance(plan.items, manifest_file.Manifest):
            sink.copy(plan.items.path, manifest_file.NAME)
        summary.close(built.warnings)
        journal.remove()
    return built


def _write_all(
    plan: Plan, engine: _Engine, journal: Journal, summary: Summary, built: Built, on_progress: OnProgress
) -> None:
    """Write what the journal does not have, several pictures at once, and hear of each in the order of the plan."""
    begun: deque[tuple[int, tuple[Item, ...], Future[_Outcome] | _Outcome]] = deque()
    unsafe: deque[tuple[int, tuple[Written, ...], int]] = deque()  # in archives that are not complete yet
    done = reported = 0

    def report(count: int) -> None:
        nonlocal reported
        reported = max(reported, count)
        on_progress(reported)

    def alive() -> None:
        report(done + sum(len(items) for _, items, task in begun if isinstance(task, Future) and task.done()))

    def finish_first() -> None:
        nonlocal done
        number, items, task = begun.popleft()
        outcome = task if isinstance(task, _Outcome) else _result(task, alive)
        if number % _BATCH == 0:
            report(done)
            journal.flush()
        done += len(items)
        if outcome.failed:
            built.failed_count += 1
            if len(built.failed) < _FAILED_MAX:
                built.failed.append(outcome.failed)
            if engine.row.packs:  # what follows could not be packed in the order of the plan
                raise KomaError(f"A picture could not be written: {outcome.failed} Leave it out, then press Retry.")
            return
        is_new = isinstance(task, Future)
        for item, written, picture in zip(items, outcome.written, outcome.pictures, strict=True):
            engine.writer.add(item, written, picture)
            summary.add(item, written)
        built.written += len(items) if is_new else 0
        built.resumed += 0 if is_new else len(items)
        if is_new and not engine.row.packs:
            journal.add(number, outcome.written)
        elif is_new:
            unsafe.append((number, outcome.written, done))
            safe = cast("PackingWriter", engine.writer).safe
            while unsafe and unsafe[0][2] <= safe:
                journal.add(*unsafe.popleft()[:2])

    pool = ThreadPoolExecutor(_THREADS)
    try:
        report(0)
        for number, items in enumerate(_works(plan.items)):
            earlier = engine.complete_before(items, journal.written(number))
            begun.append((number, items, earlier or pool.submit(engine.write, items)))
            if len(begun) >= _THREADS * _WINDOW:
                finish_first()
        while begun:
            finish_first()
        report(done)
    finally:
        pool.shutdown(cancel_futures=True)  # running ones end by themselves
        for number, _, task in begun if not engine.row.packs else ():  # done, but not heard of when it was stopped
            if isinstance(task, Future) and not task.cancelled() and task.exception() is None and task.result().written:
                journal.add(number, task.result().written)
        journal.flush()


def _result(task: Future[_Outcome], alive: Callable[[], None]) -> _Outcome:
    """The result; `alive` is called every few seconds meanwhile (upscaling takes long), and may raise to stop."""
    while not task.done() and wait((task,), timeout=_ALIVE_EVERY_S).not_done:
        alive()
    return task.result()


def _check(plan: Plan, recipe: Recipe, row: Format, engine: _Engine, journal: Journal, on_progress: OnProgress) -> None:
    """Read every file of the dataset back, as it was written and as its program reads it. Raises KomaError."""
    total = len(plan.items)
    if not row.packs:
        begun: deque[tuple[int, Future[str]]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            for number in range(len(journal)):
                begun.extend((number, pool.submit(engine.fault_in, row)) for row in journal.written(number) or ())
                while len(begun) > _THREADS * _WINDOW or (begun and number == len(journal) - 1):
                    checked, task = begun.popleft()
                    if fault := task.result():
                        journal.add(checked, ())  # written again by the next call
                        raise KomaError(
                            f"{fault} was not written correctly. Press Retry; if it happens again, check the disk."
                        )
                if number % 256 == 0:
                    on_progress(total)
    contents = row.check(engine.sink.root, recipe)
    if contents.pictures != total:
        journal.forget()
        raise KomaError(
            f"{row.label}: {total:,} pictures were written, but its reader finds {contents.pictures:,}. "
            "Another program may have changed the folder meanwhile. Press Retry."
        )


def _digest(plan: Plan, recipe: Recipe, upscaler: Upscaler | None, masker: Masker | None) -> str:
    digest = hashlib.sha256(recipe.digest.encode())
    if masker is not None:
        digest.update(masker.identity.encode())
    if upscaler is not None:
        digest.update(repr(upscaler.info).encode())
    if isinstance(plan.items, manifest_file.Manifest):
        digest.update(plan.items.sha256().encode())
        return digest.hexdigest()
    for item in plan.items:
        digest.update(repr(item).encode("utf-8", "replace"))
    return digest.hexdigest()


def _works(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Yield the items of one stored picture together: itself and its crops."""
    for _, group in groupby(items, key=lambda item: item.picture.key.split(":crop")[0]):
        yield tuple(group)


@dataclass(frozen=True, slots=True)
class _Engine:
    """Writes the items of one stored picture; used by several threads."""

    recipe: Recipe
    row: Format
    writer: Writer
    store: Store
    sink: FolderSink
    upscaler: Upscaler | None
    masker: Masker | None

    def complete_before(self, items: Sequence[Item], written: Sequence[Written] | None) -> _Outcome | None:
        """Return what an earlier call wrote, if its files are still there."""
        if written is None or len(written) != len(items):
            return None
        if not self.row.packs and not all(self.sink.has(row.path) for row in written):
            return None
        return _Outcome(tuple(written), (None,) * len(items))

    def write(self, items: tuple[Item, ...]) -> _Outcome:
        """Write the items of one stored picture; a reason instead of an exception where it cannot be read."""
        try:
            return self._write(items)
        except (FileNotFoundError, UnknownName) as error:
            return _Outcome(failed=f"{items[0].stem}: its stored picture is gone ({error}).")
        except UnreadablePicture as error:
            return _Outcome(failed=str(error))
        except BadInput as error:  # of a model
            return _Outcome(failed=f"{items[0].stem}: {error.message}")

    def fault_in(self, written: Written) -> str:
        """Return the path of a written file whose bytes are not those that were written; else nothing."""
        path = self.sink.path(written.path)
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return written.path
        return "" if sha256 == written.sha256 else written.path

    def _write(self, items: tuple[Item, ...]) -> _Outcome:
        source = items[0].picture.source
        unchanged = [_is_copied(item, self.recipe) for item in items]
        data = b""
        if self.masker is not None or self.row.packs or not all(unchanged):
            data = self.store.read(source)
        rgb = None if all(unchanged) and self.masker is None else read_picture(data, name=items[0].stem).rgb
        mask = None if self.masker is None or rgb is None else self.masker.mask(rgb)
        rows: list[Written] = []
        pictures: list[bytes | None] = []
        for item, is_copy in zip(items, unchanged, strict=True):
            base = self.writer.base(item)
            path = base + ending(item.picture, self.recipe.selection, unchanged=is_copy)
            growth = _growth(item, self.upscaler)
            if is_copy:
                picture, size = data, self._size_of_stored(item)
                sha256 = Path(source).stem  # names of the store are hashes
            else:
                assert rgb is not None
                encoding = encoding_for(item.picture, self.recipe.selection)
                picture = picture_bytes(rgb, self.recipe.selection, item.crop, growth, encoding=encoding)
                size, sha256 = masks.size_of(picture), hashlib.sha256(picture).hexdigest()
            mask_path = ""
            if mask is not None:
                mask_path = self.writer.mask(item)
                self.sink.write(mask_path, masks.mask_bytes(mask, size, item.crop))
            length = len(picture)
            if not self.row.packs:
                if is_copy and not data:
                    length = self.sink.copy(self.store.path(source), path)
                else:
                    self.sink.write(path, picture)
            model = growth.model if item.all_passes else ""
            written = Written(path=path, size=size, bytes=length, sha256=sha256, mask=mask_path, upscaler=model)
            for name, content in self.writer.side_files(item, written):
                self.sink.write(name, content)
            rows.append(written)
            pictures.append(picture if self.row.packs else None)
        return _Outcome(tuple(rows), tuple(pictures))

    def _size_of_stored(self, item: Item) -> tuple[int, int]:
        """Return (width, height) of the bytes of a stored file, which for an original may be turned by its EXIF."""
        if item.picture.original and item.picture.use != "plain":
            try:
                return masks.size_of(self.store.read(item.picture.source))
            except UnidentifiedImageError:  # HEIC and rare TIFFs, which have their own decoders
                pass
        return (item.picture.width, item.picture.height)


def _is_copied(item: Item, recipe: Recipe) -> bool:
    """Return whether the file is copied byte for byte. An original states earlier upscaling; a stored copy does not."""
    is_uncut = item.crop is None and item.size is None and not item.passes
    names_passes = item.picture.original or not item.all_passes
    return bool(is_uncut and names_passes) and is_unchanged(item.picture, recipe.selection)


def _growth(item: Item, upscaler: Upscaler | None) -> Growth:
    model = upscaler.info.name if upscaler is not None and item.passes else ""
    enlarge = partial(upscaler.upscale, times=item.passes) if upscaler is not None and item.passes else None
    return Growth(enlarge, item.size, item.all_passes, model or EARLIER)
