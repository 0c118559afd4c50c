"""Stages that look at pictures ask between two of them whether the run was cancelled, not only between batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from ingest.actions import runs, sources
from ingest.models import Collection, Episode, Frame, RunState
from ingest.pipeline import claims, registry
from tests.annotate.people import ANNA
from tests.films import png, zipped
from tests.ingest.imaging.films import scene, write_film

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def real_stages(settings: Any) -> Iterator[None]:
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


def episode_for(stage: str, collection: Collection, by: User, folder: Path, make: Callable[..., Episode]) -> Episode:
    if stage == "read_pictures":
        path = zipped(folder / "a.zip", {f"{n}.png": png(shade=n) for n in range(5)})
        return sources.register(collection=collection, path=path, by=by)
    if stage in ("extract", "pictures"):
        film = write_film(folder / "Show - 01.mkv", [scene(n) for n in range(5) for _ in range(4)])
        episode = sources.register(collection=collection, path=film, by=by)
        if stage == "pictures":
            runs.run_here(runs.start(collection=collection, episodes=[episode], by=by, stage_names=["extract"]))
            Frame.objects.filter(episode=episode).update(file="")
        return episode
    return make([[ANNA]] * 4)


@pytest.mark.parametrize("stage", ["read_pictures", "extract", "pictures", "detect", "tag", "embed"])
def test_a_cancel_is_heard_within_a_batch(
    stage: str,
    collection: Collection,
    alice: User,
    make_episode: Callable[..., Episode],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    episode = episode_for(stage, collection, alice, tmp_path, make_episode)
    run = runs.start(collection=collection, episodes=[episode], by=alice, stage_names=[stage])
    monkeypatch.setattr(claims, "CANCEL_EVERY_S", -1)  # ask each time
    original, request = claims.Reporter.check, []

    def cancelling(report: Any) -> None:
        request.append(report)
        if len(request) == 2:  # the first is before the only batch; a film is also asked about while it is decoded
            runs.cancel(run, by=alice)
        original(report)

    monkeypatch.setattr(claims.Reporter, "check", cancelling)
    assert runs.run_here(run).state == RunState.CANCELLED
    row = run.stages.get()
    assert (row.state, row.done) == (RunState.CANCELLED, 0)
