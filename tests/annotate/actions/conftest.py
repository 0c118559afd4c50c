"""One episode with four frames and six faces in two clusters."""

from __future__ import annotations

from typing import Any

import pytest

from annotate.models import Face, FaceCluster, ModelVersion
from ingest.models import Collection, Episode, Frame, Source


@pytest.fixture()
def detector(db: None) -> ModelVersion:
    return ModelVersion.objects.create(task="faces", name="tiny")


@pytest.fixture()
def frames(collection: Collection) -> list[Frame]:
    source = Source.objects.create(collection=collection, kind="video", name="ep01.mkv", path="/x", sha256="0" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="Ep 1")
    return [
        Frame.objects.create(collection=collection, episode=episode, index=i, width=1280, height=720, face_count=2)
        for i in range(3)
    ]


@pytest.fixture()
def clusters(collection: Collection) -> list[FaceCluster]:
    return [FaceCluster.objects.create(collection=collection, number=n, size=3, purity=0.9) for n in (1, 2)]


@pytest.fixture()
def faces(collection: Collection, frames: list[Frame], clusters: list[FaceCluster], detector: Any) -> list[Face]:
    return [
        Face.objects.create(
            collection=collection, frame=frame, left=0.1 + 0.4 * side, top=0.1, right=0.3 + 0.4 * side, bottom=0.4,
            model_version=detector, cluster=clusters[side], embedding=b"\x01\x02",
        )
        for frame in frames
        for side in (0, 1)
    ]  # fmt: skip
