"""Label Studio: tasks with predictions, boxes in percent of the picture (reference D.12)."""

from __future__ import annotations

import json
from pathlib import Path as DiskPath
from typing import Any
from xml.sax.saxutils import quoteattr

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.boxes import UNKNOWN, BoxWriter, box_format, boxes_of
from export.formats.contract import Contents, Sink, Written
from ingest import outside_json


class _LabelStudio(BoxWriter):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, LABEL_STUDIO)
        sink.write("tasks.json", b"")
        self._file = sink.path("tasks.json").open("w", encoding="utf-8", errors="replace")
        self._is_first = True

    def base(self, item: Item) -> str:
        """Return the path of a picture."""
        return f"images/{item.stem}"

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Write the task of a picture."""
        super().add(item, written, picture)
        self._file.write(
            ("[\n" if self._is_first else ",\n") + json.dumps(self._task(item, written), ensure_ascii=False)
        )
        self._is_first = False

    def close(self) -> tuple[str, ...]:
        """Complete the file, and write the labelling interface."""
        self._file.write("\n]\n")
        self._file.close()
        labels = "\n".join(f"    <Label value={quoteattr(name)}/>" for name in self.classes)
        config = (
            '<View>\n  <Image name="image" value="$image"/>\n  <RectangleLabels name="character" toName="image">\n'
            f"{labels}\n  </RectangleLabels>\n</View>\n"
        )
        self.sink.write("label_config.xml", config.encode())
        self.how_to_start(
            "Label Studio",
            "1. Start Label Studio with `LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true` and",
            "   `LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT` set to this folder, and add `images` as local storage.",
            "2. Create a project, paste `label_config.xml` into *Labeling interface* > *Code*, import `tasks.json`.",
        )
        return ()

    def _task(self, item: Item, written: Written) -> dict[str, Any]:
        width, height = written.size
        result = [
            {
                "id": f"{item.stem}-{number}",
                "type": "rectanglelabels",
                "from_name": "character",
                "to_name": "image",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {
                    "x": 100 * box[0] / width,
                    "y": 100 * box[1] / height,
                    "width": 100 * box[2] / width,
                    "height": 100 * box[3] / height,
                    "rotation": 0,
                    "rectanglelabels": [face.character or UNKNOWN],
                },
            }
            for number, (box, face) in enumerate(boxes_of(item, written.size))
        ]
        return {
            "data": {"image": f"/data/local-files/?d={written.path}", "key": item.picture.key, "caption": item.caption},
            "predictions": [{"model_version": "koma", "result": result}],
        }


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    pictures = captions = 0
    with (folder / "tasks.json").open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("{"):
                task = outside_json.parsed(line.rstrip().removesuffix(","))
                pictures += (folder / task["data"]["image"].partition("?d=")[2]).is_file()
                captions += bool(task["data"]["caption"])
    return Contents(pictures=pictures, captions=captions)


LABEL_STUDIO = box_format("label-studio", "Label Studio", _LabelStudio, _check, group="annotation tools")
