"""Where a text finder is installed it tells before copies are compared: of a subtitled shot the clean frame is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from annotate.chosen_models import choices
from annotate.models import ModelAnswer
from annotate.stages.text import FindText
from ingest.actions import runs
from ingest.algorithms.descriptors import DESCRIPTOR_VERSION
from ingest.algorithms.quality import QUALITY_VERSION
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.still import descriptor_of
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, PipelineRun, RunState, Source
from ingest.pipeline import registry
from tests.annotate.backends.test_text_ocr import write_text

pytestmark = pytest.mark.django_db
NAME = "ch_PP-OCRv4_det"


@pytest.fixture(autouse=True)
def stages(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = [
        "annotate.stages.text.FindText", "ingest.stages.dedup.Dedup", "annotate.stages.run_models.RunModels",
    ]  # fmt: skip
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


@pytest.fixture()
def episode(collection: Collection, settings: Any) -> Episode:
    """A shot whose first frame, a little better than the second, has a line of what the tiny network takes for text."""
    store = Store(settings.KOMA_DATA_DIR / "store")
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a.mkv", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    clean = np.zeros((180, 320, 3), np.uint8)
    clean[20:80, 40:200, 1] = 200
    lettered = clean.copy()
    lettered[150:160, 100:220, 0] = 255
    for index, (picture, quality) in enumerate([(lettered, 5.3), (clean, 5.0)]):
        Frame.objects.create(
            collection=collection, episode=episode, index=index, width=320, height=180,
            file=store.put(encode(picture, PictureFormat("png")), "png"), quality=quality,
            quality_version=QUALITY_VERSION, descriptor=descriptor_of(clean).tobytes(),
            descriptor_version=DESCRIPTOR_VERSION,
        )  # fmt: skip
    return episode


def run(episode: Episode) -> PipelineRun:
    done = runs.run_here(runs.start(collection=episode.collection, episodes=[episode], by=None))
    assert done.state == RunState.DONE, [stage.error for stage in done.stages.all()]
    return done


def kept() -> list[int]:
    return list(Frame.objects.kept().values_list("index", flat=True))


def test_without_a_finder_the_better_frame_is_kept_and_with_one_the_clean_one(episode: Episode, settings: Any) -> None:
    assert not FindText.by_default()
    assert "text" not in run(episode).stages.values_list("stage", flat=True)
    assert kept() == [0]
    Frame.objects.update(state="kept", reason="", duplicate_of=None)
    write_text(settings.KOMA_MODELS_DIR / NAME)
    assert FindText.by_default()
    run(episode)
    assert kept() == [1]
    shares = dict(Frame.objects.values_list("index", "text_share"))
    assert (shares[0] or 0) > 0.01
    assert shares[1] == 0.0


def test_a_finder_is_asked_once_and_what_it_said_before_counts(episode: Episode, settings: Any) -> None:
    write_text(settings.KOMA_MODELS_DIR / NAME)
    run(episode)
    assert ModelAnswer.objects.count() == 2
    Frame.objects.update(
        text_share=None, state="kept", reason="", duplicate_of=None
    )  # answered before there was a stage
    done = run(episode)
    assert done.stages.get(stage="text").counters.get("answers", 0) == 0
    assert kept() == [1]


def test_a_collection_that_wants_no_finder_has_none(episode: Episode, settings: Any) -> None:
    write_text(settings.KOMA_MODELS_DIR / NAME)
    choices.choose(collection=episode.collection, task="text", names=["none"], by=None)
    run(episode)
    assert not ModelAnswer.objects.exists()
    assert kept() == [0]
