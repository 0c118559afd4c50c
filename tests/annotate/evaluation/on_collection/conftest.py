"""A collection whose frames the tiny detector sees: a red cell is a face, and who is right is known by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from annotate.models import Face, ModelVersion
from ingest.imaging.encode import PictureFormat, encode
from ingest.models import Collection, Episode, Frame, Source
from ingest.storage.stored_files import store
from tests.annotate.ccip_graphs import write_ccip
from tests.annotate.face_graph import picture_with, write_graph
from tests.annotate.people import ANNA, BETH, CARA
from tests.annotate.stages.conftest import make_episode

__all__ = ["make_episode"]

MakeFrame = Callable[..., Frame]
WIDTH, HEIGHT, CELL = 64, 48, 8


@pytest.fixture()
def make_frame(collection: Collection) -> MakeFrame:
    """`make_frame([(2, 3)], boxes=[(2, 3)])`: a frame with faces in these cells, and rows of a model in those."""
    write_graph(settings.KOMA_MODELS_DIR)
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a.mkv", sha256="a")
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    model = ModelVersion.objects.create(task="faces", name="elder")

    def make(cells: list[tuple[int, int]], *, boxes: list[tuple[int, int]], **more: Any) -> Frame:
        file = store().put(encode(picture_with(*cells, size=(WIDTH, HEIGHT)), PictureFormat("png")), "png")
        frame = Frame.objects.create(
            collection=collection, episode=episode, index=Frame.objects.count(), width=WIDTH, height=HEIGHT, file=file,
            preview=file, face_count=len(boxes), **more,
        )  # fmt: skip
        for cell in boxes:
            left, top, right, bottom = cell_box(cell)
            Face.objects.create(
                collection=collection, frame=frame, left=left, top=top, right=right, bottom=bottom, model_version=model
            )
        return frame

    return make


def cell_box(cell: tuple[int, int]) -> tuple[float, float, float, float]:
    """The relative box of a cell (column, row)."""
    left, top = cell[0] * CELL / WIDTH, cell[1] * CELL / HEIGHT
    return left, top, left + CELL / WIDTH, top + CELL / HEIGHT


@pytest.fixture()
def cast(collection: Collection, make_episode: Callable[..., Episode]) -> list[Face]:
    """Three people, twelve drawn faces each in as many frames, nobody named; and a tiny CCIP that sees colours."""
    write_ccip(settings.KOMA_MODELS_DIR / "ccip-tiny", threshold=0.2)
    make_episode([[ANNA], [BETH], [CARA]] * 12, seed=3)
    return list(Face.objects.order_by("pk"))
