"""Runs every chosen model once on each kept frame and stores the raw answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotate.actions.model_versions import known_version, version_of
from annotate.algorithms import packing
from annotate.algorithms.boxes import relative
from annotate.backends.boxes import known_detectors
from annotate.backends.feeding.decoding import StoredPicture
from annotate.backends.feeding.decoding_processes import ReadingProcesses
from annotate.backends.feeding.reader import Answered, Item, Reader, cores_for_reading, fits_apart
from annotate.backends.feeding.reader_batch import BatchSizes
from annotate.backends.model_files import registry
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime import onnx_session
from annotate.chosen_models import choices
from annotate.chosen_models.opened import faces_in_reader, opened
from annotate.chosen_models.tasks import tasks_with
from annotate.models import ModelAnswer, ModelVersion
from annotate.tagging import stored_scores
from ingest.algorithms.typed_lists import typed_list
from ingest.errors import BadInput
from ingest.models import Frame
from ingest.pipeline.contract import Context, Stage
from ingest.storage.stored_files import store

BATCH = 256  # frames per write
PATIENCE_S = 2.0  # or the answers of this time, after which a cancel is checked
PAGE = 200  # frames per query
TASKS = tasks_with(whole_pictures=True)
FACES = "faces"
SIZES, PROCESSES = "batch sizes", "reading processes"  # keys in ctx.models, kept once per process


@dataclass(slots=True)
class RunModelsParams:
    """`models`: names separated by commas; empty for the collection's choice. `also`: further models to compare."""

    models: str = field(
        default="", metadata={"label": "Models", "help": "names separated by commas; empty: the collection’s choice"}
    )
    also: str = field(
        default="",
        metadata={"label": "Compare with", "help": "additional models to run; their answers do not change tags"},
    )
    device: str = field(
        default=onnx_session.AUTO,
        metadata={
            "label": "Device",
            "help": "auto uses the GPU if it works; cuda requires it",
            "choices": [(device, device) for device in onnx_session.DEVICES],
        },
    )

    def __post_init__(self) -> None:
        if self.device not in onnx_session.DEVICES:
            raise ValueError(f"device must be one of {', '.join(onnx_session.DEVICES)}, not {self.device!r}")


@dataclass(frozen=True, slots=True)
class ModelSlot:
    """A model of this run: how it is opened, its version row, and how its answers are packed."""

    model: Callable[[], Any]  # opens it once
    version: ModelVersion
    scored_version: stored_scores.ScoredVersion | None  # for scorers

    def pack(self, answers: list[Any], sizes: list[tuple[int, int]]) -> list[bytes]:
        """Pack answers into bytes; boxes become relative to their pictures of `sizes` (width, height)."""
        if self.scored_version is not None:
            return self.scored_version.pack_all(answers)
        return [
            packing.pack_boxes(relative(answer.boxes, *size), answer.scores, getattr(answer, "labels", None))
            for answer, size in zip(answers, sizes, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Key:
    """A frame on its way through the reader."""

    pk: int
    index: int


Seen = list[Answered[Key]]


@dataclass(frozen=True, slots=True)
class Result:
    """Packed answers by frame key for each slot; the problems of frames that could not be read; all frames."""

    rows: list[dict[int, bytes]]
    problems: list[str]
    frames: list[int]


class RunModels(Stage[Seen, Result]):
    """Frames that at least one of the models has not answered yet."""

    name: ClassVar[str] = "run_models"
    label: ClassVar[str] = "Run models"
    about: ClassVar[str] = "Runs the chosen models once per kept frame and stores their raw answers."
    queue: ClassVar[str] = "gpu"
    params_type: ClassVar[type] = RunModelsParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.params: RunModelsParams = ctx.params
        self.reader: Reader[Key] | None = None
        self.store = store()
        self.slots = [self._slot(name, installed_model) for name, installed_model in self._chosen()]
        self.is_enabled = bool(self.slots)

    def _chosen(self) -> list[tuple[str, Installed | None]]:
        """Return the models named by the parameters, else the collection's for each task; each once, sorted by name.

        None stands for a built-in one. Face detectors run here only for comparison: their faces belong to another
        stage.
        """
        installed_models = {
            model.name: model for task in TASKS for model in registry.installed(settings.KOMA_MODELS_DIR, task=task)
        }
        names = typed_list(self.params.models) or [
            name for task in TASKS for name in self._used(task, installed_models)
        ]
        detecting = registry.installed(settings.KOMA_MODELS_DIR, task=FACES)
        detectors: dict[str, Installed | None] = dict.fromkeys(known_detectors.OWN)
        detectors |= {model.name: model for model in detecting} | installed_models
        also = typed_list(self.params.also)
        for name, known in [
            *((name, installed_models.keys()) for name in names),
            *((name, detectors.keys()) for name in also),
        ]:
            if name not in known:
                raise BadInput(
                    f"There is no model {name!r} for whole pictures in {settings.KOMA_MODELS_DIR}. "
                    f"Installed: {', '.join(sorted(known)) or 'none'}. Install it, or choose another."
                )
        return [(name, detectors[name]) for name in sorted({*names, *also})]

    def _used(self, task: str, installed_models: dict[str, Installed]) -> list[str]:
        """Return the collection's models for a task, without those that were removed after they had answered here."""
        names = []
        for name in choices.chosen_all(self.ctx.collection, task):
            versions = ModelVersion.objects.filter(task=task, name=name)
            if name not in installed_models and any(
                stored_scores.any_of(self.ctx.collection, version) for version in versions
            ):
                self.ctx.log(f"{name} is no longer installed; it is skipped for new frames.")
            else:
                names.append(name)
        return names

    def _slot(self, name: str, installed_model: Installed | None) -> ModelSlot:
        """Return a model's slot without loading the network where possible; for detectors, once they have answered
        here."""
        models, device = self.ctx.models, self.params.device
        if installed_model is not None and installed_model.task != FACES:
            model = partial(opened, models, installed_model, device=device)
            if installed_model.family.describer:
                about = registry.describe(installed_model)
                scored_version = stored_scores.scored_version_of(about.info, about.labels, about.rules)
                return ModelSlot(model, scored_version.version, scored_version)
        else:
            model = partial(faces_in_reader, models, name, installed_model, device=device)
        identity = registry.identity(installed_model) if installed_model is not None else None
        if installed_model is not None and identity is not None:
            known = known_version(task=installed_model.task, name=name, revision=identity[0], sha256=identity[1])
            if known is not None:
                return ModelSlot(model, known, None)
        opened_model = model()
        return ModelSlot(model, version_of(opened_model.info, labels=getattr(opened_model, "labels", ())), None)

    def pending(self) -> QuerySet[Frame]:
        """Kept frames with a full picture that lack an answer."""
        lacking = Q(pk__in=())
        for slot in self.slots:
            answers = ModelAnswer.objects.filter(model_version=slot.version, frame=OuterRef("pk"))
            lacking |= Q(~Exists(answers))
        return self.ctx.frames().filter(lacking)

    def batches(self) -> Iterator[Seen]:
        self.ctx.total = self.pending().count()
        if not self.ctx.total:
            return
        models = [slot.model() for slot in self.slots]
        self.ctx.device = ", ".join(sorted({model.device for model in models}))
        sizes = self.ctx.models.setdefault(SIZES, BatchSizes())
        self.reader = Reader(models, sizes=sizes, processes=self._processes(models))
        batch: Seen = []
        until = time.monotonic() + PATIENCE_S
        for seen in self.reader.answers(self._items()):
            batch.append(seen)
            if len(batch) >= BATCH or time.monotonic() > until:
                yield batch
                batch, until = [], time.monotonic() + PATIENCE_S
        if batch:
            yield batch

    def _processes(self, models: list[Any]) -> ReadingProcesses | None:
        """Return decoding processes for a GPU; on a CPU, threads suffice, since networks take longer than decoding."""
        if not any(getattr(getattr(model, "network", None), "on_gpu", False) for model in models):
            return None
        if not_fitted_apart := [model.info.name for model in models if not fits_apart(model)]:
            self.ctx.log(
                f"Pictures are decoded by the process that has the GPU, since {', '.join(not_fitted_apart)} cannot "
                "take them from another one; the GPU may wait for them."
            )
            return None
        if PROCESSES not in self.ctx.models:
            self.ctx.models[PROCESSES] = ReadingProcesses(cores_for_reading())
        processes: ReadingProcesses = self.ctx.models[PROCESSES]
        return processes

    def _items(self) -> Iterator[Item[Key]]:
        """Yield the frames with the models each still needs, as the reader has room."""
        versions = [slot.version for slot in self.slots]
        everyone = frozenset(range(len(versions)))
        root, last = str(self.store.root), 0
        while page := list(self.pending().filter(pk__gt=last).order_by("pk").values_list("pk", "index", "file")[:PAGE]):
            answers = ModelAnswer.objects.filter(model_version__in=versions, frame__in=[pk for pk, _, _ in page])
            have = set(answers.values_list("frame_id", "model_version_id"))
            for pk, index, file in page:
                models_wanted = everyone - {place for place, version in enumerate(versions) if (pk, version.pk) in have}
                yield Item(Key(pk, index), StoredPicture(root, file, f"frame {index}"), models_wanted)
            last = page[-1][0]

    def work(self, batch: Seen) -> Result:
        """Pack the answers; the reader's threads did the slow part."""
        problems = [
            f"frame {seen.key.index} was not run through all models: {seen.problem}" for seen in batch if seen.problem
        ]
        rows: list[dict[int, bytes]] = []
        for place, slot in enumerate(self.slots):
            answered = [seen for seen in batch if seen.answers[place] is not None]
            packed = slot.pack([seen.answers[place] for seen in answered], [seen.size for seen in answered])
            rows.append({seen.key.pk: data for seen, data in zip(answered, packed, strict=True)})
        return Result(rows, problems, [seen.key.pk for seen in batch])

    def save(self, result: Result) -> int:
        for problem in result.problems:
            self.ctx.count("unreadable")
            self.ctx.log(problem)
        # Frames are read ahead, so one may have been deleted since.
        existing = set(Frame.objects.filter(pk__in=result.frames).values_list("pk", flat=True))
        for slot, packed in zip(self.slots, result.rows):
            to_save = {pk: data for pk, data in packed.items() if pk in existing}
            stored_scores.save(slot.version, to_save)
            self.ctx.count("answers", len(to_save))
        self.ctx.count("frames", len({pk for packed in result.rows for pk in packed}))
        if self.reader is not None:
            self.ctx.timings |= self.reader.timings
        return len(result.frames)

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()
