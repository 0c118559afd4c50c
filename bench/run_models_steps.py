"""The steps of the stage `run_models`, each alone: CPU time and how long it holds Python's lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from annotate.backends.feeding.decoding_processes import ReadingProcesses
from bench.cheap import DISTINCT
from bench.lock import LockWatch

if TYPE_CHECKING:
    from ingest.models import Episode

STEP_S = 3.0


@dataclass(frozen=True, slots=True)
class Method:
    """How pictures are read, and how many are read, packed and written at once."""

    name: str
    in_processes: bool
    chunk: int
    packed: int
    written: int

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Until it ends, the application goes this way."""
        from annotate.backends.feeding import reader
        from annotate.stages import run_models
        from annotate.tagging import stored_scores

        with (
            patch.object(reader, "CHUNK_MAX", self.chunk),
            patch.object(stored_scores, "TOGETHER", self.packed),
            patch.object(run_models, "BATCH", self.written),
            patch.object(run_models, "fits_apart", reader.fits_apart if self.in_processes else lambda _: False),
        ):
            yield


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds per picture in this process: of the CPU, and with the lock held (None: not to be seen)."""

    processor: float
    lock: float | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A picture that needs no reading, for a model whose bytes need no fitting; goes to a process as well."""

    side: int

    def __call__(self) -> Any:
        return np.zeros((1, 1, 3), np.uint8)

    def fit(self, picture: Any) -> Any:
        return np.zeros((self.side, self.side, 3), np.uint8)


class Idle:
    """A model of the tagger's shape that answers nothing at once: what is left is the reader's own work."""

    def __init__(self, tagger: Any) -> None:
        self.info, self.device = tagger.info, tagger.device
        self.network, self.fitting = self, Ready(tagger.network.spec.width)
        self.spec, self.on_gpu, self.fixed = tagger.network.spec, True, None

    def fit(self, picture: Any) -> Any:
        return self.fitting.fit(picture)

    def stage(self, host: Any) -> Any:
        return host

    def forget(self) -> None:
        pass

    def answer(self, batch: Any, sizes: Any) -> Any:
        return [None] * len(sizes)


def steps(
    episode: Episode,
    models: dict[str, Any],
    watch: LockWatch,
    method: Method,
    processes: ReadingProcesses,
    *,
    batch: int,
) -> dict[str, Cost]:
    """What each step costs this process on a way, by name."""
    from django.db import transaction

    from annotate.backends.feeding.reader import Answered, Item, Reader
    from annotate.stages.run_models import SIZES, Key, RunModels
    from ingest.actions import runs
    from ingest.imaging.decode import read_picture
    from ingest.models import RunState
    from ingest.pipeline import runner

    run = runs.start(collection=episode.collection, episodes=[episode], by=None, stage_names=["run_models"])
    row = runner.STAGES.claim(run.stages.get().pk)
    assert row is not None
    stage = runner._open(row, models)
    assert isinstance(stage, RunModels)
    tagger = stage.slots[0].model()
    names = list(episode.frames.values_list("file", flat=True)[:DISTINCT])
    files = [stage.store.read(name) for name in names]
    pictures = [read_picture(data, name="frame").rgb for data in files]
    fitted = np.stack([tagger.fit(pictures[index % DISTINCT]) for index in range(batch)])
    sizes = [(picture.shape[1], picture.shape[0]) for picture in pictures]
    sizes = [sizes[index % DISTINCT] for index in range(batch)]
    scores = tagger.answer(tagger.network.stage(fitted), sizes)
    keys = list(episode.frames.order_by("pk").values_list("pk", flat=True)[: method.written])
    seen = [Answered(Key(pk, index), sizes[index % batch], (scores[index % batch],)) for index, pk in enumerate(keys)]
    result = stage.work(seen)

    def write() -> None:
        with transaction.atomic():
            runner.hold_claim(row)
            stage.save(result)
            runner._progress(stage.ctx, saved=0, timings={})

    idle: Any = Idle(tagger)

    def pass_on() -> None:
        reader = Reader[int]([idle], sizes=models[SIZES], processes=processes if method.in_processes else None)
        for _ in reader.answers(Item(index, idle.fitting) for index in range(10 * batch)):
            pass

    work: dict[str, tuple[Callable[[], object], int]] = {
        "ask which frames": (lambda: sum(1 for _ in stage._items()), episode.frames.count()),
        "read the file": (lambda: [stage.store.read(name) for name in names], DISTINCT),
        "decode": (lambda: [read_picture(data, name="frame") for data in files], DISTINCT),
        "fit": (lambda: [tagger.fit(picture) for picture in pictures], DISTINCT),
        "from hand to hand": (pass_on, 10 * batch),
        "copy, call the network": (lambda: tagger.answer(tagger.network.stage(fitted), sizes), batch),
        "pack": (lambda: stage.work(seen), len(keys)),
        "write": (write, len(keys)),
    }
    if method.in_processes:  # the processes' work
        for name in ("read the file", "decode", "fit"):
            del work[name]
    with method.taken():
        costs = {name: _cost(watch, measured, count) for name, (measured, count) in work.items()}
    stage.close()
    runs.cancel(run, by=None)
    runner.STAGES.close(row, RunState.CANCELLED)
    return costs


def _cost(watch: LockWatch, work: Callable[[], object], count: int) -> Cost:
    """Of work on `count` pictures, again and again."""
    work()
    watch.begin()
    wall, processor, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < STEP_S:
        work()
        done += count
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    held = watch.end()
    lock = min(held.share * wall, held.processor) if held else None
    return Cost(1000 * processor / done, None if lock is None else 1000 * lock / done)
