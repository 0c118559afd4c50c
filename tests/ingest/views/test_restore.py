"""Restoring a dropped frame: the full picture comes from the film at its time code; a film that is gone is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ingest import restoring
from ingest.actions import runs, sources
from ingest.models import Collection, Frame, FrameState
from tests import films


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
    assert restoring.store().exists(dropped.file)


def test_a_film_that_is_gone_is_named_and_the_frame_stays_dropped(as_alice: Client, dropped: Frame) -> None:
    Path(dropped.episode.source.path).unlink()
    answer = restore(as_alice, dropped)
    dropped.refresh_from_db()
    said = answer.content.decode() + answer.headers.get("HX-Trigger", "")
    assert "Show - 01.mkv is gone. Put it back where it was." in said
    assert (dropped.state, dropped.file) == (FrameState.DROPPED, "")


def test_more_frames_than_a_page_can_wait_for_are_refused_before_the_first(
    as_alice: Client, dropped: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "RESTORED_MAX", 0)
    answer = restore(as_alice, dropped)
    dropped.refresh_from_db()
    assert "restore at most 0" in answer.content.decode() + answer.headers.get("HX-Trigger", "")
    assert dropped.state == FrameState.DROPPED
