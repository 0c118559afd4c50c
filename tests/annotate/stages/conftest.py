"""Episodes of simple heads, with their face rows as a detector leaves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from annotate.actions.head_crops import head_file
from annotate.models import Face, ModelVersion
from ingest.actions import runs
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, PipelineRun, RunState, Source
from ingest.pipeline import registry
from tests.annotate.people import Looks, add_head, scenery

STAGES = {
    "tag": "annotate.stages.tag.TagFrames",
    "names": "annotate.stages.names.ReadNames",
    "embed": "annotate.stages.embed.Embed",
    "cluster": "annotate.stages.cluster.Cluster",
    "identify": "annotate.stages.identify.Identify",
}
Cast = list[list[Looks]]


@pytest.fixture()
def who_stages(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = list(STAGES.values())
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


@pytest.fixture()
def run(who_stages: None) -> Callable[..., PipelineRun]:
    """`run(episode, "embed", "cluster", params={...})`: run stages here; fails with the stage's own error."""

    def run_stages(episode: Episode, *names: str, params: dict[str, Any] | None = None) -> PipelineRun:
        done = runs.run_here(
            runs.start(collection=episode.collection, episodes=[episode], by=None, stage_names=names, params=params)
        )
        assert done.state == RunState.DONE, [stage.error for stage in done.stages.all()]
        return done

    return run_stages


@pytest.fixture()
def make_episode(collection: Collection, settings: Any) -> Callable[..., Episode]:
    """`make_episode([[ANNA], [ANNA, BETH]])`: a frame for each list of people, from left to right."""
    store = Store(settings.KOMA_DATA_DIR / "store")

    def make(cast: Cast, *, seed: int = 0) -> Episode:
        number = Episode.objects.count()
        source = Source.objects.create(
            collection=collection, kind="video", name=f"{number}.mkv", path=f"{number}.mkv", sha256=f"{number:064d}"
        )
        episode = Episode.objects.create(collection=collection, source=source, title=str(number))
        detector, _ = ModelVersion.objects.get_or_create(task="faces", name="hand")
        for index, people in enumerate(cast):
            picture = scenery(seed=1000 * seed + index)
            boxes = [
                add_head(
                    picture,
                    looks,
                    x=(position + 1) / (len(people) + 1),
                    y=0.5,
                    face=0.32,
                    seed=100 * seed + 10 * index + position,
                )
                for position, looks in enumerate(people)
            ]
            frame = Frame.objects.create(
                collection=collection, episode=episode, index=index, width=480, height=270, face_count=len(people),
                file=store.put(encode(picture, PictureFormat("png")), "png"),
            )  # fmt: skip
            for left, top, right, bottom in boxes:
                Face.objects.create(
                    collection=collection, frame=frame, left=left, top=top, right=right, bottom=bottom,
                    model_version=detector, crop=store.put(head_file(picture, (left, top, right, bottom)), "jpg"),
                )  # fmt: skip
        return episode

    return make
