"""The stamp of a collection: every write of a person and of a run gives another one; looking gives the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from ingest.actions import frames, history
from ingest.models import Collection, Episode, Frame, Operation, PipelineRun, RunState, Source, StageRun
from ingest.stamp import stamp

pytestmark = pytest.mark.django_db
Write = Callable[[Collection, User], Any]


@pytest.fixture()
def worked_on(collection: Collection, alice: User) -> Collection:
    """A frame that somebody dropped, and a run of which one stage runs."""
    source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source)
    rows = [Frame(collection=collection, episode=episode, index=n, width=9, height=9) for n in range(2)]
    Frame.objects.bulk_create(rows)
    frames.drop(collection=collection, frames=[rows[0]], by=alice)
    run = PipelineRun.objects.create(collection=collection, state=RunState.RUNNING)
    StageRun.objects.create(
        run=run, episode=episode, stage="detect", order=1, state=RunState.RUNNING, heartbeat_at=timezone.now()
    )
    return collection


def run_ends(collection: Collection, by: User) -> None:
    """Its stages have ended before."""
    PipelineRun.objects.update(state=RunState.DONE, finished_at=timezone.now())


def both_end(collection: Collection, by: User) -> None:
    StageRun.objects.update(state=RunState.DONE, finished_at=timezone.now())
    run_ends(collection, by)


WRITES: dict[str, Write] = {
    "a person decides": lambda collection, by: frames.drop(
        collection=collection, frames=list(Frame.objects.kept()), by=by
    ),
    "a person undoes it": lambda collection, by: history.undo(Operation.objects.earliest("pk"), by=by),
    "a run begins": lambda collection, by: PipelineRun.objects.create(collection=collection),
    "a stage saves a batch": lambda collection, by: StageRun.objects.update(heartbeat_at=timezone.now()),
    "a stage ends": lambda collection, by: StageRun.objects.update(finished_at=timezone.now()),
    "a run ends": run_ends,
    "the last stage and with it the run end": both_end,
}


@pytest.mark.parametrize("name", WRITES)
def test_every_write_gives_another_stamp(worked_on: Collection, alice: User, name: str) -> None:
    before = stamp(worked_on)
    assert stamp(worked_on) == before
    WRITES[name](worked_on, alice)
    assert stamp(worked_on) != before


def test_a_second_run_that_ends_is_seen_beside_one_that_goes_on(worked_on: Collection, alice: User) -> None:
    first = PipelineRun.objects.get()
    second = PipelineRun.objects.create(collection=worked_on, state=RunState.RUNNING)
    StageRun.objects.create(run=second, stage="dedup", order=1, state=RunState.RUNNING, heartbeat_at=timezone.now())
    before = stamp(worked_on)
    PipelineRun.objects.filter(pk=first.pk).update(state=RunState.DONE, finished_at=timezone.now())
    assert stamp(worked_on) != before


def test_what_happens_in_another_collection_is_not_seen(worked_on: Collection, alice: User) -> None:
    other = Collection.objects.create(name="Other")
    before = stamp(other)
    for write in WRITES.values():
        write(worked_on, alice)
    assert stamp(other) == before
    assert " " not in before
