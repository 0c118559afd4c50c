"""Boxes of faces for detectors and annotation tools: what their formats share.

The class of a box is its character; faces without a name are of the class `unknown`. Boxes lie inside the picture, and
those of less than a pixel are left out: some readers refuse the whole picture for one wrong box (D.9 to D.12).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.algorithms.rows import Face
from export.formats.contract import Format, Sink, Written
from export.formats.records import TRAIN, characters_of, pixel_boxes, split_of
from export.formats.side_files import SideFiles, one_folder

UNKNOWN = "unknown"
LABEL = "face"  # of CVAT and Label Studio, where the character is an attribute
BOX_MIN = 1.0  # pixels

Box = tuple[float, float, float, float]


def boxes_of(item: Item, size: tuple[int, int]) -> list[tuple[Box, Face]]:
    """Return the boxes (left, top, width, height in pixels) that can be written, equal ones once."""
    rows: dict[tuple[Box, str], tuple[Box, Face]] = {}
    for box, face in zip(pixel_boxes(item, size), item.picture.faces, strict=True):
        if box[2] >= BOX_MIN and box[3] >= BOX_MIN:
            rows.setdefault((box, face.character), (box, face))
    return list(rows.values())


class BoxWriter(SideFiles):
    """Pictures in `images/` by split, without side files."""

    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink, row: Format) -> None:
        super().__init__(plan, recipe, sink, row)
        self.classes = [*characters_of(plan), UNKNOWN]
        self.numbers = {name: number for number, name in enumerate(self.classes)}

    def base(self, item: Item) -> str:
        """Return the path of a picture."""
        return f"images/{split_of(item)}/{item.stem}"

    def side_files(self, item: Item, written: Written) -> Iterator[tuple[str, bytes]]:
        """Yield nothing."""
        return iter(())

    def class_of(self, face: Face) -> int:
        """Return the number of a face's class."""
        return self.numbers[face.character or UNKNOWN]


def box_format(name: str, label: str, open_: Any, check: Any, *, group: Any) -> Format:
    return Format(
        name=name,
        label=label,
        group=group,
        open=open_,
        check=check,
        rounding="none",
        folders=one_folder("images", TRAIN),
        levels=None,
        caption_ending=lambda recipe: "",
        empty_caption=None,
    )
