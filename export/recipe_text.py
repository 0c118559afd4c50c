"""Recipe settings as text, from a form field, the command line or a file."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

from export.algorithms.recipe import Recipe, RecipeError, parse_text
from ingest import outside_json
from ingest.algorithms.typed_lists import ListError, typed_list
from ingest.errors import BadInput
from ingest.pipeline.settings import NO, YES


def settings() -> dict[str, dict[str, Any]]:
    """Return the type of every setting, by section and name."""
    return {name: typing.get_type_hints(section) for name, section in typing.get_type_hints(Recipe).items()}


def value(section: str, setting: str, text: str) -> Any:
    """Convert text to a setting's value; wrong values are left to the recipe's validation.

    Raises ValueError for an unknown setting and for a list that cannot be read.
    """
    known = settings()
    if section not in known:
        raise ValueError(f"{section!r} is not a section of the recipe; there are: {', '.join(known)}")
    if setting not in known[section]:
        raise ValueError(f"{section} has no setting {setting!r}; it has: {', '.join(known[section])}")
    return typed(text, known[section][setting], setting)


def typed(text: str, hint: Any, setting: str) -> Any:
    """Convert text for a known setting of type `hint`."""
    if setting == "weights":
        return text
    if setting == "types":
        return words_of_types(text)
    if typing.get_origin(hint) is tuple:
        try:
            return typed_list(text)
        except ListError as error:
            raise ValueError(error.message) from error
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if not text.strip():
            return None
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if hint is str:
        return text.replace("\r\n", "\n")
    stripped = text.strip()
    if hint is bool:
        return stripped.lower() in YES if stripped.lower() in (*YES, *NO) else text
    if typing.get_origin(hint) is typing.Literal:
        return stripped if all(isinstance(choice, str) for choice in typing.get_args(hint)) else text
    try:
        return int(stripped) if hint is int else float(stripped)
    except ValueError:
        return text


def words_of_types(text: str) -> dict[str, str]:
    """Parse lines of `type = word`."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): word.strip() for name, _, word in pairs if name.strip()}


def read_file(path: Path) -> Recipe:
    """Read a recipe from a .toml or .json file. Raises BadInput naming the file and every wrong entry."""
    kind = path.suffix.lower()
    if kind not in (".toml", ".json"):
        raise BadInput(f"{path}: a recipe is a .toml or .json file.")
    try:
        text = outside_json.read_bytes(path, bytes_max=outside_json.SMALL).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: the recipe cannot be read ({error}).") from error
    try:
        return parse_text(text, kind="toml" if kind == ".toml" else "json")
    except RecipeError as error:
        raise BadInput(f"{path}: {error}") from error
