"""Label lists of taggers: CSV tables with a category number, and JSON maps from index to tag."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from annotate.algorithms.tag_rules import Label
from ingest import humane, outside_json
from ingest.algorithms.normal_form import normal
from ingest.errors import BadInput

# Danbooru's category numbers, and 9, which taggers use for ratings.
NUMBERS = {0: "general", 1: "artist", 3: "copyright", 4: "character", 5: "meta", 9: "rating"}
NAME_MAX = 180  # characters: with a category prefix, a tag must fit into the database's 200
NAMELESS = Label("", "")
DIGITS_MAX = 9
LABELS_MAX = 65_536  # as many as a packed answer can address
FILE_MAX = 64 << 20
Row = dict[str, str]


def read_rows(path: Path, *columns: str) -> Iterator[tuple[int, Row | None]]:
    """Yield (line number, row) of a CSV file, None for a blank row. Raises BadInput when the file or columns are
    missing."""
    _check_size(path)
    count = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if not set(columns) <= set(reader.fieldnames or ()):
                raise BadInput(f"{path}: the first line must name the columns {', '.join(columns)}.")
            for cells in reader:
                # A row of only commas still stands for an output of the network: later rows keep their index.
                blank = not any((value or "").strip() for value in cells.values() if not isinstance(value, list))
                if (count := count + 1) > LABELS_MAX:
                    raise BadInput(f"{path}: it has more than {LABELS_MAX:,} rows; no model has so many labels.")
                yield reader.line_num, None if blank else {k: str(v or "") for k, v in cells.items() if k is not None}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: the list of tags cannot be read ({error}). Download the file again.") from error


def read_table(path: Path) -> list[Label]:
    """Read the labels of a `selected_tags.csv` (name, category number) in order. Raises BadInput naming the wrong
    row."""
    labels: list[Label] = []
    for line, row in read_rows(path, "name", "category"):
        if row is None:
            labels.append(NAMELESS)
            continue
        number = row["category"].strip()
        if not row["name"] or not number.isdecimal() or len(number) > DIGITS_MAX:
            raise BadInput(f"{path}: row {line} has no name or no category number.")
        labels.append(label_of(row["name"], NUMBERS.get(int(number), "meta"), where=f"{path}: row {line}"))
    return checked(labels, path)


def label_of(name: str, category: str, *, where: str) -> Label:
    """Build a label with a valid tag name: lower case, with underscores, also for commas, which separate tags in
    captions. "rating:safe" of the category rating becomes "safe". Raises BadInput for a name that cannot be a tag."""
    clean = spelt(name).removeprefix(f"{category}:")
    if not clean or not name.isprintable() or len(clean) > NAME_MAX:
        raise BadInput(f"{where}: {name[:40]!r} cannot be a tag. Download the file again.")
    return Label(clean, category)


def spelt(name: str) -> str:
    """Normalise a tag as in all of Koma's lists: lower case, underscores, also for commas, accents composed (NFC)."""
    return normal("_".join(name.replace(",", " ").split()).lower())


def checked(labels: list[Label], path: Path) -> list[Label]:
    """Return the labels unchanged. Raises BadInput when none has a name."""
    if not any(label.name for label in labels):
        raise BadInput(f"{path}: the list of tags is empty. Download the file again.")
    return labels


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises BadInput when the file is missing, damaged, too large or something else."""
    try:
        parsed = outside_json.read(path, bytes_max=FILE_MAX)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}. Download the file again.") from error
    if not isinstance(parsed, dict) or not parsed:
        raise BadInput(f"{path} must hold a JSON object. Download the file again.")
    return parsed


def read_places(path: Path) -> list[Label]:
    """Read the labels of a map {"0": {"tag": ..., "category": "General"}} or {"idx_to_tag": ..., "tag_to_category":
    ...}."""
    parsed = read_object(path)
    entries: Mapping[str, Any] = parsed
    if isinstance(parsed.get("idx_to_tag"), dict):
        kinds = parsed.get("tag_to_category")
        kinds = kinds if isinstance(kinds, dict) else {}
        tags = parsed["idx_to_tag"].items()
        entries = {place: {"tag": tag, "category": kinds.get(str(tag), "")} for place, tag in tags}
    if not all(_is_place(place) and isinstance(entry, dict) for place, entry in entries.items()):
        raise BadInput(f"{path}: each entry must be an index with a tag and a category. Download the file again.")
    places = {int(place): entry for place, entry in entries.items()}
    if not places:
        raise BadInput(f"{path}: the list of tags is empty. Download the file again.")
    if max(places) >= LABELS_MAX:
        raise BadInput(f"{path}: it names more than {LABELS_MAX:,} labels; no model has so many.")
    if max(places) >= 4 * len(places) + 16:
        raise BadInput(
            f"{path}: its indexes reach {max(places):,}, but it lists {len(places):,} labels. Download it again."
        )
    labels = [NAMELESS] * (max(places) + 1)
    for place, entry in sorted(places.items()):
        name, category = str(entry.get("tag") or ""), str(entry.get("category") or "").lower()
        if name and category:
            labels[place] = label_of(name, category, where=f"{path}: place {place}")
    return checked(labels, path)


def _is_place(text: str) -> bool:
    return text.isdecimal() and len(text) <= DIGITS_MAX


def _check_size(path: Path) -> None:
    if path.is_file() and path.stat().st_size > FILE_MAX:
        raise BadInput(
            f"{path}: {humane.filesize(path.stat().st_size)} is too large for a list of tags. Download the file again."
        )
