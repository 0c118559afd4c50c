"""Restoring a dropped frame: the full picture comes from the film at its time code; a film that is gone is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from ingest import jobs, restoring
from ingest.actions import full_pictures, runs, sources
from ingest.models import Collection, Frame, FrameState, PipelineRun, RunState
from ingest.pipeline.contract import Context
from ingest.stages.pictures import Pictures
from ingest.storage.stored_files import store
from tests import films
from tests.pages import html_of


@pytest.fixture()
def dropped(collection: Collection, alice: User, tmp_path: Path) -> Frame:
    """A frame of a film that was dropped as a copy and has only its preview left."""
    path = films.film(tmp_path / "Show - 01.mkv")
    episode = sources.register(collection=collection, path=path, by=alice)
    runs.run_here(runs.start(collection=collection, episodes=[episode], by=alice, stage_names=["extract"]))
    frame = Frame.objects.filter(episode=episode, state=FrameState.KEPT).order_by("index")[1]
    Frame.objects.filter(pk=frame.pk).update(state=FrameState.DROPPED, reason="duplicate", file="")
    return frame


def restore(client: Client, *frames: Frame) -> Any:
    address = f"/c/{frames[0].collection_id}/frames/change/"
    keys = [frame.pk for frame in frames]
    return client.post(address, {"act": "restore", "frame": keys}, headers={"HX-Request": "true"})


def test_a_restored_frame_has_the_same_full_picture_as_before(as_alice: Client, dropped: Frame) -> None:
    as_it_was = dropped.file
    restore(as_alice, dropped)
    dropped.refresh_from_db()
    assert (dropped.state, dropped.decided, dropped.file) == (FrameState.KEPT, True, as_it_was)
    assert store().exists(dropped.file)


def test_a_film_that_is_gone_is_named_and_the_frame_stays_dropped(as_alice: Client, dropped: Frame) -> None:
    Path(dropped.episode.source.path).unlink()
    answer = restore(as_alice, dropped)
    dropped.refresh_from_db()
    text = html_of(answer) + answer.headers.get("HX-Trigger", "")
    assert "Show - 01.mkv is gone. Put it back where it was." in text
    assert (dropped.state, dropped.file) == (FrameState.DROPPED, "")


@pytest.fixture()
def many(dropped: Frame, monkeypatch: pytest.MonkeyPatch) -> Frame:
    """The same frame where one full picture is more than a page waits for."""
    monkeypatch.setattr(restoring, "RESTORED_MAX", 0)
    return dropped


def message_of(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request)) + answer.headers.get(
        "HX-Trigger", ""
    )


def test_more_frames_than_a_page_can_wait_for_are_kept_at_once_and_a_run_writes_their_pictures(
    as_alice: Client, many: Frame
) -> None:
    words = message_of(restore(as_alice, many))
    many.refresh_from_db()
    run = PipelineRun.objects.latest("pk")
    assert f"1 frame restored. 1 full picture is decoded from the films again by run {run.number}" in words
    assert (many.state, many.file) == (FrameState.KEPT, "")
    assert [row.stage for row in run.stages.all()] == ["pictures"]
    assert run.created_by is not None
    assert runs.run_here(run).state == RunState.DONE
    stage = run.stages.get()
    assert (stage.done, stage.total, stage.counters) == (1, 1, {"written": 1})
    many.refresh_from_db()
    assert store().exists(many.file)


def test_the_same_form_sent_again_after_its_run_ended_starts_no_second_run(many: Frame) -> None:
    read = Frame.objects.select_related("episode__source").get(pk=many.pk)  # by both requests, before either restores
    _, run = full_pictures.restore_later(collection=many.collection, frames=[read], by=None)
    assert run is not None
    assert runs.run_here(run).state == RunState.DONE
    words, second = full_pictures.restore_later(collection=many.collection, frames=[read], by=None)
    assert (words, second) == ("1 frame restored.", None)
    assert PipelineRun.objects.latest("pk") == run


def test_a_stopped_restoring_goes_on_when_resumed_and_never_by_itself(as_alice: Client, many: Frame) -> None:
    restore(as_alice, many)
    run = PipelineRun.objects.latest("pk")
    runs.cancel(run, by=None)
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert full_pictures.start_lacking() == []
    runs.run_here(runs.resume(run, by=None))
    many.refresh_from_db()
    assert many.file


def test_of_a_large_restoring_nothing_is_done_when_a_film_is_gone(as_alice: Client, many: Frame) -> None:
    Path(many.episode.source.path).unlink()
    assert "Show - 01.mkv is gone. Put it back where it was." in message_of(restore(as_alice, many))
    many.refresh_from_db()
    assert many.state == FrameState.DROPPED
    assert PipelineRun.objects.count() == 1


def test_an_episode_that_is_in_a_run_gets_its_restored_pictures_after_it(as_alice: Client, many: Frame) -> None:
    busy = runs.start(collection=many.collection, episodes=[many.episode], by=None, stage_names=["dedup", "detect"])
    assert "after the current run" in message_of(restore(as_alice, many))
    assert full_pictures.start_lacking() == []
    PipelineRun.objects.filter(pk=busy.pk).update(state=RunState.DONE)
    (run,) = full_pictures.start_lacking()
    assert full_pictures.start_lacking() == []
    runs.run_here(run)
    many.refresh_from_db()
    assert many.file
    assert full_pictures.start_lacking() == []


def test_kept_frames_of_any_episode_get_their_pictures_by_the_sweep(many: Frame, queues: str) -> None:
    Frame.objects.filter(pk=many.pk).update(state=FrameState.KEPT, reason="")
    assert jobs.sweep() == 1
    run = PipelineRun.objects.latest("pk")
    assert run.created_by is None
    runs.run_here(run)
    many.refresh_from_db()
    assert many.file
    assert jobs.sweep() == 0


def test_a_film_that_is_gone_is_tried_once_and_then_waits_for_a_person(many: Frame) -> None:
    Frame.objects.filter(pk=many.pk).update(state=FrameState.KEPT, reason="")
    Path(many.episode.source.path).unlink()
    (run,) = full_pictures.start_lacking()
    assert runs.run_here(run).state == RunState.FAILED
    assert "is gone" in run.stages.get().error
    assert full_pictures.start_lacking() == []


def test_archived_collections_are_left_alone(many: Frame) -> None:
    Frame.objects.filter(pk=many.pk).update(state=FrameState.KEPT, reason="")
    Collection.objects.filter(pk=many.collection_id).update(archived_at=timezone.now())
    assert full_pictures.start_lacking() == []


def test_a_frame_that_was_kept_meanwhile_does_not_give_its_picture_up(many: Frame) -> None:
    """The stage reads a batch, another run keeps one of its frames, then the batch is saved."""
    first = Frame.objects.filter(episode=many.episode).exclude(file="").exclude(pk=many.pk).earliest("index")
    Frame.objects.filter(pk=first.pk).update(state=FrameState.DROPPED, reason="duplicate")
    run = runs.start(collection=many.collection, episodes=[many.episode], by=None, stage_names=["pictures"])
    ctx = Context(run.stages.get(), run, many.collection, many.episode, None, {})
    stage = Pictures(ctx)
    (batch,) = stage.batches()
    Frame.objects.filter(pk=first.pk).update(state=FrameState.KEPT, reason="")
    stage.save(stage.work(batch))
    assert Frame.objects.get(pk=first.pk).file == first.file
    assert ctx.counters == {}


def test_a_collection_whose_settings_start_no_run_hinders_no_other(as_alice: Client, many: Frame) -> None:
    busy = runs.start(collection=many.collection, episodes=[many.episode], by=None, stage_names=["dedup", "detect"])
    restore(as_alice, many)
    PipelineRun.objects.filter(pk=busy.pk).update(state=RunState.DONE)
    settings = many.collection.run_defaults
    Collection.objects.filter(pk=many.collection_id).update(run_defaults={"pictures": {"of another Koma": 1}})
    assert full_pictures.start_lacking() == []
    Collection.objects.filter(pk=many.collection_id).update(run_defaults=settings)
    assert len(full_pictures.start_lacking()) == 1
