"""Frames that an older rule has valued are measured again from their pictures, and then compared rightly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from demo_film.crops import random_scene
from ingest.actions import runs
from ingest.algorithms.descriptors import DESCRIPTOR_VERSION
from ingest.algorithms.quality import QUALITY_VERSION
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.still import descriptor_of
from ingest.models import Collection, DropReason, Episode, Frame, FrameState, RunState, Source, StageRun
from ingest.pipeline import registry
from ingest.storage.stored_files import store

pytestmark = pytest.mark.django_db
LARGE, SMALL = (1280, 720), (854, 480)


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = ["ingest.stages.dedup.Dedup"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


def episode(collection: Collection, title: str) -> Episode:
    source = Source.objects.create(collection=collection, kind="video", name=title, path=title, sha256=title * 8)
    return Episode.objects.create(collection=collection, source=source, title=title)


def old_frame(part: Episode, seed: int, size: tuple[int, int], *, quality: float, stored: bool = True) -> Frame:
    """A row as the older version wrote it: its rule gave small pictures the higher numbers."""
    picture = random_scene(np.random.default_rng(seed), LARGE, people=2)[0]
    picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    name = store().put(encode(picture, PictureFormat()), "jpg") if stored else ""
    return Frame.objects.create(
        collection=part.collection, episode=part, index=seed, width=size[0], height=size[1], file=name,
        descriptor=descriptor_of(picture).tobytes(), descriptor_version=DESCRIPTOR_VERSION, quality=quality,
        measures={"sharpness": quality, "first_s": 1.5, "format": "jpeg"},
    )  # fmt: skip


def run(part: Episode) -> StageRun:
    done = runs.run_here(runs.start(collection=part.collection, episodes=[part], by=None, params={}))
    assert done.state == RunState.DONE
    return done.stages.get()


def test_rows_of_an_older_rule_are_measured_again_and_the_large_ones_are_kept(collection: Collection) -> None:
    large, small = episode(collection, "large"), episode(collection, "small")
    rows = [(old_frame(large, n, LARGE, quality=6.98), old_frame(small, n, SMALL, quality=10.52)) for n in range(3)]
    stage = run(small)
    assert stage.counters["measured again"] == 6
    assert "6 frames were measured by an older version" in stage.log
    for better, worse in rows:
        better.refresh_from_db()
        worse.refresh_from_db()
        assert (better.state, worse.duplicate_of_id) == (FrameState.KEPT, better.pk)
        assert {better.quality_version, worse.quality_version} == {QUALITY_VERSION}
        assert better.measures["first_s"] == 1.5 and better.measures["sharpness"] != 6.98
    assert "measured again" not in run(small).counters


def test_a_large_copy_that_was_dropped_for_a_small_one_and_has_no_picture_any_more_comes_back(
    collection: Collection,
) -> None:
    large, small = episode(collection, "large"), episode(collection, "small")
    kept_frame = old_frame(small, 1, SMALL, quality=10.52)
    gone = old_frame(large, 1, LARGE, quality=6.98, stored=False)
    same = old_frame(small, 2, SMALL, quality=11.0, stored=False)
    Frame.objects.filter(pk=same.pk).update(descriptor=kept_frame.descriptor)
    Frame.objects.filter(pk__in=(gone.pk, same.pk)).update(
        state=FrameState.DROPPED, reason=DropReason.DUPLICATE, duplicate_of=kept_frame
    )
    run(small)
    gone.refresh_from_db()
    assert gone.state == FrameState.KEPT, "its full picture is decoded again by the stage for full pictures"
    assert set(Frame.objects.exclude(pk=gone.pk).values_list("duplicate_of_id", flat=True)) == {gone.pk}


def test_a_stored_picture_that_cannot_be_read_stops_nothing(collection: Collection) -> None:
    large, small = episode(collection, "large"), episode(collection, "small")
    better, worse = old_frame(large, 1, LARGE, quality=6.98), old_frame(small, 1, SMALL, quality=10.52)
    store().path(better.file).write_bytes(b"rubbish")
    store().path(worse.file).write_bytes(b"rubbish")
    stage = run(small)
    assert "2 stored pictures could not be read; their size decides" in stage.log
    assert list(Frame.objects.kept()) == [better]
