"""Similar frames of drawn poses through the stage, from their stored previews."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from demo_film.cast import Pose
from ingest.actions import runs
from ingest.actions.collections import keep_run_settings, run_settings
from ingest.algorithms.descriptors import DESCRIPTOR_VERSION
from ingest.imaging.encode import encode_preview
from ingest.imaging.still import descriptor_of
from ingest.models import Collection, Episode, Frame, RunState, Source
from ingest.pipeline import registry
from ingest.storage.stored_files import store
from tests.ingest.algorithms.test_poses import BASE, drawn, noisy

pytestmark = pytest.mark.django_db
UP = replace(BASE, arms="wave")
CELS = [(BASE, 0.1), (BASE, 0.2), (replace(BASE, talk=1.0), 0.0), (UP, 0.0), (UP, 0.3), (replace(BASE, eyes=0.0), 0.0)]
"""Poses in the order of the film, with the quality of their pictures."""


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = ["ingest.stages.dedup.Dedup"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


def film(collection: Collection, cels: list[tuple[Pose, float]]) -> Episode:
    source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    for index, (pose, quality) in enumerate(cels):
        picture = noisy(drawn("full", pose), 2, index)
        preview = store().put(encode_preview(np.ascontiguousarray(picture[::2, ::2])), "jpg")
        Frame.objects.create(
            collection=collection, episode=episode, index=index, width=1280, height=720, file=f"{index}.png",
            preview=preview, descriptor=descriptor_of(picture).tobytes(), descriptor_version=DESCRIPTOR_VERSION,
            quality=quality, quality_version=3,
        )  # fmt: skip
    return episode


def copies(collection: Collection, episode: Episode, **params: Any) -> list[int | None]:
    """For each frame the index of the kept one that it is a copy of."""
    done = runs.run_here(
        runs.start(collection=collection, episodes=[episode], by=None, params={"dedup": params} if params else {})
    )
    assert done.state == RunState.DONE
    return list(Frame.objects.order_by("index").values_list("duplicate_of__index", flat=True))


def test_each_pose_keeps_its_best_copy_and_the_old_rule_remains_a_choice(collection: Collection) -> None:
    episode = film(collection, CELS)
    assert copies(collection, episode) == [1, None, 1, 4, None, 1]
    assert copies(collection, episode, keep_poses=False) == [4, 4, 4, 4, None, 4]
    assert copies(collection, episode) == [1, None, 1, 4, None, 1]


def test_where_a_preview_is_lost_the_threshold_decides_and_the_log_says_so(collection: Collection) -> None:
    episode = film(collection, CELS)
    lost = Frame.objects.get(index=3)
    store().remove(lost.preview)
    assert copies(collection, episode)[3] == 4
    assert "1 previews could not be read" in episode.collection.runs.latest("pk").stages.get().log


def test_a_collection_that_saved_its_settings_before_keeps_the_rule_that_it_had(collection: Collection) -> None:
    episode = film(collection, CELS)
    Collection.objects.update(run_defaults={"dedup": {"threshold": 0.97}})
    collection.refresh_from_db()
    assert run_settings(collection)["dedup.keep_poses"] is False
    assert copies(collection, episode) == [4, 4, 4, 4, None, 4]
    assert copies(collection, episode, keep_poses=True) == [1, None, 1, 4, None, 1]


def test_a_collection_that_saves_only_other_settings_from_now_on_keeps_poses(collection: Collection) -> None:
    keep_run_settings(collection=collection, params={"dedup": {"threshold": 0.98}}, by=None)
    assert run_settings(collection)["dedup.keep_poses"] is True
    assert run_settings(collection)["dedup.threshold"] == 0.98
