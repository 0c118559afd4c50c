"""COCO: `annotations/instances_SPLIT.json` with a class per character (reference D.9)."""

from __future__ import annotations

import json
from pathlib import Path as DiskPath
from typing import IO, Any

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.boxes import LABEL, BoxWriter, box_format, boxes_of
from export.formats.contract import Contents, Sink, Written
from export.formats.records import split_of
from ingest import outside_json

_IMAGE = '{"file_name": '  # how the row of a picture begins


class _Coco(BoxWriter):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, COCO)
        self._parts: dict[tuple[str, str], IO[str]] = {}
        self._images = self._boxes = 0

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Note a picture and its boxes, in a file each, which `close` joins."""
        super().add(item, written, picture)
        self._images += 1
        split = split_of(item)
        width, height = written.size
        name = written.path.removeprefix(f"images/{split}/")
        image = {"file_name": name, "id": self._images, "width": width, "height": height, "caption": item.caption}
        self._write(split, "images", image)
        for box, face in boxes_of(item, written.size):
            self._boxes += 1
            self._write(
                split,
                "annotations",
                {
                    "id": self._boxes,
                    "image_id": self._images,
                    "category_id": self.class_of(face) + 1,
                    "bbox": list(box),
                    "area": round(box[2] * box[3], 2),
                    "iscrowd": 0,
                    "segmentation": [],
                    "score": round(face.score, 4),
                },
            )

    def close(self) -> tuple[str, ...]:
        """Join the parts of each split."""
        for file in self._parts.values():
            file.close()
        categories = [{"id": n + 1, "name": name, "supercategory": LABEL} for name, n in self.numbers.items()]
        for split in sorted({split for split, _ in self._parts}):
            path = f"annotations/instances_{split}.json"
            self.sink.write(path, b"")
            with self.sink.path(path).open("w", encoding="utf-8", errors="replace") as file:
                file.write(f'{{"info": {{"description": "Koma"}}, "categories": {json.dumps(categories)}')
                for part in ("images", "annotations"):
                    file.write(f', "{part}": [\n')
                    self._join(split, part, file)
                    file.write("\n]")
                file.write("}\n")
        self.how_to_start("COCO", "`annotations/instances_SPLIT.json` describes the pictures of `images/SPLIT/`.")
        return ()

    def _path(self, split: str, part: str) -> DiskPath:
        return self.sink.path(f".building.{split}.{part}")

    def _write(self, split: str, part: str, row: dict[str, Any]) -> None:
        file = self._parts.get((split, part))
        is_first = file is None
        if file is None:
            file = self._parts[split, part] = self._path(split, part).open("w", encoding="utf-8", errors="replace")
        file.write(("" if is_first else ",\n") + json.dumps(row, ensure_ascii=False))

    def _join(self, split: str, part: str, file: IO[str]) -> None:
        path = self._path(split, part)
        if not path.exists():
            return
        with path.open(encoding="utf-8") as rows:
            while text := rows.read(1 << 20):
                file.write(text)
        path.unlink()


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    pictures = captions = 0
    for path in folder.glob("annotations/instances_*.json"):
        split = path.stem.removeprefix("instances_")
        with path.open(encoding="utf-8") as file:
            for line in file:  # a row per line: a million rows fit no memory
                if line.startswith(_IMAGE):
                    image = outside_json.parsed(line.rstrip().removesuffix(","))
                    pictures += (folder / "images" / split / image["file_name"]).is_file()
                    captions += bool(image["caption"])
    return Contents(pictures=pictures, captions=captions)


COCO = box_format("coco", "COCO: face boxes by character", _Coco, _check, group="datasets")
