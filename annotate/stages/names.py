"""Assigns names that came with pictures to frames, and to faces where the face is unambiguous.

Sources are sidecar files of a picture (or its dropped copies), people's character tags, and a tagger's. A person's
label stays; the stage is idempotent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from django.db.models import QuerySet

from annotate.actions.frame_names import faces_of, states
from annotate.algorithms.name_evidence import RANKS, TAGGER, Named, named_faces
from annotate.models import Face, FaceState, FrameCharacter, NamedBy, NameOrigin
from annotate.naming.cast import Cast
from annotate.naming.evidence import Word, Words, denied_of, resolved, words_of
from ingest.models import Frame
from ingest.pipeline.contract import Context, Stage

BATCH = 500
NONE, FILES, ALL = "none", "files", "all"
FROM_EVIDENCE = (NamedBy.FILE, NamedBy.COPY, NamedBy.TAGGER)


@dataclass(slots=True)
class NamesParams:
    """`new_characters`: sources that may create characters; all others only match existing ones, also by alias."""

    new_characters: str = field(
        default=FILES,
        metadata={
            "label": "New characters",
            "help": "from tag files and reviewed tags, also from taggers, or never",
            "choices": ((FILES, "from files"), (ALL, "from files and taggers"), (NONE, "never")),
        },
    )

    def __post_init__(self) -> None:
        if self.new_characters not in (NONE, FILES, ALL):
            raise ValueError(f"new_characters must be none, files or all, not {self.new_characters!r}")


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames by key, and their names if they have any."""

    frames: list[int]
    words: dict[int, Words]


class ReadNames(Stage[Batch, Batch]):
    """The kept frames of an episode; only rows are read, no pictures."""

    name: ClassVar[str] = "names"
    label: ClassVar[str] = "Names from files and tags"
    about: ClassVar[str] = "Names characters of pictures from tag files and tags, and faces where the match is clear."
    queue: ClassVar[str] = "cpu"
    params_type: ClassVar[type] = NamesParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.params: NamesParams = ctx.params
        self.cast: Cast | None = None
        self.doubtful: set[str] = set()  # names that may belong to a known character, each reported once

    def _frames(self) -> QuerySet[Frame]:
        return Frame.objects.kept().filter(episode=self.ctx.episode).order_by("pk")

    def batches(self) -> Iterator[Batch]:
        self.ctx.start_over()
        self.ctx.total = self._frames().count()
        last = 0
        while frames := list(self._frames().filter(pk__gt=last).only("pk", "measures")[:BATCH]):
            last = frames[-1].pk
            yield Batch([frame.pk for frame in frames], words_of(frames))

    def work(self, batch: Batch) -> Batch:
        return batch

    def save(self, result: Batch) -> int:
        """Create missing characters and write rows that differ; faces are locked and checked again."""
        cast = self.cast = self.cast or Cast(self.ctx.collection)
        existing = set(
            Frame.objects.select_for_update().filter(pk__in=result.frames).order_by("pk").values_list("pk", flat=True)
        )
        denied = denied_of(existing)
        evidence = {
            frame: resolved(
                words, lambda word: self._find(cast, word), parents=cast.parents, denied=denied.get(frame, set())
            )
            for frame, words in result.words.items()
            if frame in existing
        }
        list(
            Face.objects.select_for_update()
            .filter(frame__in=existing, state=FaceState.FACE)
            .order_by("pk")
            .values("pk")
        )
        faces = faces_of(existing)
        new_states = {frame: states(names, faces.get(frame, [])) for frame, names in evidence.items()}
        self._write_frames(existing, evidence, new_states)
        unambiguous: dict[int, Named] = {}
        for frame, names in evidence.items():
            unambiguous |= named_faces(names, faces.get(frame, []))
        self._write_faces(unambiguous, existing)
        self.ctx.count("with names", sum(bool(names) for names in evidence.values()))
        return len(result.frames)

    def _find(self, cast: Cast, word: Word) -> int | None:
        may_make = self.params.new_characters == ALL or (self.params.new_characters == FILES and word.origin != TAGGER)
        if not may_make:
            return cast.find(word.name)
        known = cast.find(word.name)
        if known is None and word.name not in self.doubtful and (like := cast.like(word.name)):
            self.doubtful.add(word.name)
            self.ctx.log(
                f"“{word.name}” may be {' or '.join(like)}, so it named nobody. "
                "Assign it on the page Characters, then run this again."
            )
        key = known or cast.find_or_create(word.name, by=None)
        self.ctx.count("new characters", int(known is None and key is not None))
        return key

    def _write_frames(
        self, frames: set[int], evidence: dict[int, list[Named]], new_states: dict[int, dict[int, str]]
    ) -> None:
        names = {
            (frame, name.character): name for frame, frame_names in evidence.items() for name in frame_names
            if name.origin != NameOrigin.PERSON
        }  # fmt: skip
        gone, changed = [], []
        for row in FrameCharacter.objects.filter(frame__in=frames):
            name = names.pop((row.frame_id, row.character_id), None)
            if row.by_person:
                continue
            if name is None:
                gone.append(row.pk)
                continue
            fresh = _row(row.frame_id, name, new_states[row.frame_id][name.character])
            if _values(row) != _values(fresh):
                fresh.pk = row.pk
                changed.append(fresh)
        FrameCharacter.objects.filter(pk__in=gone).delete()
        FrameCharacter.objects.bulk_update(changed, ["state", "origin", "score", "box"], batch_size=BATCH)
        missing = [_row(frame, name, new_states[frame][name.character]) for (frame, _), name in names.items()]
        FrameCharacter.objects.bulk_create(missing, batch_size=BATCH)
        self.ctx.count("characters of frames", len(changed) + len(missing) + len(gone))

    def _write_faces(self, named: dict[int, Named], frames: set[int]) -> None:
        """Write names to faces: a file's name replaces a model's; a tagger's only counts where no model named the
        face."""
        changed = []
        rows = Face.objects.filter(frame__in=frames, state=FaceState.FACE).exclude(named_by=NamedBy.PERSON)
        for face in rows.order_by("pk"):
            name = named.get(face.pk)
            values: tuple[int | None, NamedBy, float | None]
            if name is not None and not (name.origin == TAGGER and face.named_by == NamedBy.MODEL):
                values = (name.character, named_by(name), name.score)
            elif face.named_by in FROM_EVIDENCE:
                values = (None, NamedBy.NONE, None)
            else:
                continue
            if (face.character_id, face.named_by, face.confidence) != values:
                face.character_id, face.named_by, face.confidence = values
                changed.append(face)
        Face.objects.bulk_update(changed, ["character", "named_by", "confidence"], batch_size=BATCH)
        self.ctx.count("faces named", sum(face.character_id is not None for face in changed))


def named_by(name: Named) -> NamedBy:
    """Return the origin recorded for a face with this name."""
    if name.origin == TAGGER:
        return NamedBy.TAGGER
    return NamedBy.FILE if name.origin == NameOrigin.FILE else NamedBy.COPY


def _row(frame: int, name: Named, state: str) -> FrameCharacter:
    box = [round(side, 6) for side in name.box] if name.box is not None else None
    return FrameCharacter(
        frame_id=frame, character_id=name.character, state=state, origin=name.origin, score=name.score, box=box
    )


def _values(row: FrameCharacter) -> tuple[object, ...]:
    return row.state, row.origin, row.score, row.box


assert set(RANKS) == set(NameOrigin.values)
