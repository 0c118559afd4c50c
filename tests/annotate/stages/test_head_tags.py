"""Tags of heads by the built-in network: only where asked, only what it may say, from the heads that are there now."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from annotate.backends.taggers.builtin import BuiltinHeadTagger
from annotate.models import Face, FrameTag, ModelVersion
from annotate.tagging import from_heads
from demo_film.crops import random_head
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from ingest.models import Frame
from tests.annotate.people import ANNA

pytestmark = pytest.mark.django_db


def head_with(tag: str) -> Any:
    """A drawn head that shows the tag, on which the network is sure of it."""
    tagger = BuiltinHeadTagger()
    speaks = from_heads.labels_and_rules(tagger)[0]
    assert tag in {label.name for label in speaks}
    for number in range(60):
        head = random_head(
            np.random.default_rng([number, 78]), 200, identity=710_000 + number, back_views=False, room=2.4
        )
        if head.box is not None and tag in head.tags:
            crops = [from_heads.cut_head(head.picture, head.box, side_px=from_heads.SIDE)]
            if tag in tagger.following(tagger.tag(crops)[0]):
                return head
    raise AssertionError(f"none of sixty drawn heads shows {tag}")


@pytest.fixture()
def frame(make_episode: Any, settings: Any) -> Frame:
    """A frame with one drawn head that wears glasses."""
    make_episode([[ANNA]])
    frame, head = Frame.objects.get(), head_with("glasses")
    height, width = head.picture.shape[:2]
    frame.file = Store(settings.KOMA_DATA_DIR / "store").put(encode(head.picture, PictureFormat("png")), "png")
    frame.width, frame.height = width, height
    frame.save()
    left, top, right, bottom = head.box
    Face.objects.update(left=left / width, top=top / height, right=right / width, bottom=bottom / height)
    return frame


def of_heads() -> set[str]:
    version = ModelVersion.objects.filter(name="koma-heads").first()
    return set(FrameTag.objects.filter(model_version=version).values_list("tag__name", flat=True)) if version else set()


def test_heads_are_asked_only_where_that_is_wanted(frame: Frame, run: Any) -> None:
    run(frame.episode, "tag")
    assert not ModelVersion.objects.filter(name="koma-heads").exists()
    run(frame.episode, "tag", params={"tag": {"heads": True}})
    tags = of_heads()
    assert "glasses" in tags
    assert not {name for name in tags if name.endswith(("_hair", "_eyes"))} - {"closed_eyes"}
    run(frame.episode, "tag")
    assert of_heads() == set()


def test_a_second_run_asks_nothing_and_another_face_asks_again(frame: Frame, run: Any) -> None:
    values = {"tag": {"heads": True}}
    run(frame.episode, "tag", params=values)
    assert run(frame.episode, "tag", params=values).stages.get().counters == {}
    Face.objects.all().delete()
    Frame.objects.update(tagged=False)
    run(frame.episode, "tag", params=values)
    assert of_heads() == set()
