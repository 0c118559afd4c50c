"""Claimed, Job: rows of work that one worker at a time has. The rules are in `ingest.pipeline.claims`."""

from __future__ import annotations

from django.db import models


class RunState(models.TextChoices):
    WAITING = "waiting", "waiting"  # an earlier stage is not done
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


FINISHED = (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


class Claimed(models.Model):
    """A piece of work. Whoever set `token` as it began has it; whoever lost it cannot write any more."""

    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    token = models.CharField(max_length=40, blank=True)  # the claim: only its holder may write
    worker = models.CharField(max_length=100, blank=True)  # host:process
    error = models.TextField(blank=True)  # text for the user
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def finished(self) -> bool:
        return self.state in FINISHED


class Job(Claimed):
    """Work that is cancelled by itself; a stage is cancelled with its run."""

    cancel_requested = models.BooleanField(default=False)

    class Meta:
        abstract = True
