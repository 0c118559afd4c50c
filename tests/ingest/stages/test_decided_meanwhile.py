"""What a person decides on a frame between a stage's reading and its writing stays, whatever the stage would write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from ingest.actions import frames, runs, sources
from ingest.actions.sources import About
from ingest.algorithms.quality import QUALITY_VERSION
from ingest.models import Collection, Episode, Frame, FrameState, RunState
from ingest.pipeline import registry
from tests.ingest.imaging.films import scene, write_film
from tests.ingest.stages import test_dedup

pytestmark = pytest.mark.django_db
Decide = Callable[[], Any]


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = [
        "ingest.stages.extract.Extract", "ingest.stages.dedup.Dedup", "ingest.stages.pictures.Pictures",
    ]  # fmt: skip
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


def run(episode: Episode, stage: str, *, then: Decide = lambda: None, **params: Any) -> None:
    """Run a stage; `then` happens once, between the first reading and its writing."""
    stage_type = registry.stages()[stage]
    work = stage_type.work
    waiting = [then]

    def work_then_decide(self: Any, batch: Any) -> Any:
        result = work(self, batch)
        if waiting:
            waiting.pop()()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_type, "work", work_then_decide)
        done = runs.run_here(
            runs.start(
                collection=episode.collection, episodes=[episode], by=None, stage_names=[stage], params={stage: params}
            )
        )
    assert done.state == RunState.DONE, done.stages.get().error
    assert not waiting


def states(*rows: Frame) -> list[tuple[str, str, bool]]:
    result = Frame.objects.in_bulk([row.pk for row in rows])
    return [(result[row.pk].state, result[row.pk].reason, result[row.pk].decided) for row in rows]


def four_copies(collection: Collection) -> tuple[Episode, list[Frame]]:
    """Four frames alike of which the third is the best, measured by the rule of today."""
    episode = test_dedup.episode(collection, "one")
    rows = test_dedup.fill(episode, [1])
    Frame.objects.filter(episode=episode).update(quality_version=QUALITY_VERSION)
    return episode, rows


def test_a_copy_that_a_person_keeps_meanwhile_is_not_dropped(collection: Collection, alice: User) -> None:
    episode, (copy, other, best, _) = four_copies(collection)

    def decide() -> None:
        frames.drop(collection=collection, frames=[copy], by=alice)
        frames.restore(collection=collection, frames=[copy], by=alice)

    run(episode, "dedup", then=decide)
    assert states(copy, other, best) == [("kept", "", True), ("dropped", "duplicate", False), ("kept", "", False)]
    copy.refresh_from_db()
    assert copy.duplicate_of_id is None


def test_a_frame_that_a_person_drops_meanwhile_is_not_kept_again(collection: Collection, alice: User) -> None:
    episode, (copy, other, best, _) = four_copies(collection)
    run(episode, "dedup")
    assert states(copy, other) == [("dropped", "duplicate", False)] * 2
    run(
        episode, "dedup", threshold=1.0,
        then=lambda: frames.drop(collection=collection, frames=[copy], by=alice),
    )  # fmt: skip
    assert states(copy, other, best) == [("dropped", "person", True), ("kept", "", False), ("kept", "", False)]


def test_a_frame_that_a_person_drops_while_its_film_is_read_again_stays_dropped(
    collection: Collection, alice: User, tmp_path: Path
) -> None:
    pictures = [np.asarray(scene(number)) for number in (1, 2, 3) for _ in range(8)]
    path = write_film(tmp_path / "a.mkv", pictures, options={"crf": "12"})
    episode = sources.register(collection=collection, path=path, by=alice, about=About())
    run(episode, "extract")
    first, second = Frame.objects.filter(episode=episode).order_by("index")[:2]
    run(
        episode, "extract", picture_format="png",
        then=lambda: frames.drop(collection=collection, frames=[first], by=alice),
    )  # fmt: skip
    assert states(first, second) == [("dropped", "person", True), ("kept", "", False)]


def test_the_picture_of_a_copy_that_a_person_keeps_meanwhile_stays(
    collection: Collection, alice: User, tmp_path: Path
) -> None:
    path = write_film(tmp_path / "a.mkv", [np.asarray(scene(n)) for n in (1, 2, 3) for _ in range(8)])
    episode = sources.register(collection=collection, path=path, by=alice, about=About())
    run(episode, "extract")
    copy, other, best = Frame.objects.filter(episode=episode).order_by("index")[:3]
    given_up = Frame.objects.filter(pk__in=[copy.pk, other.pk])
    given_up.update(state=FrameState.DROPPED, reason="duplicate", duplicate_of=best)
    run(episode, "pictures", then=lambda: frames.restore(collection=collection, frames=[copy], by=alice))
    copy.refresh_from_db()
    other.refresh_from_db()
    assert copy.file and not other.file
