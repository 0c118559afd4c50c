"""YOLO: a label file per picture and `data.yaml`, with a class per character (reference D.10)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as DiskPath

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.boxes import BoxWriter, box_format, boxes_of
from export.formats.contract import Contents, Sink, Written
from export.formats.records import TRAIN, split_of
from export.formats.side_files import quoted


class _Yolo(BoxWriter):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, YOLO)
        self._splits: set[str] = set()

    def side_files(self, item: Item, written: Written) -> Iterator[tuple[str, bytes]]:
        """Yield the label file: `class cx cy w h`, each 0 to 1; an empty file is a picture without faces."""
        width, height = written.size
        lines: dict[str, None] = {}
        for (left, top, box_width, box_height), face in boxes_of(item, written.size):
            values = (
                (left + box_width / 2) / width,
                (top + box_height / 2) / height,
                box_width / width,
                box_height / height,
            )
            lines[" ".join((str(self.class_of(face)), *(f"{min(1.0, value):.6f}" for value in values)))] = None
        yield f"labels/{split_of(item)}/{item.stem}.txt", "".join(f"{line}\n" for line in lines).encode()

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Note the split."""
        super().add(item, written, picture)
        self._splits.add(split_of(item))

    def close(self) -> tuple[str, ...]:
        """Write data.yaml."""
        validation = "validation" if "validation" in self._splits else TRAIN
        lines = ["path: .", f"train: images/{TRAIN}", f"val: images/{validation}"]
        if "test" in self._splits:
            lines.append("test: images/test")
        lines += ["names:", *(f"  {number}: {quoted(name)}" for name, number in self.numbers.items()), ""]
        self.sink.write("data.yaml", "\n".join(lines).encode())
        self.how_to_start(
            "YOLO",
            "Train with `data=data.yaml`, started in this folder. Delete `labels/*.cache` after changing labels.",
        )
        if validation == TRAIN:
            return ("YOLO requires pictures for validation: data.yaml names those of the training again.",)
        return ()


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    pictures = labels = 0
    for path in folder.glob("images/*/*"):
        pictures += 1
        label = folder / "labels" / path.parent.name / f"{path.stem}.txt"
        labels += label.is_file() and all(len(line.split()) == 5 for line in label.read_text().splitlines())
    return Contents(pictures=min(pictures, labels), captions=labels)


YOLO = box_format("yolo", "YOLO: face boxes by character", _Yolo, _check, group="datasets")
