"""Pictures that are held together fit into one bound, whatever their size; what comes out is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models import Face, FrameTag
from annotate.stages import by_pixels as module
from annotate.stages.by_pixels import BATCH_PIXELS, by_pixels
from annotate.stages.detect import Detect
from annotate.stages.tag import TagFrames
from ingest.models import Episode, Frame
from ingest.pipeline import registry
from tests.annotate.face_graph import write_graph
from tests.annotate.people import ANNA, BETH

SIDES = st.integers(1, 10_000)


@given(st.lists(st.tuples(SIDES, SIDES), max_size=60), st.integers(1, 20))
def test_each_frame_comes_once_in_order_and_only_one_alone_is_over_the_bound(
    sizes: list[tuple[int, int]], most: int
) -> None:
    frames = [Frame(index=n, width=width, height=height) for n, (width, height) in enumerate(sizes)]
    parts = list(by_pixels(frames, pixels_max=most))
    assert [frame.index for part in parts for frame in part] == list(range(len(sizes)))
    for part in parts:
        assert 0 < len(part) <= most
        assert len(part) == 1 or sum(frame.width * frame.height for frame in part) <= BATCH_PIXELS


@pytest.mark.parametrize(
    ("size", "together"), [((1280, 720), 16), ((1920, 1080), 10), ((3840, 2160), 2), ((5000, 5000), 1)]
)
def test_large_pictures_come_in_smaller_parts(size: tuple[int, int], together: int) -> None:
    frames = [Frame(width=size[0], height=size[1]) for _ in range(32)]
    assert len(next(by_pixels(frames, pixels_max=16))) == together


@pytest.mark.django_db
@pytest.mark.parametrize("stage", [Detect, TagFrames])
def test_a_stage_that_may_hold_two_pictures_ends_with_the_same_rows(
    make_episode: Callable[..., Episode], run: Callable[..., Any], settings: Any, monkeypatch: pytest.MonkeyPatch,
    stage: Any,
) -> None:  # fmt: skip
    settings.PIPELINE_STAGES = [f"{stage.__module__}.{stage.__name__}"]
    registry.stages.cache_clear()
    write_graph(settings.KOMA_MODELS_DIR)
    cast = [[ANNA], [ANNA, BETH], [], [BETH], [ANNA]]
    sizes: list[int] = []
    original_work = stage.work

    def counted(self: Any, batch: Any) -> Any:
        sizes.append(len(batch if stage is Detect else batch.frames))
        return original_work(self, batch)

    monkeypatch.setattr(stage, "work", counted)
    name, params = stage.name, {"detect": {"model": "tiny"}} if stage is Detect else None

    def rows(episode: Episode) -> list[tuple[Any, ...]]:
        faces = Face.objects.filter(frame__episode=episode)
        tags = FrameTag.objects.filter(frame__episode=episode)
        return [
            *sorted(faces.values_list("frame__index", "left", "top", "right", "bottom", "score", "crop")),
            *sorted(tags.values_list("frame__index", "tag__name", "score", "state")),
        ]

    at_once = make_episode(cast)
    run(at_once, name, params=params)
    assert sizes == [5]
    frame = Frame.objects.filter(episode=at_once)[0]
    monkeypatch.setattr(module, "BATCH_PIXELS", 2 * frame.width * frame.height + 1)
    in_parts = make_episode(cast)
    sizes.clear()
    run(in_parts, name, params=params)
    assert sizes == [2, 2, 1]
    assert rows(in_parts) == rows(at_once) != []
