"""Rates, time left and lanes of a run, for its page and the ring in the top bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Case, Count, F, IntegerField, Sum, Value, When
from django.db.models.functions import Least
from django.utils import timezone

from ingest.models import PipelineRun, RunState, StageRun
from ingest.pipeline.registry import stages

PLACES = {  # of the time of a stage in which models look at pictures: how each is called, in the order of the way
    "decode": "Decode and fit",
    "copy": "Copy to the device",
    "compute": "Compute",
    "wait": "Device waits",
    "save": "Write",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Seconds that a stage spent in one place; `percent` of its whole time. Places overlap, so they sum to more."""

    label: str
    seconds: float
    percent: int


SHOWN = (
    *("run", "episode", "stage", "order", "state", "attempt", "worker", "total", "done", "counters", "timings"),
    *("error", "device", "started_at"),
)


@dataclass(slots=True)
class Lane:
    """All stage runs of one stage in a run."""

    name: str
    label: str
    rows: list[StageRun] = field(default_factory=list)

    @property
    def percent(self) -> int:
        """0 to 100, the mean over the episodes."""
        return sum(row.percent for row in self.rows) // max(1, len(self.rows))

    @property
    def state(self) -> str:
        """The state that matters most to somebody looking."""
        return state_of({row.state for row in self.rows})

    @property
    def counters(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for row in self.rows:
            for name, n in row.counters.items():
                total[name] = total.get(name, 0) + int(n)
        return total

    @property
    def devices(self) -> str:
        return ", ".join(sorted({row.device for row in self.rows if row.device}))

    @property
    def rate(self) -> float | None:
        """Units a second of the rows that run now; None when unknown."""
        rates = [r for r in map(rate, self.rows) if r is not None]
        return sum(rates) if rates else None

    @property
    def seconds_left(self) -> float | None:
        """For the rows that run now."""
        left = [s for s in map(seconds_left, self.rows) if s is not None]
        return max(left) if left else None

    @property
    def places(self) -> list[Place]:
        """Where the time of a stage with models went; empty for other stages."""
        rows = [row.timings for row in self.rows if "compute" in row.timings]
        whole = sum(float(timings.get("total", 0.0)) for timings in rows)
        found = []
        for name, label in PLACES.items() if rows else ():
            seconds = sum(float(timings.get(name, 0.0)) for timings in rows)
            found.append(Place(label, seconds, min(100, round(100 * seconds / whole)) if whole else 0))
        return found

    @property
    def seconds(self) -> float:
        """Seconds of work so far."""
        return sum(float(row.timings.get("total", 0.0)) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Summary:
    """A lane without its rows: for lists of runs."""

    name: str
    label: str
    state: str
    percent: int


def state_of(states: set[str]) -> str:
    """Of several stage runs: failed, running, queued, waiting, cancelled, done; the first of these that occurs."""
    for state in ("failed", "running", "queued", "waiting", "cancelled"):
        if state in states:
            return state if state != "waiting" or "done" not in states else "running"
    return "done"


def rate(row: StageRun) -> float | None:
    """Units a second since the stage started; None before the first batch."""
    if row.started_at is None or row.state != RunState.RUNNING or not row.done:
        return None
    elapsed = (timezone.now() - row.started_at).total_seconds()
    return row.done / elapsed if elapsed > 0 else None


def seconds_left(row: StageRun) -> float | None:
    """Seconds to the end of a running stage at its mean rate; None when unknown."""
    speed = rate(row)
    if speed is None or not row.total:
        return None
    return max(0.0, (row.total - row.done) / speed)


def lanes(run: PipelineRun) -> list[Lane]:
    """The run's stages in pipeline order, without logs. One query."""
    found: dict[str, Lane] = {}
    episode = ("episode__collection", "episode__number", "episode__season", "episode__title")  # what its label needs
    for row in run.stages.select_related("episode").only(*SHOWN, *episode).order_by("order", "pk"):
        label = stages()[row.stage].label if row.stage in stages() else row.stage
        found.setdefault(row.stage, Lane(row.stage, label)).rows.append(row)
    return list(found.values())


def summaries(runs: Sequence[PipelineRun]) -> dict[int, list[Summary]]:
    """The lanes of several runs by the run's key, as `lanes` would give them. One query for all."""
    part = Case(
        When(state=RunState.DONE, then=Value(100)),
        When(total__gt=0, then=Least(Value(99), 100 * F("done") / F("total"))),
        default=Value(0),
        output_field=IntegerField(),
    )
    rows = StageRun.objects.filter(run_id__in=[run.pk for run in runs]).order_by("order")
    grouped = rows.values_list("run_id", "order", "stage", "state").annotate(n=Count("pk"), sum=Sum(part))
    found: dict[int, dict[str, tuple[set[str], list[int]]]] = {}
    for run, _, stage, state, n, points in grouped:
        states, sums = found.setdefault(run, {}).setdefault(stage, (set(), [0, 0]))
        states.add(state)
        sums[0] += n
        sums[1] += int(points)
    return {
        run.pk: [
            Summary(name, stages()[name].label if name in stages() else name, state_of(states), points // max(1, n))
            for name, (states, (n, points)) in found.get(run.pk, {}).items()
        ]
        for run in runs
    }


def percent(run_lanes: Sequence[Lane | Summary]) -> int:
    """0 to 100 over all stages."""
    return sum(lane.percent for lane in run_lanes) // max(1, len(run_lanes))
