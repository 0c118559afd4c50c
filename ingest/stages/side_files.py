"""Stores the texts of tag files next to pictures (`a.png.tags`, `a.txt`, `a.json`) unchanged.

Each run reads all of them again, so new and changed files are noticed. Another stage interprets the texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.db.models import QuerySet

from ingest import humane
from ingest.errors import BadInput
from ingest.imaging.archive import BadArchive, BadMember, ZipReader
from ingest.imaging.folders import ending_of, list_folder
from ingest.imaging.formats import PICTURE_ENDINGS
from ingest.imaging.sidecars import TEXT_BYTES_MAX, SideFiles, decoded, is_side_file
from ingest.models import Frame, SideFile, SourceKind
from ingest.pipeline.contract import Context, Stage
from ingest.restoring import source_path

BATCH = 500  # frames
NAMES_IN_WARNING = 5
NO_PICTURE_TEXT = "without a picture"
# Identify the warning of an earlier run; the second was written before 0.4.
_WARNING_TEXTS = (NO_PICTURE_TEXT, "lie beside no picture")

Texts = dict[str, str]  # by file name, the most specific kind first
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of tag files by frame key, and messages about files that could not be read."""

    texts_by_frame: dict[int, Texts]
    problems: list[str]


class ReadSideFiles(Stage[Batch, Batch]):
    """Read the tag files of all frames of the episode in each run; the files are small."""

    name = "side_files"
    label = "Tag files"
    about = "Stores new and changed tag files, captions and JSON next to pictures."
    queue = "cpu"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._stack = ExitStack()
        self._index = SideFiles(())

    def applies(self) -> bool:
        """Only for pictures."""
        return self.ctx.episode is not None and self.ctx.episode.source.kind == SourceKind.PICTURES

    def _frames(self) -> QuerySet[Frame]:
        return Frame.objects.filter(episode=self.ctx.episode).exclude(name="").order_by("pk")

    def batches(self) -> Iterator[Batch]:
        """Raises BadInput when the source cannot be read."""
        assert self.ctx.episode is not None
        source = self.ctx.episode.source
        names, read = self._source(source_path(source), source.name, uploaded=source.uploaded)
        self._index = SideFiles(names)
        self.ctx.start_over()
        if not names:
            return
        self.ctx.total = self._frames().count()
        last_key = 0
        while frames := list(self._frames().filter(pk__gt=last_key).values_list("pk", "name")[:BATCH]):
            last_key = frames[-1][0]
            problems: list[str] = []
            yield Batch({pk: self._texts(name, read, problems) for pk, name in frames}, problems)

    def _source(self, path: Path, name: str, *, uploaded: bool) -> tuple[list[str], Read]:
        """Names of the tag files, relative like the frames' names, and a function that reads one."""
        if not path.exists():
            raise BadInput(f"{name} is missing. Restore the file, then press Retry.")
        if path.is_dir():
            return list_folder(path).side_files, partial(_read_head, path)
        if ending_of(path.name) in PICTURE_ENDINGS:
            if uploaded:
                return [], partial(_read_head, path.parent)
            names = [
                entry.name for entry in path.parent.iterdir() if is_side_file(entry.name) and _is_regular_file(entry)
            ]
            return names, partial(_read_head, path.parent)
        try:
            reader = self._stack.enter_context(ZipReader(path, name=name))
        except BadArchive as error:
            raise BadInput(str(error)) from error
        members = {member.name: member for member in reader.members if is_side_file(member.name.rpartition("/")[2])}
        return list(members), lambda member: reader.read(members[member])

    def _texts(self, picture: str, read: Read, problems: list[str]) -> Texts:
        texts: Texts = {}
        for name in self._index.of(picture):
            try:
                data = read(name)
            except (OSError, BadMember) as error:
                problems.append(f"{name} could not be read: {error}")
                continue
            if text := decoded(data).replace("\0", " "):  # PostgreSQL keeps no zero bytes
                if len(data) > TEXT_BYTES_MAX:
                    problems.append(f"{name}: only the first {humane.filesize(TEXT_BYTES_MAX)} were stored")
                texts.setdefault(name.rpartition("/")[2][:400], text)
        return texts

    def work(self, batch: Batch) -> Batch:
        return batch

    def save(self, result: Batch) -> int:
        """Rewrite rows that differ and mark their frames for tagging. A file that was removed from its folder stays."""
        stored: dict[int, Texts] = {}
        rows = SideFile.objects.filter(frame__in=list(result.texts_by_frame)).order_by("pk")
        for frame, name, text in rows.values_list("frame_id", "name", "text"):
            stored.setdefault(frame, {})[name] = text
        changed = {
            pk: texts
            for pk, texts in result.texts_by_frame.items()
            if texts
            and list(({**texts, **_gone(stored.get(pk, {}), texts)}).items()) != list(stored.get(pk, {}).items())
        }
        existing = set(
            Frame.objects.select_for_update().filter(pk__in=changed).order_by("pk").values_list("pk", flat=True)
        )
        SideFile.objects.filter(frame__in=existing).delete()
        SideFile.objects.bulk_create(
            [
                SideFile(frame_id=pk, name=name, text=text)
                for pk in changed
                if pk in existing
                for name, text in {**changed[pk], **_gone(stored.get(pk, {}), changed[pk])}.items()
            ],
            batch_size=BATCH,
        )
        Frame.objects.filter(pk__in=existing).update(tagged=False)
        # Files of a duplicate also count for the kept frame.
        originals = Frame.objects.filter(copies__in=existing).values_list("pk", flat=True)
        Frame.objects.filter(pk__in=list(originals)).update(tagged=False)
        for problem in result.problems:
            self.ctx.count("unreadable")
            self.ctx.log(problem)
        self.ctx.count("files", sum(map(len, result.texts_by_frame.values())))
        self.ctx.count("changed", len(existing))
        return len(result.texts_by_frame)

    def finish(self) -> None:
        """Warn of files that belong to no picture."""
        episode = self.ctx.episode
        assert episode is not None
        episode.refresh_from_db(fields=["warnings"])
        warnings = [text for text in episode.warnings if not any(part in text for part in _WARNING_TEXTS)]
        unmatched = self._index.unclaimed()
        if unmatched:
            more = f" and {len(unmatched) - NAMES_IN_WARNING:,} more" if len(unmatched) > NAMES_IN_WARNING else ""
            files = f"{humane.count(len(unmatched), 'tag file')} {NO_PICTURE_TEXT}"
            warnings.append(
                f"{files}: {', '.join(unmatched[:NAMES_IN_WARNING])}{more}. Name them like the pictures (a.png, a.txt)."
            )
        if warnings != episode.warnings:
            episode.warnings = warnings
            episode.save(update_fields=["warnings"])

    def close(self) -> None:
        self._stack.close()


def _gone(stored: Texts, texts: Texts) -> Texts:
    return {name: text for name, text in stored.items() if name not in texts}


def _is_regular_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _read_head(root: Path, name: str) -> bytes:
    with (root / name).open("rb") as file:
        return file.read(TEXT_BYTES_MAX + 1)
