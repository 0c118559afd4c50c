"""A small collection with stored pictures, faces, clusters, tags: what the pages show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from annotate.models import Character, Face, FaceCluster, FrameTag, ModelVersion, Tag
from ingest.imaging.encode import PictureFormat, encode
from ingest.models import Collection, Episode, Frame, Shot, Source
from ingest.storage.stored_files import store


@dataclass
class Show:
    """Handles to the rows that tests speak of."""

    collection: Collection
    episode: Episode
    frames: list[Frame]
    faces: list[Face]
    clusters: list[FaceCluster]
    hinata: Character


def picture(colour: int, width: int = 32, height: int = 18) -> str:
    pixels = np.full((height, width, 3), colour % 255, np.uint8)
    return store().put(encode(pixels, PictureFormat("png")), "png")


def add_frame(collection: Collection, episode: Episode, index: int, **more: Any) -> Frame:
    values: dict[str, Any] = {
        "width": 32, "height": 18, "time_s": index / 2, "end_s": index / 2 + 0.4,
        "file": picture(index), "preview": picture(index), "face_count": 0,
    }  # fmt: skip
    return Frame.objects.create(collection=collection, episode=episode, index=index, **(values | more))


@pytest.fixture()
def show(collection: Collection, alice: User, bob: User) -> Show:
    return make_show(collection)


def make_show(collection: Collection) -> Show:
    """Six frames with a face each in two clusters, a dropped copy, a character, a tag; all with stored pictures."""
    source = Source.objects.create(collection=collection, kind="video", name="Show - 04.mkv", path="x", sha256="x")
    episode = Episode.objects.create(collection=collection, source=source, title="Show - 04", number="04", duration_s=9)
    shot = Shot.objects.create(episode=episode, index=0, start_s=0, end_s=9)
    frames = [add_frame(collection, episode, i, shot=shot) for i in range(6)]
    copy = add_frame(
        collection, episode, 6, shot=shot, state="dropped", reason="duplicate", duplicate_of=frames[0], distance=0.01
    )
    model = ModelVersion.objects.create(task="faces", name="builtin", revision="1")
    hinata = Character.objects.create(collection=collection, name="KuraueHinata")
    clusters = [
        FaceCluster.objects.create(collection=collection, number=n, size=3, purity=0.9 - 0.4 * n) for n in range(2)
    ]
    faces = [
        Face.objects.create(
            collection=collection, frame=frames[i], left=0.1, top=0.1, right=0.4, bottom=0.6, score=0.9,
            model_version=model, cluster=clusters[i // 3], crop=picture(100 + i),
        )
        for i in range(6)
    ]  # fmt: skip
    Frame.objects.filter(pk__in=[f.pk for f in frames]).update(face_count=1, tagged=True)
    tag = Tag.objects.create(name="red_hair", post_count=10)
    FrameTag.objects.create(frame=frames[0], tag=tag, score=0.8, model_version=model)
    return Show(collection, episode, [*frames, copy], faces, clusters, hinata)
