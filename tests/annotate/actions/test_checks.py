"""Checking a frame's faces: other collections' frames are never touched."""

from __future__ import annotations

from typing import Any

import pytest

from annotate.actions import checks
from annotate.models import CheckedFrame, Face
from ingest.errors import Conflict
from ingest.models import Collection, Episode, Frame, Source

pytestmark = pytest.mark.django_db


def test_a_frame_of_another_collection_is_not_checked(collection: Collection, bob: Any) -> None:
    other = Collection.objects.create(name="Other")
    source = Source.objects.create(collection=other, kind="video", name="a.mkv", path="a.mkv", sha256="a")
    episode = Episode.objects.create(collection=other, source=source, title="a")
    frame = Frame.objects.create(collection=other, episode=episode, index=0, width=8, height=8)
    Face.objects.create(collection=other, frame=frame, left=0, top=0, right=1, bottom=1)
    for action in (checks.check, checks.uncheck):
        with pytest.raises(Conflict):
            action(collection=collection, frame=frame, by=bob)
    assert not CheckedFrame.objects.exists() and not Face.objects.filter(box_by_person=True).exists()
