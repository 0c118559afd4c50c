"""What datasets without folders of a meaning state of each picture, and the splits that they lie in."""

from __future__ import annotations

import json
from typing import IO, Any

from export.algorithms.plan import Item, Plan, facts
from export.algorithms.recipe import Recipe
from export.formats.contract import Sink, Written

TRAIN = "train"


def split_of(item: Item) -> str:
    """Return the split of a picture; all are for training where none is asked for."""
    return item.split or TRAIN


def pixel_boxes(item: Item, size: tuple[int, int]) -> list[tuple[float, float, float, float]]:
    """Return the face boxes in pixels of the written picture: left, top, width, height, inside of it."""
    width, height = size
    rows = []
    for face in item.picture.faces:
        left, top = max(0.0, face.left) * width, max(0.0, face.top) * height
        right, bottom = min(1.0, face.right) * width, min(1.0, face.bottom) * height
        rows.append((round(left, 2), round(top, 2), round(max(0.0, right - left), 2), round(max(0.0, bottom - top), 2)))
    return rows


def record(item: Item, written: Written, recipe: Recipe) -> dict[str, Any]:
    """Return the columns of a picture, each of one type in all rows.

    `character`: the only character, or nothing; `objects`: faces as boxes [left, top, width, height] in pixels with the
    name of each, empty for nobody known.
    """
    picture = item.picture
    values = facts(picture, recipe)
    return {
        "text": item.caption,
        "captions": list(item.captions),
        "character": picture.names[0] if len(picture.names) == 1 else "",
        "characters": list(picture.names),
        "tags": list(picture.tags),
        "rating": picture.rating,
        "artist": list(picture.artist),
        "copyright": list(picture.copyright),
        "n_people": min(values.count("people"), 6),
        "width": written.size[0],
        "height": written.size[1],
        "objects": {
            "bbox": [list(box) for box in pixel_boxes(item, written.size)],
            "category": [face.character for face in picture.faces],
        },
        "series": picture.series,
        "episode": picture.episode,
        "start_s": round(picture.origin.start_s, 3),
        "image_type": picture.image_type,
        "weight": item.weight,
        "split": split_of(item),
        "key": picture.key,
        "source": picture.origin.source,
        "sha256": written.sha256,
    }


class Lines:
    """JSON lines in a file per split, kept open while pictures are written."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._files: dict[str, IO[str]] = {}

    def write(self, path: str, data: Any) -> None:
        """Append a row to the file of this path, which is begun anew by the first row."""
        file = self._files.get(path)
        if file is None:
            self._sink.write(path, b"")
            file = self._files[path] = self._sink.path(path).open("w", encoding="utf-8", errors="replace")
        file.write(json.dumps(data, ensure_ascii=False) + "\n")

    def close(self) -> list[str]:
        """Close the files and return their paths."""
        for file in self._files.values():
            file.close()
        return sorted(self._files)


def characters_of(plan: Plan) -> list[str]:
    """Return the names of all characters of a dataset, sorted."""
    return sorted(plan.spelled)
