"""Rates, time left and lanes of a run, for its page and the ring in the top bar."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils import timezone

from ingest.models import PipelineRun, RunState, StageRun
from ingest.pipeline.registry import stages


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
        """The state that matters most to somebody looking: failed, running, queued, waiting, cancelled, done."""
        states = {row.state for row in self.rows}
        for state in ("failed", "running", "queued", "waiting", "cancelled"):
            if state in states:
                return state if state != "waiting" or "done" not in states else "running"
        return "done"

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
    def seconds(self) -> float:
        """Seconds of work so far."""
        return sum(float(row.timings.get("total", 0.0)) for row in self.rows)


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
    """The run's stages in pipeline order. One query."""
    found: dict[str, Lane] = {}
    for row in run.stages.select_related("episode").order_by("order", "pk"):
        label = stages()[row.stage].label if row.stage in stages() else row.stage
        found.setdefault(row.stage, Lane(row.stage, label)).rows.append(row)
    return list(found.values())


def percent(run_lanes: list[Lane]) -> int:
    """0 to 100 over all stages."""
    return sum(lane.percent for lane in run_lanes) // max(1, len(run_lanes))
