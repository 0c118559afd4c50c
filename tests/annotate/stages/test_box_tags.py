"""What chosen detectors and text finders say of frames becomes tags, whenever they say it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.db.models import QuerySet

from annotate.chosen_models import choices
from annotate.models import FrameTag, ModelAnswer
from ingest.actions import runs
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, PipelineRun, RunState, Source
from ingest.pipeline import registry
from tests.annotate.backends.test_text_ocr import write_text
from tests.annotate.onnx_graphs import red, write_yolo

pytestmark = pytest.mark.django_db
BOXES = np.array([[100, 100, 40, 40, 0.9], [400, 400, 40, 40, 0.8], [100, 100, 42, 40, 0.5]] * 3, np.float32).T


@pytest.fixture(autouse=True)
def stages(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = ["annotate.stages.run_models.RunModels", "annotate.stages.tag.TagFrames"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


@pytest.fixture()
def episode(collection: Collection, settings: Any) -> Episode:
    """A red frame, in which the tiny detector sees two persons, and a black one with a red subtitle."""
    store = Store(settings.KOMA_DATA_DIR / "store")
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a.mkv", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    black = np.zeros((180, 320, 3), np.uint8)
    black[150:160, 100:220, 0] = 255
    for index, picture in enumerate([red(320, 180), black]):
        Frame.objects.create(
            collection=collection, episode=episode, index=index, width=320, height=180,
            file=store.put(encode(picture, PictureFormat("png")), "png"),
        )  # fmt: skip
    write_yolo(settings.KOMA_MODELS_DIR / "person_detect_v1.1_m", BOXES, names="{0: 'person'}")
    write_text(settings.KOMA_MODELS_DIR / "ch_PP-OCRv4_det")
    return episode


def run(episode: Episode, *names: str) -> PipelineRun:
    done = runs.run_here(
        runs.start(collection=episode.collection, episodes=[episode], by=None, stage_names=names or None)
    )
    assert done.state == RunState.DONE, [stage.error for stage in done.stages.all()]
    return done


def tags(index: int) -> set[str]:
    rows = FrameTag.objects.filter(frame__index=index, model_version__task__in=("boxes", "text"))
    return set(rows.values_list("tag__name", flat=True))


def box_answers() -> QuerySet[ModelAnswer]:
    return ModelAnswer.objects.filter(model_version__task__in=("boxes", "text"))


def choose(episode: Episode, task: str, *names: str) -> None:
    choices.choose(collection=episode.collection, task=task, names=names, by=None)


def test_persons_are_counted_and_text_is_reported(episode: Episode) -> None:
    choose(episode, "boxes", "person_detect_v1.1_m")
    choose(episode, "text", "ch_PP-OCRv4_det")
    run(episode)
    assert box_answers().count() == 4
    assert tags(0) >= {"persons:2"} and tags(1) == {"persons:0", "text", "subtitled"}
    assert run(episode).stages.get(stage="tag").counters.get("frames", 0) == 0


def test_answers_that_come_later_change_the_tags_and_a_choice_taken_back_takes_them_away(episode: Episode) -> None:
    choose(episode, "text", "none")
    choose(episode, "boxes", "person_detect_v1.1_m")
    run(episode, "tag")
    assert tags(0) == set()
    run(episode, "run_models", "tag")
    assert tags(0) == {"persons:2"}
    choose(episode, "boxes", "none")
    run(episode, "tag")
    assert tags(0) == set() and box_answers().count() == 2
