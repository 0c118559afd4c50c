"""Reads pictures, folders and zips of pictures into Frame rows; unreadable files are listed with the reason.

Every original file is stored unchanged. Rows of earlier versions get theirs from the source if it still exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from ingest import humane
from ingest.actions import originals
from ingest.algorithms.descriptors import DESCRIPTOR_VERSION
from ingest.algorithms.quality import QUALITY_VERSION, overall
from ingest.errors import BadInput, KomaError
from ingest.imaging.archive import BadArchive, BadMember, Member, ZipReader
from ingest.imaging.decode import UnreadablePicture
from ingest.imaging.encode import PictureFormat
from ingest.imaging.folders import ending_of, list_folder, natural_key
from ingest.imaging.formats import PICTURE_ENDINGS
from ingest.imaging.names import plain_text
from ingest.imaging.passes import read_passes
from ingest.imaging.sidecars import is_side_file
from ingest.imaging.still import Still, read_stills
from ingest.imaging.store import StoreFull
from ingest.models import Episode, Frame, OriginalUse, SkippedInput, SourceKind
from ingest.pipeline.contract import Context, Stage
from ingest.pipeline.side_by_side import side_by_side
from ingest.restoring import source_path
from ingest.stages.choices import COPY_FORMAT, COPY_QUALITY, EVERY_PICTURE, PICTURES_OF_FILE_MAX, USE_DAMAGED
from ingest.stages.shelf import Shelf
from ingest.storage import stored_files
from ingest.storage.stored_files import store

BATCH = 16
BATCH_BYTES = 48 * 2**20  # of files; a larger one is a batch by itself
THREADS = 2
NAME_CHARS_MAX = 400  # of Frame.name


@dataclass(slots=True)
class PictureChoices:
    """Settings of a run. Raises ValueError."""

    picture_format: str = field(default=PictureFormat.name, metadata=COPY_FORMAT)
    picture_quality: int = field(default=PictureFormat.quality, metadata=COPY_QUALITY)
    use_damaged: bool = field(default=False, metadata=USE_DAMAGED)
    every_picture: bool = field(default=False, metadata=EVERY_PICTURE)

    def __post_init__(self) -> None:
        self.format()

    def format(self) -> PictureFormat:
        """The format of working copies. Raises ValueError."""
        return PictureFormat(self.picture_format, self.picture_quality)


@dataclass(slots=True)
class Item:
    """A file to read: its index in the episode and its bytes or path.

    `frame`: key of its existing row that has no original; 0 for a new file.
    """

    index: int
    name: str
    frame: int = 0
    data: bytes | Path = b""
    problem: str = ""


@dataclass(slots=True)
class Done:
    """The result for one picture of an item: the names of its files, or the problem."""

    item: Item
    still: Still | None = None
    original: str = ""
    original_bytes: int = 0
    file: str = ""
    copy_bytes: int = 0
    preview: str = ""
    problem: str = ""
    is_partial: bool = False  # the problem concerns further pictures of a readable file
    passes: int = 0  # of upscaling, according to the file


class ReadPictures(Stage[list[Item], list[Done]]):
    """Read single pictures, folders and zips; a second pass reads only new files and those that were unreadable."""

    name = "read_pictures"
    label = "Pictures"
    about = "Stores original pictures from files, folders and zips; reads new ones and retries unreadable ones."
    queue = "cpu"
    writes_files = True
    params_type = PictureChoices

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._ignored = self._next_index = 0
        self._original_bytes = self._copy_bytes = 0
        self._freed_files: list[str] = []  # names of files that rows no longer use

    @property
    def _episode(self) -> Episode:
        assert self.ctx.episode is not None
        return self.ctx.episode

    def applies(self) -> bool:
        """Only for pictures; films have a stage of their own."""
        return self.ctx.episode is not None and self._episode.source.kind == SourceKind.PICTURES

    def batches(self) -> Iterator[list[Item]]:
        """Yield files without a row in natural order. Raises BadInput if the source is missing or not a zip."""
        path, name = source_path(self._episode.source), self._episode.source.name
        if not path.exists():
            raise BadInput(f"{name} is missing. Restore the file, then press Retry.")
        if path.is_dir():
            return self._folder_batches(path)
        return (
            self._single_picture(path, name)
            if ending_of(path.name) in PICTURE_ENDINGS
            else self._zip_batches(path, name)
        )

    def work(self, batch: list[Item]) -> list[Done]:
        """Decode, describe, encode and store. Raises KomaError on a full disk; earlier batches stay."""
        choices, shelf = self.ctx.params, Shelf(self.ctx.spend)
        try:
            read = side_by_side(lambda item: _read(item, choices, shelf), batch, threads=THREADS, alive=self.ctx.alive)
        except BaseException as error:
            stored_files.remove_unused(store(), shelf.names)  # no row will refer to them
            if isinstance(error, StoreFull):
                raise KomaError(str(error), permanent=False) from error
            raise
        return [done for results in read for done in results]

    def save(self, result: list[Done]) -> int:
        """Write rows by (episode, index) and name; files that are readable now leave the list of unreadable ones."""
        episode = self._episode
        saved_names = set(
            Frame.objects.filter(episode=episode, name__in=[done.item.name for done in result]).values_list(
                "name", flat=True
            )
        )
        rows = [
            _build_row(episode, done) for done in result if done.still is not None and done.item.name not in saved_names
        ]
        used_indexes: set[int] = set()
        for row in rows:  # the first picture of a file takes its index, the others come last
            if row.index in used_indexes:
                row.index, self._next_index = self._next_index, self._next_index + 1
            used_indexes.add(row.index)
        Frame.objects.bulk_create(rows)
        self._give_originals([done for done in result if done.item.frame and done.still is not None])
        for done in result:
            if done.item.frame:
                if done.still is None:
                    self.ctx.log(f"{done.problem} The frame keeps its stored picture.")
            elif done.is_partial:
                self.ctx.log(done.problem)
            elif done.still is None:
                SkippedInput.objects.update_or_create(
                    collection_id=episode.collection_id, episode=episode, name=done.item.name[:NAME_CHARS_MAX],
                    defaults={"reason": done.problem},
                )  # fmt: skip
                self.ctx.log(done.problem)
        read = [done.item.name for done in result if done.still is not None]
        SkippedInput.objects.filter(episode=episode, name__in=read).delete()
        self.ctx.count("kept", len(rows))
        for done in result:
            self._original_bytes += done.original_bytes
            self._copy_bytes += done.copy_bytes
        return len({id(done.item) for done in result})

    def _give_originals(self, result: list[Done]) -> None:
        """Give rows of an earlier version their original files; replaced files are deleted at the end."""
        for done in result:
            assert done.still is not None
            freed = originals.assign(
                frame=done.item.frame,
                original=originals.Original(done.original, done.original_bytes, OriginalUse(done.still.use)),
                file=done.file,
                preview=done.preview,
            )
            if freed is None:
                self.ctx.log(
                    f"{plain_text(done.item.name)} is a different picture now; the frame keeps its stored picture."
                )
                self._freed_files += [done.original, done.file, done.preview]
            else:
                self.ctx.count("originals")
                self._freed_files += freed

    def finish(self) -> None:
        """Update the episode and delete files that rows no longer use (all at once: it searches the history)."""
        episode = self._episode
        if self._freed_files:
            transaction.on_commit(lambda: stored_files.remove_unused(store(), self._freed_files))
        frames = Frame.objects.filter(episode=episode).count()
        skipped = SkippedInput.objects.filter(episode=episode).count()
        if skipped:  # not per batch, since an interrupted run tries them again
            self.ctx.counters["unreadable"] = skipped
        episode.decoded = frames + skipped
        episode.warnings = (
            [f"{skipped:,} of {episode.decoded:,} files could not be used; see the list."] if skipped else []
        )
        episode.extracted_at = timezone.now()
        episode.save(update_fields=["decoded", "warnings", "extracted_at"])
        if self._original_bytes:
            self.ctx.log(
                f"Stored {humane.filesize(self._original_bytes)} of original files and "
                f"{humane.filesize(self._copy_bytes)} of working copies."
            )
        if self._ignored:
            self.ctx.log(f"{self._ignored:,} files of operating systems were ignored.")

    def _folder_batches(self, root: Path) -> Iterator[list[Item]]:
        listing = list_folder(root)
        batch = _Batch()
        for item in self._pending(listing.pictures, listing.refused):
            if not item.problem:
                item.data = root / item.name
            if batch.is_full_with(item):
                yield batch.take()
            batch.items.append(item)
        yield batch.take()

    def _single_picture(self, path: Path, name: str) -> Iterator[list[Item]]:
        """A single picture under its original name; uploads are stored under another."""
        items = self._pending([name], {})
        for item in items:
            item.data = path
        yield items

    def _zip_batches(self, path: Path, name: str) -> Iterator[list[Item]]:
        try:
            reader = ZipReader(path, name=name)
        except BadArchive as error:
            raise BadInput(str(error)) from error
        with reader:
            pictures, refused = _sorted_members(reader)
            self._ignored = sum(member.leftover for member in reader.refused)
            batch = _Batch()
            for item in self._pending(list(pictures), refused):
                if not item.problem:
                    try:
                        item.data = reader.read(pictures[item.name])
                    except BadMember as error:
                        item.problem, item.data = str(error), b""
                if batch.is_full_with(item):
                    yield batch.take()
                batch.items.append(item)
            yield batch.take()

    def _pending(self, names: list[str], refused: dict[str, str]) -> list[Item]:
        """Assign indexes in natural order; names that were added later come after all existing rows."""
        rows = dict(Frame.objects.filter(episode=self._episode).values_list("name", "index"))
        without_original = dict(Frame.objects.filter(episode=self._episode, original="").values_list("name", "pk"))
        used_indexes = set(rows.values())
        next_index = max([len(names), *(index + 1 for index in used_indexes)])
        items = []
        for index, name in enumerate(names):
            if name in rows:
                if name in without_original:
                    items.append(Item(rows[name], name, frame=without_original[name]))
                continue
            if index in used_indexes:
                index, next_index = next_index, next_index + 1
            too_long_text = f"{plain_text(name)}: its path is longer than {NAME_CHARS_MAX} characters. Shorten it."
            items.append(Item(index, name, problem=too_long_text if len(name) > NAME_CHARS_MAX else ""))
        items += [Item(-1, name, problem=f"{plain_text(name)}: {reason}.") for name, reason in refused.items()]
        self._next_index = next_index
        self.ctx.start_over()
        # read by an interrupted attempt or an earlier run
        self.ctx.done = sum(name in rows and name not in without_original for name in names)
        self.ctx.total = len(items)
        return items


class _Batch:
    """Collects items up to BATCH or BATCH_BYTES."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def is_full_with(self, item: Item) -> bool:
        size = sum(_size(queued) for queued in self.items)
        return len(self.items) >= BATCH or (bool(self.items) and size + _size(item) > BATCH_BYTES)

    def take(self) -> list[Item]:
        items, self.items = self.items, []
        return items


def _read(item: Item, choices: PictureChoices, shelf: Shelf) -> list[Done]:
    """Read a file and store its pictures one by one, since an animation would fill the memory."""
    if item.problem:
        return [Done(item, problem=item.problem)]
    results: list[Done] = []
    try:
        passes = read_passes(item.data)
        pictures_max = PICTURES_OF_FILE_MAX if choices.every_picture and not item.frame else 0
        for still in read_stills(
            item.data,
            name=item.name,
            picture_format=choices.format(),
            use_damaged=choices.use_damaged,
            pictures_max=pictures_max,
        ):
            results.append(_store_files(Done(item, still=still, passes=passes), results[0] if results else None, shelf))
    except UnreadablePicture as error:
        if choices.use_damaged and not results and choices.every_picture:
            return _read(item, replace(choices, every_picture=False), shelf)
        results.append(Done(item, problem=str(error), is_partial=bool(results)))
    finally:
        item.data = b""
    return results


def _store_files(done: Done, first: Done | None, shelf: Shelf) -> Done:
    """Store the picture's files; pictures of one file share the original of the `first`. Raises as `Shelf.put`."""
    still = done.still
    assert still is not None
    files = [(still.preview, "jpg")]
    if first is None:
        files.append((still.original, still.original_suffix))
        done.original_bytes = len(still.original)
    if still.full:
        files.append((still.full, still.suffix))
        done.copy_bytes = len(still.full)
    names = iter(shelf.put(files))
    done.preview = next(names)
    done.original = next(names) if first is None else first.original
    done.file = next(names) if still.full else done.original
    still.original = still.full = still.preview = b""
    return done


def _build_row(episode: Episode, done: Done) -> Frame:
    still = done.still
    assert still is not None
    measures: dict[str, Any] = still.measures.as_dict()
    if still.background is not None:
        measures["background"] = still.background
    if still.notes:
        measures["notes"] = list(still.notes)
    if done.passes:
        measures["upscaled"] = done.passes  # by Koma, before it was added: exports continue the count
    return Frame(
        collection_id=episode.collection_id,
        episode=episode,
        index=done.item.index,
        name=done.item.name,
        width=still.width,
        height=still.height,
        file=done.file,
        original=done.original,
        original_bytes=done.original_bytes,
        original_use=still.use,
        page=still.page,
        preview=done.preview,
        placeholder=still.placeholder,
        descriptor=still.descriptor.tobytes(),
        descriptor_version=DESCRIPTOR_VERSION,
        quality=overall(still.measures),
        quality_version=QUALITY_VERSION,
        measures=measures,
    )


def _sorted_members(reader: ZipReader) -> tuple[dict[str, Member], dict[str, str]]:
    """Pictures in natural order, and reasons by name for all other members except tag files."""
    pictures: list[Member] = []
    refused = {entry.name: entry.reason for entry in reader.refused if not entry.leftover}
    for member in reader.members:
        ending = ending_of(member.name)
        if ending in PICTURE_ENDINGS:
            pictures.append(member)
        elif not is_side_file(member.name.rpartition("/")[2]):
            refused[member.name] = "its name is not that of a picture"
    pictures.sort(key=lambda member: (natural_key(member.name), member.name))
    return {member.name: member for member in pictures}, refused


def _size(item: Item) -> int:
    if isinstance(item.data, bytes):
        return len(item.data)
    try:
        return item.data.stat().st_size
    except OSError:
        return 0
