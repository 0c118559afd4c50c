"""CVAT for images 1.1: boxes of the label `face` with the character as an attribute (reference D.11)."""

from __future__ import annotations

from pathlib import Path as DiskPath
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.boxes import LABEL, UNKNOWN, BoxWriter, box_format, boxes_of
from export.formats.contract import Contents, Sink, Written
from export.formats.records import split_of
from export.formats.side_files import json_text


class _Cvat(BoxWriter):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, CVAT)
        sink.write("annotations.xml", b"")
        self._file = sink.path("annotations.xml").open("w", encoding="utf-8", errors="replace")
        values = "\n".join(escape(name) for name in self.classes)
        self._file.write(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task><labels><label>'
            f"<name>{LABEL}</name><attributes><attribute><name>character</name><mutable>False</mutable>"
            f"<input_type>select</input_type><default_value>{UNKNOWN}</default_value><values>{values}</values>"
            "</attribute></attributes></label></labels></task></meta>\n"
        )
        self._count = 0

    def base(self, item: Item) -> str:
        """Return the path of a picture: all in one folder, as in a task."""
        return f"images/{item.stem}"

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Write the element of a picture."""
        super().add(item, written, picture)
        name = written.path.removeprefix("images/")
        width, height = written.size
        self._file.write(
            f'<image id="{self._count}" name={quoteattr(name)} width="{width}" height="{height}"'
            f" subset={quoteattr(split_of(item))}>\n"
        )
        for (left, top, box_width, box_height), face in boxes_of(item, written.size):
            character = escape(face.character or UNKNOWN)
            self._file.write(
                f'<box label="{LABEL}" occluded="0" source="auto" xtl="{left}" ytl="{top}" xbr="{left + box_width:.2f}"'
                f' ybr="{top + box_height:.2f}" z_order="0"><attribute name="character">{character}</attribute></box>\n'
            )
        self._file.write("</image>\n")
        self._count += 1

    def close(self) -> tuple[str, ...]:
        """Complete the file, and write the labels that a task needs beforehand."""
        self._file.write("</annotations>\n")
        self._file.close()
        labels = [
            {
                "name": LABEL,
                "attributes": [
                    {
                        "name": "character",
                        "mutable": False,
                        "input_type": "select",
                        "default_value": UNKNOWN,
                        "values": self.classes,
                    }
                ],
            }
        ]
        self.sink.write("labels.json", json_text(labels))
        self.how_to_start(
            "CVAT",
            "1. Create a task: paste `labels.json` into *Raw* of its labels, and upload the pictures of `images/`.",
            "2. *Upload annotations*: `annotations.xml`, format *CVAT 1.1*.",
        )
        return ()


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    pictures = boxes = 0
    for _, element in ElementTree.iterparse(folder / "annotations.xml"):  # noqa: S314 - written by this process
        if element.tag == "image":
            pictures += (folder / "images" / element.get("name", "")).is_file()
            boxes += len(element)
            element.clear()
    return Contents(pictures=pictures, captions=boxes)


CVAT = box_format("cvat", "CVAT for images 1.1", _Cvat, _check, group="annotation tools")
