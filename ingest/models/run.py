"""PipelineRun and StageRun: what runs, how far it is, and which worker has it."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import models
from django.utils.functional import cached_property

from ingest.models.claimed import FINISHED, Claimed, RunState
from ingest.models.collection import Collection
from ingest.models.fields import CountField
from ingest.models.source import Episode

NUMBER_MAX = 10**9  # a higher one is no row's, and too large for a database's offset


class PipelineRun(models.Model):
    """One request to run some stages over some episodes, with its parameters frozen."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="runs")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    params = models.JSONField(default=dict)  # stage name -> parameters
    code_version = models.CharField(max_length=40)
    cancel_requested = models.BooleanField(default=False)
    # By stage, what those that are done came to (ingest.pipeline.tallies); None: nothing is done, or read the rows.
    tallies = models.JSONField(null=True, blank=True, editable=False)
    served_at = models.DateTimeField(null=True, blank=True)  # when a worker last took one of its stages

    class Meta:
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=("collection", "state"), name="run_state"),
            # whose turn it is: the collection that was served least recently
            models.Index(fields=("collection", "served_at"), name="run_served"),
        )

    @cached_property
    def number(self) -> int:
        """The how-manieth of its collection: what pages and addresses call it. One query, where nothing has set it."""
        return type(self).objects.filter(collection_id=self.collection_id, pk__lte=self.pk).count()

    @property
    def finished(self) -> bool:
        return self.state in FINISHED


def with_number(rows: models.QuerySet[PipelineRun], number: int) -> PipelineRun | None:
    """The run with this number among all runs of a collection (`rows`), or None."""
    if not 0 < number <= NUMBER_MAX:
        return None
    row = rows.order_by("pk")[number - 1 : number].first()
    if row is not None:
        row.number = number
    return row


def number_newest(rows: Sequence[PipelineRun]) -> None:
    """Set the numbers of a collection's newest runs, the newest first and none left out, by one query."""
    for index, row in enumerate(rows):
        row.number = rows[0].number - index


class StageRun(Claimed):
    """One stage of a run over one episode (or over the whole collection when `episode` is null)."""

    run = models.ForeignKey(PipelineRun, models.CASCADE, related_name="stages")
    episode = models.ForeignKey(Episode, models.CASCADE, null=True, blank=True, related_name="stage_runs")
    stage = models.CharField(max_length=40)
    order = models.PositiveSmallIntegerField()
    queue = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.WAITING)
    total = CountField(default=0)  # units of work; 0 = not known yet
    done = CountField(default=0)
    counters = models.JSONField(default=dict, blank=True)  # what came out: kept, dropped by reason, faces...
    timings = models.JSONField(default=dict, blank=True)  # seconds: work, save, wait
    log = models.TextField(blank=True)
    device = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ("run_id", "order", "pk")
        indexes = (
            # what waits in a queue, and what runs
            models.Index(fields=("state", "queue"), name="stage_queued"),
            # the next one for a worker; and whether anything of a run is unfinished
            models.Index(fields=("run", "state", "queue", "order"), name="stage_next"),
            # what an episode's stage waits for
            models.Index(fields=("run", "episode", "order", "state"), name="stage_before"),
        )

    @property
    def percent(self) -> int:
        """0 to 100; 100 only when done."""
        if self.state == RunState.DONE:
            return 100
        return min(99, 100 * self.done // self.total) if self.total else 0
