"""Tags kept frames from pixels, faces, a tagger and classifiers. People's labels stay.

Raw answers are stored and tags are derived from them, so changed thresholds only need another run of this stage,
without running a network or reading a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotate.actions import tag_lists
from annotate.actions.model_versions import labels_of
from annotate.algorithms.face_colours import FaceColours
from annotate.algorithms.face_features import Box
from annotate.algorithms.tag_filters import drop_listed, drop_overlapping
from annotate.backends.contract import Picture, Scorer
from annotate.backends.model_files import registry
from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.open_models import opened_once
from annotate.backends.taggers.builtin import BuiltinHeadTagger
from annotate.chosen_models.choices import chosen, chosen_all
from annotate.chosen_models.opened import opened
from annotate.chosen_models.tasks import NONE
from annotate.models import Face, ModelVersion
from annotate.stages.by_pixels import by_pixels
from annotate.stages.frame_rows import faces_of, labels_by_people, people_near
from annotate.tagging import colour_votes, effective, from_boxes, from_files, from_heads, from_pixels, stored_scores
from annotate.tagging.effective import Origins, SourcedTag
from annotate.tagging.stored_scores import ScoredVersion
from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.models import Frame
from ingest.pipeline.contract import Context, Stage
from ingest.storage.stored_files import store

BATCH = 16  # maximum number of frames whose pictures are read together
READY = 16  # times as many if all answers are stored
COPIES = "tags_with"  # in Frame.measures: digest of the copies whose files and labels count for the frame
SEEN_BY = "tags_by"  # in Frame.measures: the model versions and thresholds the frame's tags are based on
DEVICES = tuple((name, name) for name in onnx_session.DEVICES)
# Categories that a person's threshold applies to, as in the models' own programs.
WITH_GENERAL, WITH_CHARACTER = ("general", "meta", "model"), ("character", "copyright", "artist")
TAGS, CLASSES = "tags", "class"
HEADS = "head tagger"  # in ctx.models

Packed = dict[int, dict[int, bytes]]  # keyed by version, then frame


@dataclass(slots=True)
class TagParams:
    """`tagger`: the name of an installed one, "" for the collection's choice, "none" for computed tags only."""

    tagger: str = field(
        default="",
        metadata={
            "label": "Tagger",
            "help": "an installed model; empty: the collection's choice; none: computed tags only",
        },
    )
    general_threshold: float | None = field(
        default=None,
        metadata={"label": "Tag threshold", "help": "0 to 1; empty: the tagger's default", "type": float},
    )
    character_threshold: float | None = field(
        default=None,
        metadata={"label": "Character tag threshold", "help": "0 to 1; empty: the tagger's default", "type": float},
    )
    mcut: bool = field(
        default=False,
        metadata={"label": "Automatic threshold (MCut)", "help": "set per picture at the largest gap between scores"},
    )
    classes: bool = field(
        default=True, metadata={"label": "Classes", "help": "tags such as class:comic from the chosen classifiers"}
    )
    heads: bool = field(
        default=False,
        metadata={
            "label": "Head tags",
            "help": "hair style, glasses, closed eyes from the built-in model; less reliable on other art styles",
        },
    )
    drop_included: bool = field(
        default=False,
        metadata={"label": "Drop implied tags", "help": "e.g. drop “hair” when “long_hair” is present"},
    )
    drop_unwanted: bool = field(
        default=False, metadata={"label": "Drop unwanted tags", "help": "tags on the collection's list"}
    )
    device: str = field(default=onnx_session.AUTO, metadata={"label": "Device", "choices": DEVICES})

    def __post_init__(self) -> None:
        for name in ("general_threshold", "character_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {value}")


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames with their stored answers, relative face boxes, the basis of computed tags, and tags from files and
    people."""

    frames: list[Frame]
    packed: Packed
    boxes: dict[int, list[Box]]
    basis: dict[int, str]
    file_facts: dict[int, from_files.FileFactsOfFrame] = field(default_factory=dict)
    people: dict[int, set[str]] = field(default_factory=dict)  # tags given by people


@dataclass(frozen=True, slots=True)
class Result:
    """Tags by frame, new answers, the basis of computed tags, and problems."""

    tags: dict[int, list[SourcedTag]]
    fresh: Packed
    basis: dict[int, str]
    problems: list[str]
    read: dict[int, dict[str, bool]]  # by frame: the measures that record whose boxes were read
    file_facts: dict[int, from_files.FileFactsOfFrame]
    colours: dict[int, tuple[FaceColours, ...]]  # of the faces of frames whose tags were computed


class TagFrames(Stage[Batch, Result]):
    """Frames whose tags are not yet based on exactly these versions and thresholds."""

    name: ClassVar[str] = "tag"
    label: ClassVar[str] = "Tag"
    about: ClassVar[str] = (
        "Tags kept frames with computed tags, the tagger and classifiers. Changing thresholds is fast: no model runs "
        "again."
    )
    queue: ClassVar[str] = "gpu"
    params_type: ClassVar[type] = TagParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.params: TagParams = ctx.params
        self.computed = from_pixels.scored_version()
        self.origins = Origins.rows()
        self.scheme = ctx.episode.source.rating_scheme if ctx.episode is not None else ""
        self.vocabulary = from_files.Vocabulary()
        self.copies: dict[int, str] = {}
        self.installed: dict[int, registry.Installed] = {}
        self.head_tagger = self._head_tagger() if self.params.heads else None
        self.heads = from_heads.scored_version(self.head_tagger) if self.head_tagger else None
        computed_versions = [self.computed] if self.heads is None else [self.computed, self.heads]
        self.scored_versions = [*computed_versions, *self._chosen()]
        self.on_faces = computed_versions  # these depend on the faces of a frame
        self.boxes = from_boxes.box_versions(ctx.collection)
        self.keys: dict[str, int] = {}
        kinds = [
            (self.params.drop_included, tag_lists.Kind.INCLUDED),
            (self.params.drop_unwanted, tag_lists.Kind.UNWANTED),
        ]
        self.lists = {kind: tag_lists.used(ctx.collection, kind) for is_on, kind in kinds if is_on}
        self.seen_by = self._basis_of_run()
        self.store = store()
        ctx.device = "CPU"

    def _head_tagger(self) -> BuiltinHeadTagger:
        """Open the head tagger; cached in `ctx.models`, some megabytes."""
        tagger: BuiltinHeadTagger = opened_once(self.ctx.models, HEADS, (), BuiltinHeadTagger)
        return tagger

    def _chosen(self) -> list[ScoredVersion]:
        """Return the tagger with this run's thresholds, and the classifiers. No network is loaded."""
        names = [(TAGS, self.params.tagger or chosen(self.ctx.collection, TAGS))]
        if self.params.classes:
            names += [(CLASSES, name) for name in chosen_all(self.ctx.collection, CLASSES)]
        changed_rules = {
            **dict.fromkeys(WITH_GENERAL, self.params.general_threshold),
            **dict.fromkeys(WITH_CHARACTER, self.params.character_threshold),
        }
        versions = []
        for task, name in names:
            if name == NONE:
                continue
            scored_version = self._version_of_model(task, name)
            if task == TAGS:
                scored_version = scored_version.with_rules(
                    scored_version.accepted_tags.rules.changed(thresholds=changed_rules, mcut=self.params.mcut)
                )
            versions.append(scored_version)
        return versions

    def _version_of_model(self, task: str, name: str) -> ScoredVersion:
        """Return an installed model's version, or that of a removed one whose answers are stored."""
        try:
            installed = registry.find(name, settings.KOMA_MODELS_DIR, task=task)
        except BadInput:
            answered = ModelVersion.objects.filter(task=task, name=name).order_by("-pk")
            for version in answered:
                if stored_scores.any_of(self.ctx.collection, version) and labels_of(version):
                    return stored_scores.stored_version(version)
            raise
        described = registry.describe(installed)
        scored_version = stored_scores.scored_version_of(described.info, described.labels, described.rules)
        self.installed[scored_version.version.pk] = installed
        return scored_version

    def _basis_of_run(self) -> list[str]:
        """Return what a frame's tags are based on; it changes with any threshold."""
        marks = [
            f"{scored_version.version.pk} {scored_version.accepted_tags.rules.cache_key()}".strip()
            for scored_version in self.scored_versions
        ]
        marks.append(str(self.origins.side_file))
        marks += [f"ratings {self.scheme}"] if self.scheme else []
        marks += [f"boxes {scored_version.version.pk}" for scored_version in self.boxes]
        marks += [f"drop {kind.value} {used.digest}" for kind, used in self.lists.items()]
        return marks

    def pending(self) -> QuerySet[Frame]:
        """Kept frames with a full picture whose tags have a different basis."""
        frames = self.ctx.frames()
        done = frames.filter(tagged=True, **{f"measures__{SEEN_BY}": self.seen_by})
        is_pending = ~Q(pk__in=done.values("pk"))
        for scored_version in self.boxes:
            is_pending |= from_boxes.unread(frames, scored_version)
        return frames.filter(is_pending)

    def _with_other_copies(self) -> list[int]:
        """Return frames tagged when other copies counted for them, or when these had other files or labels."""
        rows = self.ctx.frames().filter(measures__has_key=COPIES)
        was, now = dict(rows.values_list("pk", f"measures__{COPIES}")), self.copies
        return sorted(pk for pk in was.keys() | now.keys() if (was.get(pk) or "") != now.get(pk, ""))

    def batches(self) -> Iterator[Batch]:
        """Yield large batches where all answers are stored, small ones where pictures must be read."""
        self.copies = from_files.bases_of_copies(self.ctx.frames())
        others = self._with_other_copies()
        pending = self.pending()
        self.ctx.total = pending.count()
        last = 0
        while frames := list(self._rows(pending.filter(pk__gt=last))):
            last = frames[-1].pk
            yield from self._parts(frames)
        for start in range(0, len(others), READY * BATCH):
            again = self.ctx.frames().filter(pk__in=others[start : start + READY * BATCH])
            frames = [
                frame
                for frame in self._rows(again)
                if (frame.measures.get(COPIES) or "") != self.copies.get(frame.pk, "")
            ]
            self.ctx.total += len(frames)
            if frames:
                yield from self._parts(frames)

    def _rows(self, frames: QuerySet[Frame]) -> QuerySet[Frame]:
        people = Face.objects.real().filter(frame__shot=OuterRef("shot"))
        return frames.annotate(people_in_shot=Exists(people)).order_by("pk")[: READY * BATCH]

    def _parts(self, frames: list[Frame]) -> Iterator[Batch]:
        """Yield frames with all answers stored in one batch, the others in small ones."""
        versions = [*(s.version for s in self.scored_versions), *(s.version for s in self.boxes)]
        boxes = faces_of(frames)
        batch = Batch(
            frames,
            stored_scores.load(versions, (frame.pk for frame in frames)),
            boxes,
            {f.pk: from_pixels.basis(boxes.get(f.pk, []), people_elsewhere=people_near(f)) for f in frames},
            from_files.facts_of_files(frames, self.vocabulary),
            labels_by_people(frames),
        )
        ready = [frame for frame in frames if not self._missing(batch, frame)]
        others = [frame for frame in frames if self._missing(batch, frame)]
        for part in (ready, *by_pixels(others, pixels_max=BATCH)):
            if part:
                yield replace(batch, frames=part)

    def _missing(self, batch: Batch, frame: Frame) -> list[ScoredVersion]:
        """Return the versions without an answer for a frame; those based on faces also if the faces have changed."""
        other_faces = frame.measures.get(from_pixels.BASIS) != batch.basis[frame.pk]
        return [
            scored_version
            for scored_version in self.scored_versions
            if frame.pk not in batch.packed[scored_version.version.pk]
            or (other_faces and scored_version in self.on_faces)
        ]

    def work(self, batch: Batch) -> Result:
        problems: list[str] = []
        colours: dict[int, tuple[FaceColours, ...]] = {}
        fresh: Packed = {scored_version.version.pk: {} for scored_version in self.scored_versions}
        absent = {frame.pk: self._missing(batch, frame) for frame in batch.frames}
        pictures = self._pictures([frame for frame in batch.frames if absent[frame.pk]], problems)
        for scored_version in self.scored_versions:
            frames_to_compute = [f for f in batch.frames if f.pk in pictures and scored_version in absent[f.pk]]
            if frames_to_compute and scored_version is self.computed:
                for frame in frames_to_compute:
                    self.ctx.alive()
                    fresh[scored_version.version.pk][frame.pk], colours[frame.pk] = from_pixels.answer(
                        scored_version, frame, pictures[frame.pk], batch.boxes.get(frame.pk, []),
                        people_elsewhere=people_near(frame),
                    )  # fmt: skip
            elif frames_to_compute and self.head_tagger is not None and scored_version is self.heads:
                for frame in frames_to_compute:
                    self.ctx.alive()
                    fresh[scored_version.version.pk][frame.pk] = from_heads.answer(
                        scored_version, self.head_tagger, pictures[frame.pk], batch.boxes.get(frame.pk, [])
                    )
            elif frames_to_compute:
                fresh[scored_version.version.pk] = self._ask(scored_version, frames_to_compute, pictures, problems)
        tags: dict[int, list[SourcedTag]] = {}
        read: dict[int, dict[str, bool]] = {}
        for frame in [frame for frame in batch.frames if not absent[frame.pk] or frame.pk in pictures]:
            try:
                followed = [
                    (s.version.pk, s.following(self._packed(s, frame, batch, fresh))) for s in self.scored_versions
                ]
                for boxes in self.boxes:
                    if (data := batch.packed[boxes.version.pk].get(frame.pk)) is not None:
                        followed.append((boxes.version.pk, boxes.following(data)))
                        read.setdefault(frame.pk, {})[boxes.measure] = True
            except ValueError as error:  # bytes from a restored backup
                problems.append(f"frame {frame.index} was not tagged: a stored answer cannot be read: {error}")
                continue
            tags[frame.pk] = effective.merged(
                followed, batch.file_facts.get(frame.pk), origins=self.origins, people=batch.people.get(frame.pk, ()),
                scheme=self.scheme, dropping=self._dropping,
            )  # fmt: skip
        return Result(tags, fresh, batch.basis, problems, read, batch.file_facts, colours)

    def _packed(self, scored_version: ScoredVersion, frame: Frame, batch: Batch, fresh: Packed) -> bytes:
        key = scored_version.version.pk
        return fresh[key][frame.pk] if frame.pk in fresh[key] else batch.packed[key][frame.pk]

    def _pictures(self, frames: list[Frame], problems: list[str]) -> dict[int, Picture]:
        pictures: dict[int, Picture] = {}
        for frame in frames:
            self.ctx.alive()
            try:
                pictures[frame.pk] = read_picture(self.store.read(frame.file), name=f"frame {frame.index}").rgb
            except (OSError, UnreadablePicture) as error:
                problems.append(f"frame {frame.index} was not tagged: its picture cannot be read: {error}")
        return pictures

    def _ask(
        self, scored_version: ScoredVersion, frames: list[Frame], pictures: dict[int, Picture], problems: list[str]
    ) -> dict[int, bytes]:
        """Run a network and return its packed answers by frame key. A picture that it refuses is removed from
        `pictures`."""
        scorer = self._scorer(scored_version.version)
        fitted: dict[int, Picture] = {}
        sizes = []
        for frame in frames:
            picture = pictures[frame.pk]
            try:
                fitted[frame.pk] = scorer.fit(picture)
                sizes.append((picture.shape[1], picture.shape[0]))
            except BadInput as error:
                problems.append(f"frame {frame.index} was not tagged: {scored_version.version.name}: {error}")
                del pictures[frame.pk]
        if not fitted:
            return {}
        answered = scorer.answer(np.stack(list(fitted.values())), sizes)
        return {key: scored_version.pack(scores) for key, scores in zip(fitted, answered, strict=True)}

    def _scorer(self, version: ModelVersion) -> Scorer:
        """Open the model of a version; cached in `ctx.models`."""
        installed = self.installed.get(version.pk)
        if installed is None:
            raise BadInput(
                f"{version.name} is no longer installed and has not seen all frames. Install it again or choose "
                "another."
            )
        scorer: Scorer = opened(self.ctx.models, installed, device=self.params.device)
        self.ctx.device = scorer.device
        return scorer

    def _dropping(self, names: list[str]) -> list[str]:
        for kind, used in self.lists.items():
            if kind == tag_lists.Kind.INCLUDED:
                names = drop_overlapping(names, used.parsed.overlaps)
            else:
                names = drop_listed(names, used.parsed.unwanted)
        return names

    def save(self, result: Result) -> int:
        for problem in result.problems:
            self.ctx.count("unreadable")
            self.ctx.log(problem)
        # Locked first: concurrent edits of these frames' tags have finished or wait. Some may be deleted by now.
        rows = list(Frame.objects.select_for_update().filter(pk__in=list(result.tags)).order_by("pk"))
        existing = {row.pk for row in rows}
        for scored_version in self.scored_versions:
            fresh = result.fresh[scored_version.version.pk]
            stored_scores.save(
                scored_version.version, {frame: data for frame, data in fresh.items() if frame in existing}
            )
        tags_by_frame = {frame: tags for frame, tags in result.tags.items() if frame in existing}
        self.ctx.count("tags", effective.write(tags_by_frame, self.keys))
        from_files.write(result.file_facts, tags_by_frame, scheme=self.scheme)
        for row in rows:
            row.tagged = True
            row.measures = {
                **row.measures, **result.read.get(row.pk, {}), SEEN_BY: self.seen_by,
                from_pixels.BASIS: result.basis[row.pk],
            }  # fmt: skip
            if row.pk in result.colours:
                row.measures[colour_votes.COLOURS] = colour_votes.stored(result.colours[row.pk])
            if row.pk in self.copies:
                row.measures[COPIES] = self.copies[row.pk]
            else:
                row.measures.pop(COPIES, None)
        Frame.objects.bulk_update(rows, ["tagged", "measures"], batch_size=READY * BATCH)
        self.ctx.count("frames", len(rows))
        return len(result.tags) + len(result.problems)

    def finish(self) -> None:
        """Let the faces of this run's frames vote, as their present names and groups stand."""
        colour_votes.settle(self.ctx.frames(), self.computed.version)
