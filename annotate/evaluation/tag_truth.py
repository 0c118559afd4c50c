"""Ground truth for tags: a text file per picture, or one table for the folder."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ingest.algorithms.ratings import rating_of
from ingest.errors import BadInput
from ingest.imaging.formats import PICTURE_SUFFIXES
from ingest.imaging.sidecars import TEXT_BYTES_MAX, SideFiles, parse_side_files

TABLE = "tags.csv"
FORM = (
    "a text file beside each picture (a.png, a.txt) with tags separated by commas, or a tags.csv with columns file,tags"
)


@dataclass(frozen=True, slots=True)
class Truth:
    """True tags by picture below the folder, and the pictures without any."""

    tags: dict[str, frozenset[str]]
    untold: tuple[str, ...] = ()


def read_truth(folder: Path) -> Truth:
    """Return the folder's ground truth. Raises BadInput that names what is missing or wrong."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder. Give a folder with {FORM}.")
    pictures = sorted(
        path.name for path in folder.iterdir() if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES
    )
    tags = _table(folder / TABLE) if (folder / TABLE).is_file() else _from_side_files(folder, pictures)
    if not tags:
        raise BadInput(f"{folder} has no tags for its {len(pictures):,} pictures. It must hold {FORM}.")
    absent = sorted(name for name in tags if not (folder / name).is_file())
    if absent:
        raise BadInput(f"{folder}: {len(absent)} of the {len(tags)} listed pictures are missing, first {absent[0]!r}.")
    return Truth(tags, tuple(name for name in pictures if name not in tags))


def spelled(tag: str) -> str:
    """Return a tag with underscores, in lower case."""
    text = " ".join(tag.split()).lower()
    return text.replace(" ", "_")


def _from_side_files(folder: Path, pictures: list[str]) -> dict[str, frozenset[str]]:
    side_files = SideFiles(path.name for path in folder.iterdir() if path.is_file())
    tags_by_file: dict[str, frozenset[str]] = {}
    for picture in pictures:
        parsed = parse_side_files([(name, _head(folder / name)) for name in side_files.of(picture)])
        tags = {*parsed.general, *parsed.character, *parsed.copyright, *parsed.artist, *parsed.meta}
        if rating := rating_of(parsed.rating, parsed.rating_scheme):
            tags.add(f"rating:{rating}")
        if tags:
            tags_by_file[picture] = frozenset(map(spelled, tags))
    return tags_by_file


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(TEXT_BYTES_MAX)


def _table(path: Path) -> dict[str, frozenset[str]]:
    tags_by_file: dict[str, frozenset[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if not {"file", "tags"} <= set(reader.fieldnames or ()):
                raise BadInput(f"{path}: the first line must name the columns file,tags.")
            for row in reader:
                name, tag_text = str(row["file"] or "").strip(), str(row["tags"] or "")
                if not name or Path(name).name != name or name in {".", ".."}:
                    raise BadInput(f"{path}: row {reader.line_num}: {name!r} must be a file name without a folder.")
                parts = tag_text.split(",") if "," in tag_text else tag_text.split()
                tags_by_file[name] = frozenset(spelled(part) for part in parts if part.strip())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read ({error}). It must hold columns file,tags.") from error
    return tags_by_file
