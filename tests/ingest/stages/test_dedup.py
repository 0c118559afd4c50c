"""Similar frames of a collection: marked with their kept copy, the same however often and whenever it is run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from numpy.typing import NDArray

from ingest.actions import frames as frame_actions
from ingest.actions import full_pictures, runs
from ingest.algorithms.descriptors import DESCRIPTOR_SIZE, DESCRIPTOR_VERSION, distance
from ingest.errors import BadInput
from ingest.models import Collection, DropReason, Episode, Frame, FrameState, PipelineRun, RunState, Source
from ingest.pipeline import registry, runner
from ingest.stages import dedup

pytestmark = pytest.mark.django_db
Row = tuple[Any, ...]


@pytest.fixture(autouse=True)
def _stages(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.PIPELINE_STAGES = ["ingest.stages.dedup.Dedup"]
    monkeypatch.setattr(dedup, "BATCH", 7)
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


def looks(shot: int, change: float, seed: int) -> bytes:
    """A descriptor near that of its shot: at a distance of about half of `change` squared."""
    base = np.random.default_rng(shot).normal(size=DESCRIPTOR_SIZE)
    noise = np.random.default_rng(1_000 + seed).normal(size=DESCRIPTOR_SIZE)
    row = base / np.linalg.norm(base) + change * noise / np.linalg.norm(noise)
    return bytes(np.clip(np.rint(row / np.linalg.norm(row) * 400) + 128, 1, 255).astype(np.uint8).tobytes())


def episode(collection: Collection, title: str) -> Episode:
    source = Source.objects.create(collection=collection, kind="video", name=title, path=title, sha256=title * 8)
    return Episode.objects.create(collection=collection, source=source, title=title)


def fill(part: Episode, shots: list[int], *, better: float = 0.0) -> list[Frame]:
    """Four similar frames a shot; the third is the best."""
    built = []
    for place, shot in enumerate(shots):
        for number in range(4):
            seed = part.pk * 1_000 + place * 10 + number
            frame = Frame.objects.create(
                collection=part.collection, episode=part, index=place * 10 + number, width=1280, height=720,
                file=f"{seed}.png", preview=f"{seed}.jpg", descriptor=looks(shot, 0.08, seed),
                descriptor_version=DESCRIPTOR_VERSION, quality=20 + better + (5 if number == 2 else number / 10),
            )  # fmt: skip
            built.append(frame)
    return built


def run(collection: Collection, part: Episode, **params: Any) -> PipelineRun:
    return runs.run_here(
        runs.start(collection=collection, episodes=[part], by=None, params={"dedup": params} if params else {})
    )


def state(collection: Collection) -> list[Row]:
    columns = ("episode__title", "index", "state", "reason", "duplicate_of__episode__title", "duplicate_of__index")
    rows = Frame.objects.filter(collection=collection).order_by("episode__title", "index")
    return list(rows.values_list(*columns, "distance", "file", "preview"))


def looks_of(frame: Frame) -> NDArray[np.uint8]:
    assert frame.descriptor is not None
    return np.frombuffer(bytes(frame.descriptor), dtype=np.uint8)


def test_each_shot_keeps_its_best_frame_and_the_rest_point_to_it(collection: Collection) -> None:
    part = episode(collection, "one")
    fill(part, [1, 2, 3])
    assert run(collection, part).state == RunState.DONE
    kept_frames = Frame.objects.kept()
    assert [frame.index for frame in kept_frames.order_by("index")] == [2, 12, 22]
    copies = Frame.objects.duplicates().select_related("duplicate_of")
    assert copies.count() == 9
    for frame in copies:
        assert frame.duplicate_of is not None
        assert frame.duplicate_of.state == FrameState.KEPT
        assert frame.duplicate_of.index // 10 == frame.index // 10
        assert frame.distance == pytest.approx(distance(looks_of(frame), looks_of(frame.duplicate_of)), abs=1e-5)
        assert frame.distance is not None
        assert 0 < frame.distance <= 0.03
        assert frame.preview


def test_the_opening_of_a_later_episode_is_a_copy_unless_it_is_the_better_one(collection: Collection) -> None:
    first, second, third = (episode(collection, title) for title in ("one", "three", "two"))
    fill(first, [1, 2])
    fill(second, [1, 3])
    run(collection, second)
    assert not Frame.objects.kept().filter(episode=second, index__lt=10).exists()
    fill(third, [1, 4], better=3)
    run(collection, third)
    best = Frame.objects.get(episode=third, index=2)
    assert best.state == FrameState.KEPT
    older = Frame.objects.filter(episode__in=(first, second), index__lt=10)
    assert set(older.values_list("state", "duplicate_of_id")) == {(FrameState.DROPPED, best.pk)}


def test_episodes_can_be_looked_at_one_by_one(collection: Collection) -> None:
    first, second = episode(collection, "one"), episode(collection, "two")
    fill(first, [1])
    fill(second, [1])
    run(collection, second, across_episodes=False)
    assert list(Frame.objects.kept().order_by("episode_id").values_list("episode_id", "index")) == [
        (first.pk, 2),
        (second.pk, 2),
    ]


def test_another_threshold_is_only_another_run_and_the_first_one_comes_back(collection: Collection) -> None:
    part = episode(collection, "one")
    fill(part, [1, 2, 3])
    run(collection, part)
    before = state(collection)
    run(collection, part, threshold=1.0)
    assert Frame.objects.kept().count() == 12
    assert not Frame.objects.filter(duplicate_of__isnull=False).exists()
    run(collection, part)
    assert state(collection) == before


def test_a_persons_word_stays(collection: Collection, bob: User) -> None:
    part = episode(collection, "one")
    created = fill(part, [1, 2, 3])
    frame_actions.restore(collection=collection, frames=[created[1]], by=bob)
    frame_actions.drop(collection=collection, frames=[created[6]], by=bob)
    run(collection, part)
    kept_frames, dropped = Frame.objects.get(pk=created[1].pk), Frame.objects.get(pk=created[6].pk)
    assert kept_frames.state == FrameState.KEPT
    assert (dropped.state, dropped.reason) == (FrameState.DROPPED, DropReason.PERSON)
    assert set(Frame.objects.filter(index__in=(0, 2, 3)).values_list("duplicate_of_id", flat=True)) == {kept_frames.pk}
    assert Frame.objects.kept().filter(index__range=(10, 19)).count() == 1
    assert not Frame.objects.filter(duplicate_of=dropped).exists()


def test_a_frame_that_people_worked_on_outlives_a_better_copy(collection: Collection, bob: User) -> None:
    first, second = episode(collection, "one"), episode(collection, "two")
    created = fill(first, [1])
    fill(second, [1], better=9)
    frame_actions.leave_out(collection=collection, frames=[created[0]], excluded=True, by=bob)
    run(collection, second)
    assert list(Frame.objects.kept().values_list("pk", flat=True)) == [created[0].pk]


def test_frames_dropped_for_other_reasons_take_no_part(collection: Collection) -> None:
    part = episode(collection, "one")
    created = fill(part, [1])
    Frame.objects.filter(pk=created[2].pk).update(state=FrameState.DROPPED, reason=DropReason.FADE)
    Frame.objects.filter(pk=created[3].pk).update(descriptor_version=DESCRIPTOR_VERSION - 1)
    done = run(collection, part)
    assert Frame.objects.get(pk=created[2].pk).reason == DropReason.FADE
    assert Frame.objects.get(pk=created[3].pk).state == FrameState.KEPT
    assert set(Frame.objects.kept().values_list("index", flat=True)) == {0, 3}
    assert "1 frames were extracted by another version" in done.stages.get().log


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_run_ends_with_the_same_rows(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    first, second = episode(collection, "one"), episode(collection, "two")
    fill(first, [1, 2, 3])
    fill(second, [2, 4], better=1)
    run(collection, second)
    expected = state(collection)
    Frame.objects.update(state=FrameState.KEPT, reason="", duplicate_of=None, distance=None)

    saves: list[int] = []
    real = dedup.Dedup.save

    def dies(self: dedup.Dedup, result: list[dedup.Verdict]) -> int:
        if len(saves) == after:
            raise RuntimeError("the plug is out")
        saves.append(1)
        return real(self, result)

    monkeypatch.setattr(dedup.Dedup, "save", dies)
    assert run(collection, second).state == RunState.FAILED
    monkeypatch.setattr(dedup.Dedup, "save", real)
    run(collection, second)
    assert state(collection) == expected
    run(collection, first)
    assert state(collection) == expected


def test_the_log_says_which_frames_of_other_episodes_need_their_pictures_back(
    collection: Collection, settings: Any
) -> None:
    settings.PIPELINE_STAGES = ["ingest.stages.dedup.Dedup", "ingest.stages.pictures.Pictures"]
    registry.stages.cache_clear()
    first, second = episode(collection, "one"), episode(collection, "two")
    fill(first, [1])
    fill(second, [2])
    Frame.objects.filter(episode=first, index=2).update(file="")
    assert "1 frames of other episodes are kept again" in run(collection, second).stages.get(stage="dedup").log
    assert "other episodes" not in run(collection, first).stages.get(stage="dedup").log


def test_a_threshold_that_is_none_is_refused_with_a_message(collection: Collection) -> None:
    part = episode(collection, "one")
    with pytest.raises(BadInput, match=r"0\.5 to 1"):
        runs.start(collection=collection, episodes=[part], by=None, params={"dedup": {"threshold": 3}})


def test_an_empty_collection_is_done_at_once(collection: Collection) -> None:
    assert run(collection, episode(collection, "one")).state == RunState.DONE
    assert not runner.sweep().exists()


def test_frames_of_another_episode_that_are_kept_again_get_a_run_for_their_pictures(
    collection: Collection, settings: Any
) -> None:
    first, second = episode(collection, "one"), episode(collection, "two")
    Episode.objects.update(extracted_at=timezone.now())
    fill(first, [1])
    run(collection, first)
    Frame.objects.filter(state=FrameState.DROPPED).update(file="")
    fill(second, [2])
    done = run(collection, second, threshold=0.9999)
    assert "3 frames of other episodes are kept again. A separate run" in done.stages.get().log
    settings.PIPELINE_STAGES = ["ingest.stages.dedup.Dedup", "ingest.stages.pictures.Pictures"]
    registry.stages.cache_clear()
    (follows,) = full_pictures.start_lacking()
    assert [(row.stage, row.episode) for row in follows.stages.all()] == [("pictures", first)]
    assert full_pictures.start_lacking() == []
