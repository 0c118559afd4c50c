"""Restores missing full pictures of kept frames and deletes those of frames dropped as duplicates."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Q

from ingest.locking import hold
from ingest.models import DropReason, Frame, FrameState, SourceKind
from ingest.pipeline.contract import Stage
from ingest.restoring import full_pictures
from ingest.storage.stored_files import store

BATCH = 16  # pictures between two checks for a cancel
RELEASED_KEY = (
    "dead_file"  # key in Frame.measures of a file that the row no longer uses and that is still to be deleted
)

Decoded = tuple[Frame, str]  # a frame and the name of its new full picture, or ""


class Pictures(Stage[list[Frame], list[Decoded]]):
    """Store full pictures of kept frames only; a dropped frame keeps its preview and is decoded again when restored."""

    name = "pictures"
    label = "Full pictures"
    about = "Writes missing full pictures of kept frames and deletes those of dropped ones."
    queue = "io"
    writes_files = True

    def applies(self) -> bool:
        """Only for films: pictures from folders and archives cannot be decoded again and keep their files."""
        return self.ctx.episode is not None and self.ctx.episode.source.kind == SourceKind.VIDEO

    def batches(self) -> Iterator[list[Frame]]:
        """Yield frames whose file does not match their state, in order of time."""
        mismatched = Q(state=FrameState.KEPT, file="") | releasable()
        frames = Frame.objects.filter(episode=self.ctx.episode).select_related("episode__source")
        self.ctx.total = frames.filter(mismatched).count()
        rows = frames.filter(mismatched | Q(measures__has_key=RELEASED_KEY))
        last_index = -1
        while batch := list(rows.filter(index__gt=last_index).order_by("index")[:BATCH]):
            last_index = batch[-1].index
            yield batch

    def work(self, batch: list[Frame]) -> list[Decoded]:
        """Decode missing pictures; files are complete before any row refers to them."""
        missing_file = [frame for frame in batch if frame.state == FrameState.KEPT and not frame.file]
        names = {}
        for frame, name in full_pictures(missing_file):
            names[frame.pk] = name
            self.ctx.alive()
        return [(frame, names.get(frame.pk, "")) for frame in batch]

    def save(self, result: list[Decoded]) -> int:
        """Release the files of dropped frames; they are deleted after the commit, when no row refers to them.

        If the process is killed in between, the next pass finds the names in `measures`.
        """
        done = 0
        for frame, name in result:
            if name:
                done += Frame.objects.filter(pk=frame.pk, file="").update(file=name)
                self.ctx.count("written")
            elif frame.state == FrameState.DROPPED and frame.file:
                done += 1
                # Read again: another run or a person may have kept the frame meanwhile.
                row = Frame.objects.select_for_update().filter(releasable(), pk=frame.pk).first()
                if row is not None:
                    row.measures[RELEASED_KEY], row.file = row.file, ""
                    row.save(update_fields=["file", "measures"])
                    frame.measures = row.measures
                    self.ctx.count("removed")
        if released := [frame for frame, _ in result if RELEASED_KEY in frame.measures]:
            transaction.on_commit(lambda: _delete_released(released))
        return done


def releasable() -> Q:
    """Frames that were automatically dropped as duplicates and still have a full picture."""
    return Q(state=FrameState.DROPPED, reason=DropReason.DUPLICATE, decided=False) & ~Q(file="")


def _delete_released(frames: list[Frame]) -> None:
    """Delete released files that no row refers to, then remove their names from `measures`."""
    for frame in frames:
        if not Frame.objects.filter(file=frame.measures[RELEASED_KEY]).exists():
            store().remove(frame.measures[RELEASED_KEY])
    with transaction.atomic():
        hold(frames[0].collection_id)
        rows = list(Frame.objects.select_for_update().filter(pk__in=[frame.pk for frame in frames]).order_by("pk"))
        for row in rows:  # read again: another stage may have changed the measures meanwhile
            row.measures.pop(RELEASED_KEY, None)
        Frame.objects.bulk_update(rows, ["measures"])
