"""Pictures per second that one process can handle with any network: Python's lock and the CPU's cores.

    python -m bench.run_models [--pictures 768] [--sqlite] [--dry]

The stage `run_models` runs whole, from JPEG files to stored answers, the way that a GPU's batches take, with a tagger
that costs almost nothing. Then each of its steps runs alone. Both the old method (threads of one
process, one picture at a time) and the current one (processes, many at a time) are measured.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import cheap, report
from bench.lock import LockWatch
from bench.pages import database
from bench.run_models_steps import Cost, Method, steps

if TYPE_CHECKING:
    from annotate.backends.feeding.decoding_processes import ReadingProcesses
    from ingest.models import Episode

BATCH = 64
CORES = 16  # of a server with a data-centre GPU
WANTED = 3000  # pictures per second, more than such a GPU processes
WAYS = (
    Method("threads read, one at a time", in_processes=False, chunk=1, packed=1, written=16),
    # A batch among as many processes as those cores would have.
    Method("processes read, many at a time", in_processes=True, chunk=BATCH // (CORES - 1), packed=32, written=256),
)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class EpisodeCost:
    """A run of the stage: seconds of wall clock, of the CPU by place, share of the time with the lock held."""

    pictures: int
    wall: float
    spent: dict[str, float]
    held: float | None


@contextmanager
def by_thread() -> Iterator[dict[str, float]]:
    """Processor seconds of threads that end meanwhile, by what they are for."""
    spent: dict[str, float] = defaultdict(float)
    run = threading.Thread.run

    def timed(self: threading.Thread) -> None:
        try:
            run(self)
        finally:
            spent[self.name.rsplit("_", 1)[0]] += time.thread_time()

    threading.Thread.run = timed  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        threading.Thread.run = run  # type: ignore[method-assign]


def measure_episode(
    episode: Episode, watch: LockWatch, models: dict[str, Any], processes: ReadingProcesses
) -> EpisodeCost:
    """The stage from files to answers; what it wrote before is deleted first."""
    from annotate.models import ModelAnswer
    from ingest.actions import runs
    from ingest.models import RunState
    from ingest.pipeline import runner

    ModelAnswer.objects.all().delete()
    run = runs.start(collection=episode.collection, episodes=[episode], by=None, stage_names=["run_models"])
    row = run.stages.get()
    reading_ms = _of_children(processes)
    with by_thread() as threads:
        watch.begin()
        began, all_, own_thread = time.perf_counter(), time.process_time(), time.thread_time()
        state = runner.execute(row.pk, models=models)
        wall, all_, own_thread = (
            time.perf_counter() - began,
            time.process_time() - all_,
            time.thread_time() - own_thread,
        )
        held = watch.end()
    row.refresh_from_db()
    assert state == RunState.DONE, row.error
    spent = {
        "reading threads": threads["reader-decode"],
        "the thread that copies": threads["reader-copy"],
        "the thread that calls the network": threads["reader-compute"],
        "the stage's thread: asks, packs, writes": own_thread,
        "onnxruntime's own": max(0.0, all_ - own_thread - sum(threads.values())),
        "reading processes": _of_children(processes) - reading_ms,
    }
    return EpisodeCost(ModelAnswer.objects.count(), wall, spent, held.share if held else None)


def _of_children(processes: ReadingProcesses) -> float:
    """Processor seconds of the reading processes so far."""
    seconds = 0.0
    for process in processes._all:
        fields = Path(f"/proc/{process.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        seconds += (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def table_of_runs(costs: list[EpisodeCost]) -> str:
    rows = [
        ["pictures/s on this machine", *(f"{cost.pictures / cost.wall:.0f}" for cost in costs)],
        ["wall clock", *(f"{1000 * cost.wall / cost.pictures:.2f} ms" for cost in costs)],
    ]
    for name in costs[0].spent:
        rows.append([f"CPU: {name}", *(f"{1000 * cost.spent[name] / cost.pictures:.2f} ms" for cost in costs)])
    rows.append(["CPU: all", *(f"{1000 * sum(cost.spent.values()) / cost.pictures:.2f} ms" for cost in costs)])
    rows.append(["the lock was held", *("unknown" if cost.held is None else f"{cost.held:.0%}" for cost in costs)])
    return report.table(("a picture", *(method.name for method in WAYS)), rows)


def table_of_steps(cost_sets: list[dict[str, Cost]]) -> str:
    rows = []
    for name in cost_sets[0]:
        cells = []
        for costs in cost_sets:
            cost = costs.get(name)
            cells += ["elsewhere", "0"] if cost is None else [f"{cost.processor:.3f}", _lock(cost.lock)]
        rows.append([name, *cells])
    ends = [_together(costs) for costs in cost_sets]
    rows.append(["all", *(cell for end in ends for cell in ("", _lock(end)))])
    rows.append(["pictures/s at most", *(cell for end in ends for cell in ("", f"{1000 / end:,.0f}" if end else "?"))])
    header = ["ms per picture", *(f"{method.name}: {what}" for method in WAYS for what in ("CPU", "lock"))]
    return report.table(header, rows)


def _together(costs: dict[str, Cost]) -> float | None:
    locks = [cost.lock for cost in costs.values()]
    return None if None in locks else sum(lock for lock in locks if lock is not None)


def _lock(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=768)
    parser.add_argument("--sqlite", action="store_true", help="instead of a fresh PostgreSQL")
    parser.add_argument("--dry", action="store_true", help="print the tables, leave docs/benchmarks.md alone")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="koma-models-") as folder,
        database(Path(folder), sqlite=options.sqlite) as db,
    ):
        os.environ |= {"KOMA_DATA_DIR": f"{folder}/data", "KOMA_MODELS_DIR": f"{folder}/models", "DATABASE_URL": db}
        os.environ |= {"DJANGO_SETTINGS_MODULE": "project.settings", "KOMA_DISK_RESERVE_BYTES": "0", "DEBUG": "off"}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        from annotate.backends.feeding.decoding_processes import ReadingProcesses
        from annotate.backends.feeding.reader import cores_for_reading
        from annotate.stages.run_models import PROCESSES

        cheap.write_tagger(Path(folder) / "models" / cheap.NAME)
        episode, watch = cheap.episode_of(options.pictures), LockWatch()
        models = cheap.as_if_on_gpu(batch=BATCH)
        processes = models[PROCESSES] = ReadingProcesses(cores_for_reading())
        alone = [steps(episode, models, watch, method, processes, batch=BATCH) for method in WAYS]
        runs = []
        for method in WAYS:
            with method.taken():
                runs.append(measure_episode(episode, watch, models, processes))
        watch.close()
        processes.close()
    reading_ms = 1000 * runs[1].spent["reading processes"] / runs[1].pictures
    text = (
        f"The stage `run_models` from {options.pictures} frames' JPEG files of 1280x720 to rows of "
        f"{'SQLite' if options.sqlite else 'PostgreSQL'}, batches of {BATCH}, with a tagger of the input and output of "
        "a WD tagger (448 x 448, 10,861 labels) that costs almost nothing. **Not measured on a GPU**: its batches are "
        f"copied and computed by the CPU here. {cores_for_reading()} threads or processes read.\n\n"
        "Each step alone: milliseconds of the CPU in the process that has the GPU, and how long it holds "
        "Python's lock, which one thread at a time can have. However many cores and whatever GPU, that process cannot "
        f"do more pictures per second than the lock allows; wanted: {WANTED:,}.\n\n"
        + table_of_steps(alone)
        + "\n\nThe whole stage:\n\n"
        + table_of_runs(runs)
        + f"\n\nReading and fitting a picture takes {reading_ms:.1f} ms of a core like these, so {CORES} of them give "
        f"at most {1000 * CORES / reading_ms:,.0f} pictures of this size per second: without the lock that is the next "
        "limit. On a GPU copying takes the lock as here, computing does not."
    )
    print(text) if options.dry else report.write("Models: from files to answers", text)


if __name__ == "__main__":
    main()
