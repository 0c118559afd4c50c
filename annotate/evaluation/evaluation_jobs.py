"""Runs the measurements that the quality pages ask for: claim, measure, keep scores and the worst mistakes.

The row is the truth. A measurement whose worker died has failed and says so: it writes nothing but its row, so nothing
is lost by asking again.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from annotate.evaluation.kinds import KINDS, Scores, watch
from annotate.evaluation.on_collection.kinds import OWN_KINDS
from annotate.models import Evaluation
from ingest import video_library
from ingest.errors import BadInput, Cancelled, KomaError, LostClaim
from ingest.imaging.names import plain_text
from ingest.models import Collection, RunState

logger = logging.getLogger(__name__)

HEARTBEAT_MAX_AGE_S = 180
BEAT_S = 20.0  # after the last picture is read a measurement may think for long
_TELL_EVERY_S = 1.0
WAITING = (RunState.QUEUED, RunState.RUNNING)


def ask(*, kind: str, root: int, path: str, model: str, by: Any) -> Evaluation:
    """A new measurement that waits for a worker. BadInput for an unknown kind or a folder outside the library."""
    if kind not in KINDS:
        raise BadInput(f"{kind!r} cannot be measured. Choose one of: {', '.join(KINDS)}.")
    if not video_library.resolve(root, path).is_dir():
        raise BadInput(f"{path}: this is no folder. It must hold {KINDS[kind].folder}.")
    name = model.strip() or KINDS[kind].default_model
    return Evaluation.objects.create(kind=kind, folder=f"{root}:{path}"[:1000], model=name[:100], by=by)


def ask_own(*, collection: Collection, kind: str, model: str, second: str = "", by: Any) -> Evaluation:
    """A new measurement on what people said in a collection. BadInput for an unknown kind, or without its second."""
    if kind not in OWN_KINDS:
        raise BadInput(f"{kind!r} cannot be measured here. Choose one of: {', '.join(OWN_KINDS)}.")
    about = OWN_KINDS[kind]
    name, other = model.strip() or about.default_model, second.strip()
    if about.compares and (not other or other == name):
        raise BadInput("Choose two different models to compare.")
    same = {"collection": collection, "kind": kind, "model": name[:100], "second": other[:100]}
    waiting = Evaluation.objects.filter(**same, state__in=WAITING).first()
    return waiting or Evaluation.objects.create(**same, by=by)


def cancel(evaluation: Evaluation) -> None:
    """End a measurement that waits, or ask the worker to stop before its next picture."""
    waiting = Evaluation.objects.filter(pk=evaluation.pk, state=RunState.QUEUED)
    if not waiting.update(state=RunState.CANCELLED, finished_at=timezone.now()):
        Evaluation.objects.filter(pk=evaluation.pk, state=RunState.RUNNING).update(cancel_requested=True)


def folder_of(evaluation: Evaluation) -> Path:
    """The measured folder; BadInput when it is gone or was never in the library."""
    root, _, path = evaluation.folder.partition(":")
    return video_library.resolve(int(root), path)


def execute(evaluation_id: int) -> RunState | None:
    """Measure; None when somebody else has it. Never raises for the measurement's own failure."""
    token, now = uuid.uuid4().hex, timezone.now()
    queued = Evaluation.objects.filter(pk=evaluation_id, state=RunState.QUEUED)
    if not queued.update(state=RunState.RUNNING, token=token, heartbeat_at=now):
        return None
    row = Evaluation.objects.get(pk=evaluation_id)
    values: dict[str, Any] = {}
    teller = _Teller(row)
    looking = watch.set(teller)
    try:
        with _beating(row):
            scores = _measured(row, teller)
        values = {
            "scores": scores.as_json(),
            "mistakes": [mistake.as_json() for mistake in scores.mistakes()],
            "notes": scores.notes(),
        }
        state = RunState.DONE
    except Cancelled:
        state = RunState.CANCELLED
    except LostClaim:
        return None
    except KomaError as problem:
        state, values = RunState.FAILED, {"error": plain_text(problem.message, bytes_max=4000)}
    except Exception as problem:  # a failing measurement must end as a row that says so
        logger.exception("evaluation %s failed", evaluation_id)
        text = f"The measurement broke with {type(problem).__name__}: {problem}. The worker's log has the details."
        state, values = RunState.FAILED, {"error": plain_text(text, bytes_max=4000)}
    finally:
        watch.reset(looking)
    mine = Evaluation.objects.filter(pk=evaluation_id, token=token, state=RunState.RUNNING)
    try:
        with transaction.atomic():
            return state if mine.update(state=state, finished_at=timezone.now(), **values, **teller.told()) else None
    except (DatabaseError, ValueError) as problem:  # a figure that is no number, a file's name that is no text
        logger.exception("evaluation %s gave what cannot be kept", evaluation_id)
        text = plain_text(f"What it found cannot be kept: {problem}. See how the pictures are named.", bytes_max=4000)
        return RunState.FAILED if mine.update(state=RunState.FAILED, finished_at=timezone.now(), error=text) else None


def _measured(row: Evaluation, teller: _Teller) -> Scores:
    models_dir = settings.KOMA_MODELS_DIR
    if row.collection is not None:
        own = OWN_KINDS[row.kind]
        return own.run(row.collection, models_dir, own.defaults() | {"model": row.model, "second": row.second}, teller)
    kind = KINDS[row.kind]
    options = {option.name: option.default for option in kind.options} | {"model": row.model}
    return kind.run(folder_of(row), models_dir, options)


def fail_dead() -> None:
    """Measurements whose worker died have failed."""
    before = timezone.now() - timedelta(seconds=HEARTBEAT_MAX_AGE_S)
    Evaluation.objects.filter(state=RunState.RUNNING, heartbeat_at__lt=before).update(
        state=RunState.FAILED, error="Its worker ended. Measure again.", finished_at=timezone.now()
    )


@contextmanager
def _beating(row: Evaluation) -> Iterator[None]:
    """The heartbeat of a measurement, in a thread, as long as it lasts."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            mine = Evaluation.objects.filter(pk=row.pk, token=row.token, state=RunState.RUNNING)
            try:
                mine.update(heartbeat_at=timezone.now())
            except DatabaseError:
                logger.warning("evaluation %s could not tell that it lives", row.pk)
        connection.close()

    thread = threading.Thread(target=beat, name=f"evaluation-{row.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Teller:
    """Writes how many pictures were read; stops a measurement that was cancelled or taken away."""

    def __init__(self, row: Evaluation) -> None:
        self._row, self._done, self._total, self._at = row, 0, 0, 0.0

    def __call__(self, path: Path) -> None:
        self.step()

    def expect(self, pictures: int) -> None:
        self._total += pictures

    def step(self) -> None:
        self._done += 1
        self.alive()

    def told(self) -> dict[str, int]:
        """How far it is."""
        return {"done": self._done, "total": self._total}

    def alive(self) -> None:
        now = time.monotonic()
        if now - self._at < _TELL_EVERY_S:
            return
        self._at = now
        mine = Evaluation.objects.filter(pk=self._row.pk, token=self._row.token, state=RunState.RUNNING)
        if not mine.update(heartbeat_at=timezone.now(), **self.told()):
            raise LostClaim("Another worker has this measurement now.")
        if mine.filter(cancel_requested=True).exists():
            raise Cancelled("Cancelled.")
