"""Progress of a run by stage (lanes), rates and remaining time, for its page and the ring in the top bar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import BigIntegerField, Case, Count, F, IntegerField, Q, Sum, Value, When
from django.db.models.functions import Cast, Least
from django.utils import timezone

from ingest.models import PipelineRun, RunState, StageRun
from ingest.pipeline import tallies
from ingest.pipeline.registry import stages
from ingest.pipeline.tallies import Tally

PLACES = {  # labels of the steps of a stage with models, in order
    "decode": "Decode and fit",
    "copy": "Copy to the device",
    "compute": "Compute",
    "wait": "Device waits",
    "save": "Write",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Seconds that a stage spent in one step; `percent` of its total time. Steps overlap, so the sum may exceed 100."""

    label: str
    seconds: float
    percent: int


ROW_FIELDS = (
    *("run", "episode", "stage", "order", "state", "attempt", "worker", "total", "done", "counters", "timings"),
    *("error", "device", "started_at"),
)
EPISODE_FIELDS = ("episode__collection", "episode__number", "episode__season", "episode__title")  # fields of its label
ROWS_MAX = 200  # per stage and page
WEIGHT_MIN_S = 0.2  # a stage with nothing to do still counts a little
PACE_MAX = 5.0  # the most by which stages that are done correct the estimate of the others
FAILED_MAX = 20  # failed rows with an error text, per stage and page


@dataclass(slots=True)
class Lane:
    """One stage of a run over all its episodes. `rows` are the first ones in the order running, failed, others, if
    requested."""

    name: str
    label: str
    number: int  # stage runs
    percent: int  # 0 to 100, mean of the episodes
    states: set[str]
    units: int  # done and pending
    tally: Tally
    running: list[StageRun] = field(default_factory=list)
    failed: list[StageRun] = field(default_factory=list)  # with an error text, at most FAILED_MAX
    failed_number: int = 0
    rows: list[StageRun] | None = None

    @property
    def state(self) -> str:
        """The most important state of its stage runs, see `state_of`."""
        return state_of(self.states)

    @property
    def counters(self) -> dict[str, int]:
        return self.tally.counters

    @property
    def devices(self) -> str:
        return ", ".join(sorted(self.tally.devices))

    @property
    def rate(self) -> float | None:
        """Units per second of all running rows; None if unknown."""
        row_rates = [r for r in map(rate, self.running) if r is not None]
        return sum(row_rates) if row_rates else None

    @property
    def places(self) -> list[Place]:
        """Time by step of a stage with models; empty for other stages."""
        total_s = self.tally.places.get("total", 0.0)
        places = []
        for name, label in PLACES.items() if self.tally.places else ():
            seconds = self.tally.places.get(name, 0.0)
            places.append(Place(label, seconds, min(100, round(100 * seconds / total_s)) if total_s else 0))
        return places

    @property
    def seconds(self) -> float:
        """Seconds of work so far."""
        return self.tally.seconds


@dataclass(frozen=True, slots=True)
class Summary:
    """A lane without its rows, for lists of runs. `number`: of its stage runs, one per episode or one for all."""

    name: str
    label: str
    state: str
    percent: int
    number: int = 1


def state_of(states: set[str]) -> str:
    """The first of failed, running, queued, waiting, cancelled, done that occurs."""
    for state in ("failed", "running", "queued", "waiting", "cancelled"):
        if state in states:
            return state if state != "waiting" or "done" not in states else "running"
    return "done"


def rate(row: StageRun) -> float | None:
    """Units per second since the stage started; None before the first batch."""
    if row.started_at is None or row.state != RunState.RUNNING or not row.done:
        return None
    elapsed = (timezone.now() - row.started_at).total_seconds()
    return row.done / elapsed if elapsed > 0 else None


def lanes(run: PipelineRun, *, opened: str = "", few_max: int = 0) -> list[Lane]:
    """The run's stages in pipeline order, without logs; with rows for the stage `opened` and all with at most
    `few_max`. A handful of queries, whose rows are as many as stages and workers, whatever the number of episodes."""
    summed = tallies.of(run)
    by_name: dict[str, Lane] = {}
    for (_, name), group in _grouped([run]).items():
        label = stages()[name].label if name in stages() else name
        percent = group.points // max(1, group.number)
        by_name[name] = Lane(
            name, label, group.number, percent, group.states, group.units, summed.get(name, Tally()),
            failed_number=group.failed,
        )  # fmt: skip
    state_order = Case(When(state=RunState.RUNNING, then=0), When(state=RunState.FAILED, then=1), default=2)
    rows = run.stages.select_related("episode").only(*ROW_FIELDS, *EPISODE_FIELDS).order_by("order", state_order, "pk")
    small_stages = {lane.name for lane in by_name.values() if lane.number <= few_max}
    if small_stages:
        _add_rows(by_name, rows.filter(stage__in=small_stages))
    if small_stages != set(by_name):
        for row in rows.filter(state=RunState.RUNNING).exclude(stage__in=small_stages):
            by_name[row.stage].running.append(row)
    for lane in by_name.values():
        if lane.name in small_stages:
            continue
        lane_rows = rows.filter(stage=lane.name)
        if lane.failed_number:
            lane.failed = list(lane_rows.exclude(error="").order_by("order", "pk")[:FAILED_MAX])
        if lane.name == opened:
            lane.rows = list(lane_rows[:ROWS_MAX])
    return list(by_name.values())


def _add_rows(by_name: dict[str, Lane], rows: Iterable[StageRun]) -> None:
    """Add all rows to lanes with few of them."""
    for row in rows:
        lane = by_name[row.stage]
        if lane.rows is None:
            lane.rows = []
        lane.rows.append(row)
        if row.state == RunState.RUNNING:
            lane.running.append(row)
        if row.error and len(lane.failed) < FAILED_MAX:
            lane.failed.append(row)


@dataclass(slots=True)
class _Group:
    """Sums over the stage runs of one stage; `points` are percents."""

    states: set[str] = field(default_factory=set)
    number: int = 0
    points: int = 0
    units: int = 0
    failed: int = 0


def _grouped(runs: Sequence[PipelineRun]) -> dict[tuple[int, str], _Group]:
    """By run and stage, in pipeline order. One query."""
    done = Cast("done", BigIntegerField())  # 100 times a large count exceeds its column's type
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
    groups: dict[tuple[int, str], _Group] = {}
    for run, _, stage, state, n, points, units, failed in summed:
        group = groups.setdefault((run, stage), _Group())
        group.states.add(state)
        group.number += n
        group.points += int(points)
        group.units += int(units)
        group.failed += failed
    return groups


def summaries(runs: Sequence[PipelineRun]) -> dict[int, list[Summary]]:
    """The lanes of several runs by the run's key, as `lanes` would give them. One query for all."""
    by_run: dict[int, list[Summary]] = {run.pk: [] for run in runs}
    for (run, name), group in _grouped(runs).items():
        label = stages()[name].label if name in stages() else name
        percent = group.points // max(1, group.number)
        by_run[run].append(Summary(name, label, state_of(group.states), percent, group.number))
    return by_run


@dataclass(frozen=True, slots=True)
class Outlook:
    """How far a run is: percent, 0 to 100, of its expected work, and the seconds that are left (None: unknown)."""

    percent: int
    seconds_left: float | None


def outlook(run_lanes: Sequence[Lane | Summary], expected: Mapping[str, float]) -> Outlook:
    """Weigh the stages by the seconds that each is expected to take (`expected`; equally where none is known).

    The time left follows the pace of what is done already: a machine that took twice as long as expected so far goes
    on like that. A stage that is running counts by its own rate, the more the further it is.
    """
    weights = {lane.name: max(expected.get(lane.name, 0.0), WEIGHT_MIN_S) for lane in run_lanes}
    total = sum(weights.values())
    if not total:
        return Outlook(0, None)
    done = sum(weights[lane.name] * lane.percent / 100 for lane in run_lanes)
    percent = int(100 * done / total)
    open_lanes = [lane for lane in run_lanes if lane.state not in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)]
    if not expected or not open_lanes:
        return Outlook(percent, None)
    pace = _pace([lane for lane in run_lanes if isinstance(lane, Lane)], weights, total)
    left = sum(_lane_seconds_left(lane, weights[lane.name] * pace) for lane in open_lanes)
    workers = sum(len(lane.running) for lane in open_lanes if isinstance(lane, Lane))
    return Outlook(percent, left / max(1, workers))


def _pace(run_lanes: Sequence[Lane], weights: Mapping[str, float], total: float) -> float:
    """Seconds per expected second of the stages that are done; 1 until a tenth of the run is done.

    A stage that Koma alone starts (drawing the demo's film) says nothing of the others.
    """
    unlike = [stage.name for stage in stages().values() if not stage.is_offered]
    done = [lane for lane in run_lanes if lane.state == RunState.DONE and lane.seconds and lane.name not in unlike]
    weight = sum(weights[lane.name] for lane in done)
    total -= sum(weights.get(name, 0.0) for name in unlike)
    if weight < 0.1 * total:
        return 1.0
    return min(PACE_MAX, max(1 / PACE_MAX, sum(lane.seconds for lane in done) / weight))


def _lane_seconds_left(lane: Lane | Summary, expected: float) -> float:
    """Seconds of work that are left of a stage which is expected to take that many in all."""
    share = lane.percent / 100
    if isinstance(lane, Lane) and lane.number == 1 and lane.running and share > 0:
        began = lane.running[0].started_at
        elapsed = (timezone.now() - began).total_seconds() if began else 0.0
        expected = share * (elapsed / share) + (1 - share) * expected
    return (1 - share) * expected


def current(run_lanes: Sequence[Lane | Summary]) -> Lane | Summary | None:
    """The stage that works now; None while the run waits for a worker."""
    return next((lane for lane in run_lanes if lane.state == RunState.RUNNING), None)


def current_of(runs: Sequence[PipelineRun]) -> dict[int, Lane | Summary | None]:
    """The stage that works now in each of several runs, by the run's key. One query for all, none for none."""
    return {key: current(run_lanes) for key, run_lanes in summaries(runs).items()} if runs else {}
