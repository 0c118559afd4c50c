"""Keeps the texts of files that lie beside pictures (`a.png.tags`, `a.txt`, `a.json`), as they are.

Each run looks at them again: a file that came later, or was changed, is read then. What they say is another stage's.
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
SHOWN = 5  # names in a warning
BESIDE_NO_PICTURE = "lie beside no picture"  # how the warning of an earlier run is known again

Texts = dict[str, str]  # by name, in the order of what they tell
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames by key with the files beside them, those that are kept already, and what could not be read."""

    beside: dict[int, Texts]
    problems: list[str]


class ReadSideFiles(Stage[Batch, Batch]):
    """All frames of the episode, each time: a look at small files is cheap."""

    name = "side_files"
    label = "Tag files"
    about = "Keeps the tag files, captions and JSON that lie beside pictures; those that are new or were changed."
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
        last = 0
        while frames := list(self._frames().filter(pk__gt=last).values_list("pk", "name")[:BATCH]):
            last = frames[-1][0]
            problems: list[str] = []
            yield Batch({pk: self._texts(name, read, problems) for pk, name in frames}, problems)

    def _source(self, path: Path, name: str, *, uploaded: bool) -> tuple[list[str], Read]:
        """Names of the side files as they relate to the frames' names, and how one is read."""
        if not path.exists():
            raise BadInput(f"{name} is gone. Put it back where it was, then press Retry.")
        if path.is_dir():
            return list_folder(path).side_files, partial(_head, path)
        if ending_of(path.name) in PICTURE_ENDINGS:
            if uploaded:
                return [], partial(_head, path.parent)
            beside = [entry.name for entry in path.parent.iterdir() if is_side_file(entry.name) and _is_plain(entry)]
            return beside, partial(_head, path.parent)
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
                    problems.append(f"{name}: only its first {humane.filesize(TEXT_BYTES_MAX)} are kept")
                texts.setdefault(name.rpartition("/")[2][:400], text)
        return texts

    def work(self, batch: Batch) -> Batch:
        return batch

    def save(self, result: Batch) -> int:
        """Rows that differ are written anew, and the tags of their frames are to be made anew. A file that is gone from
        its folder stays kept here."""
        kept: dict[int, Texts] = {}
        rows = SideFile.objects.filter(frame__in=list(result.beside)).order_by("pk")
        for frame, name, text in rows.values_list("frame_id", "name", "text"):
            kept.setdefault(frame, {})[name] = text
        changed = {
            pk: texts
            for pk, texts in result.beside.items()
            if texts and list(({**texts, **_gone(kept.get(pk, {}), texts)}).items()) != list(kept.get(pk, {}).items())
        }
        there = set(
            Frame.objects.select_for_update().filter(pk__in=changed).order_by("pk").values_list("pk", flat=True)
        )
        SideFile.objects.filter(frame__in=there).delete()
        SideFile.objects.bulk_create(
            [
                SideFile(frame_id=pk, name=name, text=text)
                for pk in changed
                if pk in there
                for name, text in {**changed[pk], **_gone(kept.get(pk, {}), changed[pk])}.items()
            ],
            batch_size=BATCH,
        )
        Frame.objects.filter(pk__in=there).update(tagged=False)
        # A copy's files count for the frame that is kept.
        originals = Frame.objects.filter(copies__in=there).values_list("pk", flat=True)
        Frame.objects.filter(pk__in=list(originals)).update(tagged=False)
        for problem in result.problems:
            self.ctx.count("unreadable")
            self.ctx.log(problem)
        self.ctx.count("files", sum(map(len, result.beside.values())))
        self.ctx.count("changed", len(there))
        return len(result.beside)

    def finish(self) -> None:
        """Tell of files that lie beside no picture."""
        episode = self.ctx.episode
        assert episode is not None
        episode.refresh_from_db(fields=["warnings"])
        warnings = [text for text in episode.warnings if BESIDE_NO_PICTURE not in text]
        alone = self._index.unclaimed()
        if alone:
            more = f" and {len(alone) - SHOWN:,} more" if len(alone) > SHOWN else ""
            files = f"{humane.count(len(alone), 'tag file')} {BESIDE_NO_PICTURE}"
            warnings.append(f"{files}: {', '.join(alone[:SHOWN])}{more}. Name them as the pictures (a.png, a.txt).")
        if warnings != episode.warnings:
            episode.warnings = warnings
            episode.save(update_fields=["warnings"])

    def close(self) -> None:
        self._stack.close()


def _gone(kept: Texts, texts: Texts) -> Texts:
    return {name: text for name, text in kept.items() if name not in texts}


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _head(root: Path, name: str) -> bytes:
    with (root / name).open("rb") as file:
        return file.read(TEXT_BYTES_MAX + 1)
