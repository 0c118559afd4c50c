"""Rates, time left and lanes of a run, for its page and the ring in the top bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import BigIntegerField, Case, Count, F, IntegerField, Q, Sum, Value, When
from django.db.models.functions import Cast, Least
from django.utils import timezone

from ingest.models import PipelineRun, RunState, StageRun
from ingest.pipeline import tallies
from ingest.pipeline.registry import stages
from ingest.pipeline.tallies import Tally

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
EPISODE = ("episode__collection", "episode__number", "episode__season", "episode__title")  # what its label needs
ROWS_MAX = 200  # of one stage, on one page
FAILED_MAX = 20  # the same, of those that say why


@dataclass(slots=True)
class Lane:
    """One stage of a run over all its episodes. Rows are there for those that run now and, where asked for, the first
    few in the order running, failed, others."""

    name: str
    label: str
    number: int  # stage runs
    percent: int  # 0 to 100, the mean over the episodes
    states: set[str]
    units: int  # done, or to be done
    tally: Tally
    running: list[StageRun] = field(default_factory=list)
    failed: list[StageRun] = field(default_factory=list)  # that say why, FAILED_MAX at most
    failed_number: int = 0
    rows: list[StageRun] | None = None

    @property
    def state(self) -> str:
        """The state that matters most to somebody looking."""
        return state_of(self.states)

    @property
    def counters(self) -> dict[str, int]:
        return self.tally.counters

    @property
    def devices(self) -> str:
        return ", ".join(sorted(self.tally.devices))

    @property
    def rate(self) -> float | None:
        """Units a second of the rows that run now; None when unknown."""
        rates = [r for r in map(rate, self.running) if r is not None]
        return sum(rates) if rates else None

    @property
    def seconds_left(self) -> float | None:
        """For the rows that run now."""
        left = [s for s in map(seconds_left, self.running) if s is not None]
        return max(left) if left else None

    @property
    def places(self) -> list[Place]:
        """Where the time of a stage with models went; empty for other stages."""
        whole = self.tally.places.get("total", 0.0)
        found = []
        for name, label in PLACES.items() if self.tally.places else ():
            seconds = self.tally.places.get(name, 0.0)
            found.append(Place(label, seconds, min(100, round(100 * seconds / whole)) if whole else 0))
        return found

    @property
    def seconds(self) -> float:
        """Seconds of work so far."""
        return self.tally.seconds


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


def lanes(run: PipelineRun, *, opened: str = "", few: int = 0) -> list[Lane]:
    """The run's stages in pipeline order, without logs; with rows those of the stage `opened`, and all that have at
    most `few`. A handful of queries, whose rows are as many as stages and workers, whatever the number of episodes."""
    summed = tallies.of(run)
    found: dict[str, Lane] = {}
    for (_, name), group in _grouped([run]).items():
        label = stages()[name].label if name in stages() else name
        percent = group.points // max(1, group.number)
        found[name] = Lane(
            name, label, group.number, percent, group.states, group.units, summed.get(name, Tally()),
            failed_number=group.failed,
        )  # fmt: skip
    first = Case(When(state=RunState.RUNNING, then=0), When(state=RunState.FAILED, then=1), default=2)
    rows = run.stages.select_related("episode").only(*SHOWN, *EPISODE).order_by("order", first, "pk")
    whole = {lane.name for lane in found.values() if lane.number <= few}
    if whole:
        _put(found, rows.filter(stage__in=whole))
    if whole != set(found):
        for row in rows.filter(state=RunState.RUNNING).exclude(stage__in=whole):
            found[row.stage].running.append(row)
    for lane in found.values():
        if lane.name in whole:
            continue
        mine = rows.filter(stage=lane.name)
        if lane.failed_number:
            lane.failed = list(mine.exclude(error="").order_by("order", "pk")[:FAILED_MAX])
        if lane.name == opened:
            lane.rows = list(mine[:ROWS_MAX])
    return list(found.values())


def _put(found: dict[str, Lane], rows: Iterable[StageRun]) -> None:
    """All rows of lanes that have few."""
    for row in rows:
        lane = found[row.stage]
        if lane.rows is None:
            lane.rows = []
        lane.rows.append(row)
        if row.state == RunState.RUNNING:
            lane.running.append(row)
        if row.error and len(lane.failed) < FAILED_MAX:
            lane.failed.append(row)


@dataclass(slots=True)
class _Group:
    """Stage runs of one stage of a run, added up: `points` are percents."""

    states: set[str] = field(default_factory=set)
    number: int = 0
    points: int = 0
    units: int = 0
    failed: int = 0


def _grouped(runs: Sequence[PipelineRun]) -> dict[tuple[int, str], _Group]:
    """By run and stage, in pipeline order. One query."""
    done = Cast("done", BigIntegerField())  # a hundred times a large one does not fit a count's own column
    part = Case(
        When(state=RunState.DONE, then=Value(100)),
        When(total__gt=0, then=Least(Value(99), 100 * done / F("total"))),
        default=Value(0),
        output_field=IntegerField(),
    )
    rows = StageRun.objects.filter(run_id__in=[run.pk for run in runs]).order_by("order")
    summed = rows.values_list("run_id", "order", "stage", "state").annotate(
        n=Count("pk"), points=Sum(part), units=Sum(F("total") + done), failed=Count("pk", filter=~Q(error=""))
    )
    found: dict[tuple[int, str], _Group] = {}
    for run, _, stage, state, n, points, units, failed in summed:
        group = found.setdefault((run, stage), _Group())
        group.states.add(state)
        group.number += n
        group.points += int(points)
        group.units += int(units)
        group.failed += failed
    return found


def summaries(runs: Sequence[PipelineRun]) -> dict[int, list[Summary]]:
    """The lanes of several runs by the run's key, as `lanes` would give them. One query for all."""
    found: dict[int, list[Summary]] = {run.pk: [] for run in runs}
    for (run, name), group in _grouped(runs).items():
        label = stages()[name].label if name in stages() else name
        found[run].append(Summary(name, label, state_of(group.states), group.points // max(1, group.number)))
    return found


def percent(run_lanes: Sequence[Lane | Summary]) -> int:
    """0 to 100 over all stages."""
    return sum(lane.percent for lane in run_lanes) // max(1, len(run_lanes))
