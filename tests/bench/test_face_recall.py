"""The marked faces of real pictures, and the pictures that the benchmark makes of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from annotate.backends.contract import Detections
from bench.face_recall import CLOSE_UP, HALVES, KINDS, LABELS, Counts, Labelled, close_ups, share, turned


def labelled(*, unclear: list[list[float]] | None = None) -> Labelled:
    """A black picture of 300x200 with a white face."""
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[40:100, 120:170] = 255
    return Labelled(
        "a.png", picture, np.array([[120, 40, 170, 100]], np.float32), [["frontal"]],
        np.array(unclear or [], np.float32).reshape(-1, 4),
    )  # fmt: skip


def bright(picture: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(picture[..., 0] > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_every_marked_picture_is_in_the_half_of_its_hash() -> None:
    rows = json.loads(LABELS.read_text(encoding="utf-8"))
    for row in rows:
        assert row["half"] == HALVES[int(row["sha256"][:8], 16) % 2]
        assert row["faces"]
        for face in row["faces"]:
            left, top, right, bottom = face["box"]
            assert 0 <= left < right
            assert 0 <= top < bottom
            assert set(face["kinds"]) <= set(KINDS)
    assert len({row["sha256"] for row in rows}) == len(rows) == 24


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_picture_keeps_its_boxes_on_the_faces(quarters: int) -> None:
    picture = turned(labelled(), quarters)
    assert picture.faces.tolist() == [bright(picture.picture)]


def test_a_close_up_shows_its_face_over_most_of_the_height() -> None:
    (cut,) = close_ups(labelled())
    left, top, right, bottom = cut.faces[0].tolist()
    assert bright(cut.picture) == pytest.approx([left, top, right, bottom], abs=2)
    assert (bottom - top) / cut.picture.shape[0] == pytest.approx(CLOSE_UP, abs=0.03)


class _Detector:
    def detect(self, pictures: list[np.ndarray]) -> list[Detections]:
        rows = [[118, 42, 172, 98], [10, 10, 30, 30], [200, 150, 230, 180]]
        return [Detections(np.array(rows, np.float32), np.ones(3, np.float32))]


def test_a_find_in_an_unclear_place_counts_neither_way() -> None:
    counts = Counts()
    counts.add(labelled(unclear=[[190, 140, 240, 190]]), _Detector())  # type: ignore[arg-type]
    assert (counts.faces, counts.hits, counts.false_finds) == (1, 1, 1)
    assert counts.kinds == {("frontal", True): 1}


def test_shares_have_wilsons_interval() -> None:
    assert share(0, 5) == "0 of 5, 0 % (0 to 43)"
    assert share(59, 95) == "59 of 95, 62 % (52 to 71)"
