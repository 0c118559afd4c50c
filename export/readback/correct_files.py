"""Updating the files of a re-sorted dataset: companion files, and names in JSON and captions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from export.algorithms import captions, metadata
from export.algorithms.caption_tags import display_name
from export.algorithms.recipe import Recipe
from export.build.sinks import FolderSink
from export.formats.registry import format_of
from export.readback.comparing import Moved, Open, ReadBack, manifest_of
from ingest import outside_json
from ingest.errors import BadInput, KomaError


@dataclass(slots=True)
class Corrected:
    """Number of pictures with corrected JSON and caption, of files moved beside their picture, and open cases."""

    corrected: int = 0
    attached: int = 0
    open: list[Open] = field(default_factory=list)


def correct_files(folder: Path, comparison: ReadBack) -> Corrected:
    """Move companion files beside their pictures, and update the characters in the files of moved pictures.

    Captions changed by a person are kept. No file is ever overwritten by another.
    """
    _, recipe = manifest_of(folder)
    sink = FolderSink(folder)
    outcome = Corrected()
    for row in comparison.misplaced:
        try:
            source, target = sink.path(row.path), sink.path(row.to)
            if target.exists():
                raise BadInput(f"{row.to} already exists")
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            outcome.attached += 1
        except (KomaError, OSError) as error:
            outcome.open.append(Open(row.path, f"could not be moved to its picture ({error})"))
    doubled = {row.path for row in comparison.open}
    for moved in comparison.moved:
        if moved.path in doubled:
            continue  # ambiguous which of its files counts; already reported
        try:
            stays = _correct(moved, recipe, sink)
            outcome.corrected += 1
            if stays:
                outcome.open.append(Open(moved.path, stays))
        except KomaError as error:
            outcome.open.append(Open(moved.path, error.message))
        except OSError as error:
            outcome.open.append(Open(moved.path, f"its files could not be corrected ({error})"))
    return outcome


def _correct(moved: Moved, recipe: Recipe, sink: FolderSink) -> str:
    base = moved.path.rpartition(".")[0]
    place, _, stem = base.rpartition("/")
    body = _json(sink, f"{base}.json")
    if body is None:
        raise BadInput("its JSON is missing; nothing was corrected. Restore the file next to it")
    old = _facts(body, moved.before)
    text = f"{base}{format_of(recipe).caption_ending(recipe)}"
    was = captions.caption(old, recipe.caption, key=moved.key)
    now = captions.caption(_facts(body, moved.now), recipe.caption, key=moved.key)
    meta = f"{place}/.{stem}_meta.json" if place else f".{stem}_meta.json"
    stays = _caption(sink, text, was, now, tuple(name for name in moved.before if name not in moved.now), recipe)
    for name in (meta, f"{base}.json"):
        written = _json(sink, name)
        if written is None:
            continue
        key = "characters" if "characters" in written or "character" not in written else "character"
        written[key] = list(moved.now)
        if str(written.get("caption", "")).strip() == was:
            written["caption"] = now
        if "group_id" in written:
            written["group_id"] = metadata.group_id(place)
        sink.replace(name, json.dumps(written, ensure_ascii=False).encode() + b"\n")
    return stays


def _caption(sink: FolderSink, name: str, was: str, now: str, gone: tuple[str, ...], recipe: Recipe) -> str:
    """Replace the caption if it is unchanged since the export; else return a message with the names it still holds."""
    path = sink.path(name)
    if not path.is_file():
        return ""
    first, _, others = path.read_text("utf-8", "replace").partition("\n")
    if first.strip() in (was, now):
        sink.replace(name, f"{now}\n{others}".strip("\n").encode())
        first = ""
    still = [who for who in gone if display_name(who, spaces=recipe.caption.spaces) in f"{first}\n{others}"]
    return f"its caption was changed and still names {' and '.join(still)}; it stays as it is" if still else ""


def _json(sink: FolderSink, name: str) -> dict[str, Any] | None:
    path = sink.path(name)
    if not path.is_file():
        return None
    try:
        body = outside_json.read(path)
    except ValueError as error:
        raise BadInput(f"{name} cannot be read ({error}). Fix or delete it") from error
    if not isinstance(body, dict):
        raise BadInput(f"{name} cannot be read (it holds no object). Fix or delete it")
    return body


def _facts(body: dict[str, Any], names: tuple[str, ...]) -> metadata.Facts:
    """Return the facts of a JSON with these characters, since its own names may be placeholders."""
    try:
        facts = metadata.read(body)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"its JSON cannot be read ({error}). Fix or delete it") from error
    return replace(facts, characters=names)
