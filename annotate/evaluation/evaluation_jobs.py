"""Measurements requested on the quality pages: run them, store scores and the worst mistakes.

The row is authoritative. A measurement writes only its row, so that one whose worker died starts again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from annotate.chosen_models.choices import chosen
from annotate.chosen_models.tasks import NONE
from annotate.evaluation.kinds import KINDS, watch
from annotate.evaluation.on_collection.kinds import NAMES, OWN_KINDS
from annotate.evaluation.scores import Scores
from annotate.models import Evaluation
from ingest import video_library
from ingest.errors import BadInput
from ingest.models import Collection, RunState
from ingest.pipeline import claims
from ingest.pipeline.claims import Kind, Reporter

WAITING = (RunState.QUEUED, RunState.RUNNING)
ATTEMPTS_MAX = 2  # an attempt saves no partial results
PROPOSALS_KEPT = 4  # of names, per collection: somebody may still be looking through an older one
THINKS_MAX_S = 3600  # after the last picture a measurement may compute for long
EVALUATIONS = Kind(
    Evaluation, noun="measurement", retry="measure again", attempts_max=ATTEMPTS_MAX, step_max_s=THINKS_MAX_S,
    related=("collection",),
)  # fmt: skip


def ask(*, kind: str, root: int, path: str, model: str, by: Any) -> Evaluation:
    """Queue a measurement on a library folder. Raises BadInput for an unknown kind or a folder outside the library."""
    if kind not in KINDS:
        raise BadInput(f"{kind!r} cannot be measured. Choose one of: {', '.join(KINDS)}.")
    if not video_library.resolve(root, path).is_dir():
        raise BadInput(f"{path}: this is not a folder. It must contain {KINDS[kind].folder}.")
    name = model.strip() or KINDS[kind].default_model
    return Evaluation.objects.create(kind=kind, folder=f"{root}:{path}"[:1000], model=name[:100], by=by)


def ask_own(*, collection: Collection, kind: str, model: str, second: str = "", by: Any) -> Evaluation:
    """Queue a measurement on a collection's reviewed labels.

    Raises BadInput for an unknown kind or a missing second model.
    """
    if kind not in OWN_KINDS:
        raise BadInput(f"{kind!r} cannot be measured here. Choose one of: {', '.join(OWN_KINDS)}.")
    about = OWN_KINDS[kind]
    name, other = model.strip() or about.default_model, second.strip()
    if about.compares and (not other or other == name):
        raise BadInput("Choose two different models to compare.")
    same = {"collection": collection, "kind": kind, "model": name[:100], "second": other[:100]}
    waiting = Evaluation.objects.filter(**same, state__in=WAITING).first()
    return waiting or Evaluation.objects.create(**same, by=by)


def ask_names(*, collection: Collection, by: Any) -> Evaluation:
    """Queue a proposal of names for all faces without one, by the collection's recognition model; or return the one
    that waits. Older ones go but for the last. Raises BadInput without a recognition model."""
    model = chosen(collection, "embedding")
    if model == NONE:
        raise BadInput("No recognition model is chosen. Choose one on the models page first.")
    done = Evaluation.objects.filter(collection=collection, kind=NAMES).exclude(state__in=WAITING)
    done.filter(pk__in=list(done.order_by("-pk").values_list("pk", flat=True)[PROPOSALS_KEPT:])).delete()
    return ask_own(collection=collection, kind=NAMES, model=model, by=by)


def ask_again(evaluation: Evaluation, *, by: Any) -> Evaluation:
    """Queue the same measurement again; raises as `ask` and `ask_own`."""
    kind, model = evaluation.kind, evaluation.model
    if evaluation.collection is not None:
        return ask_own(collection=evaluation.collection, kind=kind, model=model, second=evaluation.second, by=by)
    root, _, path = evaluation.folder.partition(":")
    return ask(kind=kind, root=int(root), path=path, model=model, by=by)


def cancel(evaluation: Evaluation) -> None:
    """Cancel a waiting measurement, or tell the worker to stop before its next picture."""
    claims.cancel(evaluation)


def folder_of(evaluation: Evaluation) -> Path:
    """Return the measured folder. Raises BadInput when it is missing or not in the library."""
    root, _, path = evaluation.folder.partition(":")
    return video_library.resolve(int(root), path)


def execute(evaluation_id: int, *, in_worker: bool = False) -> RunState | None:
    """Run a measurement; None if another worker has it.

    A failed measurement is stored in its row and raises nothing.
    """
    row = EVALUATIONS.claim(evaluation_id)
    return None if row is None else EVALUATIONS.run(row, partial(_work, row), in_worker=in_worker)


def _work(row: Evaluation, report: Reporter[Evaluation]) -> dict[str, Any]:
    progress = EvaluationProgress(report)
    watched = watch.set(progress)
    try:
        scores = _measured(row, progress)
    finally:
        watch.reset(watched)
    return {
        "scores": scores.as_json(),
        "mistakes": [mistake.as_json() for mistake in scores.mistakes()],
        "notes": scores.notes(),
    }


def _measured(row: Evaluation, progress: EvaluationProgress) -> Scores:
    models_dir = settings.KOMA_MODELS_DIR
    if row.collection is not None:
        collection_kind = OWN_KINDS[row.kind]
        return collection_kind.run(
            row.collection,
            models_dir,
            collection_kind.defaults() | {"model": row.model, "second": row.second},
            progress,
        )
    kind = KINDS[row.kind]
    options = {option.name: option.default for option in kind.options} | {"model": row.model}
    return kind.run(folder_of(row), models_dir, options)


class EvaluationProgress:
    """Count the pictures read. Raises Cancelled or LostClaim."""

    def __init__(self, report: Reporter[Evaluation]) -> None:
        self._report, self._done, self._total = report, 0, 0

    def __call__(self, path: Path) -> None:
        self.step()

    def expect(self, pictures: int) -> None:
        self._total += pictures

    def step(self, count: int = 1) -> None:
        self._done += count
        self.alive()

    def alive(self) -> None:
        self._report(done=self._done, total=self._total)
