"""Full pictures where they belong: kept frames get theirs back, frames dropped as duplicates give theirs up."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Q

from ingest.locking import hold
from ingest.models import DropReason, Frame, FrameState, SourceKind
from ingest.pipeline.contract import Stage
from ingest.restoring import full_pictures
from ingest.storage.stored_files import store

BATCH = 16  # a stop is heard and progress seen after as many pictures
DEAD = "dead_file"  # in Frame.measures: a file that the row gave up and that is still to be deleted

Decoded = tuple[Frame, str]  # a frame and the name of its new full picture, or ""


class Pictures(Stage[list[Frame], list[Decoded]]):
    """Keep full pictures of kept frames only; a dropped one keeps its preview and is decoded again when restored."""

    name = "pictures"
    label = "Full pictures"
    about = "Writes the full pictures that kept frames lack, deletes those of dropped ones."
    queue = "io"
    writes_files = True

    def applies(self) -> bool:
        """Pictures from folders and archives keep their files: there is no film to decode them from again."""
        return self.ctx.episode is not None and self.ctx.episode.source.kind == SourceKind.VIDEO

    def batches(self) -> Iterator[list[Frame]]:
        """Frames whose file does not fit their state, in order of time."""
        wrong = Q(state=FrameState.KEPT, file="") | given_up()
        frames = Frame.objects.filter(episode=self.ctx.episode).select_related("episode__source")
        self.ctx.total = frames.filter(wrong).count()
        rows = frames.filter(wrong | Q(measures__has_key=DEAD))
        after = -1
        while batch := list(rows.filter(index__gt=after).order_by("index")[:BATCH]):
            after = batch[-1].index
            yield batch

    def work(self, batch: list[Frame]) -> list[Decoded]:
        """Decode what is missing; files are written whole before any row names them."""
        bare = [frame for frame in batch if frame.state == FrameState.KEPT and not frame.file]
        names = {}
        for frame, name in full_pictures(bare):
            names[frame.pk] = name
            self.ctx.alive()
        return [(frame, names.get(frame.pk, "")) for frame in batch]

    def save(self, result: list[Decoded]) -> int:
        """Give up the names of dropped frames' files; the files go after the commit, when no row names them.

        A kill in between is made good by the next pass, which finds the names noted in `measures`.
        """
        done = 0
        for frame, name in result:
            if name:
                done += Frame.objects.filter(pk=frame.pk, file="").update(file=name)
                self.ctx.count("written")
            elif frame.state == FrameState.DROPPED and frame.file:
                done += 1
                # As the row is now: another run's comparison, or a person, may have kept it since it was read.
                row = Frame.objects.select_for_update().filter(given_up(), pk=frame.pk).first()
                if row is not None:
                    row.measures[DEAD], row.file = row.file, ""
                    row.save(update_fields=["file", "measures"])
                    frame.measures = row.measures
                    self.ctx.count("removed")
        if dead := [frame for frame, _ in result if DEAD in frame.measures]:
            transaction.on_commit(lambda: _delete_dead(dead))
        return done


def given_up() -> Q:
    """Frames dropped as duplicates, by no person, that still have a full picture."""
    return Q(state=FrameState.DROPPED, reason=DropReason.DUPLICATE, decided=False) & ~Q(file="")


def _delete_dead(frames: list[Frame]) -> None:
    """Delete given-up files that no row names any more, then forget their names."""
    for frame in frames:
        if not Frame.objects.filter(file=frame.measures[DEAD]).exists():
            store().remove(frame.measures[DEAD])
    with transaction.atomic():
        hold(frames[0].collection_id)
        rows = list(Frame.objects.select_for_update().filter(pk__in=[frame.pk for frame in frames]).order_by("pk"))
        for row in rows:  # as they are now: another stage may have written other measures meanwhile
            row.measures.pop(DEAD, None)
        Frame.objects.bulk_update(rows, ["measures"])
