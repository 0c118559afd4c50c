"""What the history may hold and undo may write: an allowlist of models and fields.

One list for all three: the recorder refuses anything else (so that nobody forgets a line here), undo leaves it alone,
and a backup's history comes back without it. Where a source lies, and which files a frame has, is never undone: a
restored backup could otherwise name any file of the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERSION = "version"  # rises with each change of a row that has one; never put back


@dataclass(frozen=True, slots=True)
class Undoable:
    """What undo may do to the rows of a model: restore these fields (by attribute name), delete or recreate rows."""

    fields: frozenset[str]
    rows: bool = False


def _fields(*names: str) -> Undoable:
    return Undoable(frozenset(names))


def _rows(*names: str) -> Undoable:
    return Undoable(frozenset(names), rows=True)


UNDOABLE: dict[str, Undoable] = {
    "ingest.Collection": _fields("name", "run_defaults"),
    "ingest.Source": _fields("image_type", "licence_note", "exportable", "rating_scheme"),
    "ingest.Episode": _fields("series", "season", "number", "title"),
    "ingest.Frame": _fields(
        "state", "reason", "duplicate_of_id", "distance", "decided", "decided_by_id", "excluded", "face_count"
    ),
    "annotate.Face": _rows(
        *("left", "top", "right", "bottom", "score", "box_by_person", "crop", "embedding", "embedding_version_id"),
        *("state", "character_id", "confidence", "named_by", "named_user_id", "is_reference", "not_characters"),
        "cluster_id",
    ),
    "annotate.FaceCluster": _rows("size", "guess_id", "guess_score"),
    "annotate.Character": _rows("name", "parent_id", "key"),
    "annotate.CharacterAlias": _rows("character_id"),
    "annotate.ReferencePicture": _rows("character_id"),
    "annotate.CheckedFrame": _rows(),
    "annotate.Caption": _rows("text", "by_id"),
    "annotate.FrameCharacter": _rows("state", "origin", "score", "box", "by_id", "character_id"),
    "annotate.FrameTag": _rows("state", "score", "model_version_id", "by_id", "by_person"),
    "annotate.TagList": _fields("used"),
    "annotate.ModelChoice": _rows(),
}


def refusal(label: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """Why a revision of the model `label` must not be undone; empty when it may be."""
    may = UNDOABLE.get(label)
    if may is None:
        return f"{label} is no model whose rows undo changes"
    if before is None or after is None:
        return "" if may.rows else f"rows of {label} are neither removed nor made again by undo"
    if before.keys() != after.keys():
        return f"a change of {label} names other fields before than after"
    others = before.keys() - may.fields - {VERSION}
    return f"undo does not change {label}.{min(others)}" if others else ""
