"""Lists that say which tags include others and which are unwanted, from the folder `tag_filtering` of the models."""

from __future__ import annotations

import json
from pathlib import Path

from ingest.errors import BadInput

FOLDER = "tag_filtering"
OVERLAPS = ("overlap_tags_simplified.json", "overlap_tags.json")
UNWANTED = "blacklist_tags.txt"
SOURCE = "the data set alea31415/tag_filtering"
FILE_MAX = 64 << 20


def read_overlaps(models_dir: Path) -> dict[str, frozenset[str]]:
    """More specific tags by tag: {tag: [...]} or [{"query": tag, "has_overlap": [...]}, ...]. BadInput in words."""
    folder = models_dir / FOLDER
    path = next((folder / name for name in OVERLAPS if (folder / name).is_file()), None)
    if path is None:
        raise BadInput(f"{folder / OVERLAPS[0]} is missing. Put it there ({SOURCE}), or do not drop included tags.")
    try:
        told = json.loads(_text(path))
    except ValueError as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}. Get the file again.") from error
    if isinstance(told, list) and all(isinstance(entry, dict) for entry in told):
        told = {str(entry.get("query", "")): entry.get("has_overlap") or [] for entry in told}
    if not isinstance(told, dict) or not all(isinstance(others, list) for others in told.values()):
        raise BadInput(f"{path} holds no lists of tags by tag. Get the file again.")
    return {_spelled(str(tag)): frozenset(_spelled(str(other)) for other in others) for tag, others in told.items()}


def read_unwanted(models_dir: Path) -> tuple[str, ...]:
    """One tag a line. BadInput in words when the file is missing or cannot be read."""
    path = models_dir / FOLDER / UNWANTED
    if not path.is_file():
        raise BadInput(f"{path} is missing. Put it there ({SOURCE}), or do not drop unwanted tags.")
    return tuple(_spelled(line) for line in _text(path).splitlines() if line.strip())


def _spelled(tag: str) -> str:
    return "_".join(tag.split()).lower()


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_MAX:
            raise BadInput(f"{path} is too large for a list of tags. Get the file again.")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read ({error}). Get the file again.") from error
