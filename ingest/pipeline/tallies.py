"""Sums over the stages of a run, updated as they end and stored with the run, so that pages need not read all rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from ingest.models import PipelineRun, RunState, StageRun

Row = tuple[str, dict[str, Any], dict[str, Any], str]  # stage, counters, timings, device
ROW = ("stage", "counters", "timings", "device")
# Interrupted stages have counts too; waiting ones have not started.
BEGUN = Q(state__in=(RunState.RUNNING, RunState.QUEUED, RunState.FAILED, RunState.CANCELLED), started_at__isnull=False)


@dataclass(slots=True)
class Tally:
    """Sums of one stage over all episodes: counters, seconds by step of rows with models, and total seconds."""

    counters: dict[str, int] = field(default_factory=dict)
    places: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    devices: list[str] = field(default_factory=list)

    def add(self, counters: dict[str, Any], timings: dict[str, Any], device: str) -> None:
        for name, n in counters.items():
            self.counters[name] = self.counters.get(name, 0) + int(n)
        for name, seconds in timings.items() if "compute" in timings else ():
            self.places[name] = round(self.places.get(name, 0.0) + float(seconds), 3)
        self.seconds = round(self.seconds + float(timings.get("total", 0.0)), 3)
        if device and device not in self.devices:
            self.devices.append(device)

    def as_json(self) -> dict[str, Any]:
        return {
            "counters": self.counters, "places": self.places, "seconds": self.seconds, "devices": self.devices
        }  # fmt: skip


def of(run: PipelineRun) -> dict[str, Tally]:
    """Tallies by stage: the stored ones of finished stage runs plus the rows of started ones."""
    stored = run.tallies
    tallies = _done(run) if stored is None else {stage: Tally(**values) for stage, values in stored.items()}
    return _add_rows(tallies, run.stages.filter(BEGUN).order_by().values_list(*ROW))


def keep(run: PipelineRun, done: StageRun) -> None:
    """Add a finished stage run to the run's stored tallies. The run's row must be locked and freshly read."""
    if run.tallies is None:  # the first, or a run of an older version; `done` is among the rows
        tallies = _done(run)
    else:
        tallies = {stage: Tally(**values) for stage, values in run.tallies.items()}
        _add_rows(tallies, StageRun.objects.filter(pk=done.pk).values_list(*ROW))
    run.tallies = {stage: tally.as_json() for stage, tally in tallies.items()}
    run.save(update_fields=["tallies"])


def _done(run: PipelineRun) -> dict[str, Tally]:
    return _add_rows({}, run.stages.filter(state=RunState.DONE).order_by().values_list(*ROW).iterator(1000))


def _add_rows(tallies: dict[str, Tally], rows: Iterable[Row]) -> dict[str, Tally]:
    for stage, counters, timings, device in rows:
        tallies.setdefault(stage, Tally()).add(counters, timings, device)
    return tallies
