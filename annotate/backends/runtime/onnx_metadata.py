"""Reads what exporters write into the metadata of ONNX files: Python literals as text, never run."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from ingest.errors import BadInput

LENGTH_MAX = 65_536  # characters of one value; deeper or longer text is no description of a model
NAMES_MAX = 255  # a label takes one byte of a packed answer
NAME_MAX = 100
SIDE_MAX = 8192


def literal(text: str) -> Any:
    """The value of a Python literal; ValueError for anything else, however it is made."""
    if len(text) > LENGTH_MAX:
        raise ValueError(f"{len(text):,} characters are more than {LENGTH_MAX:,}")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"it is no literal ({type(error).__name__})") from error


def names(path: Path, text: str) -> tuple[str, ...]:
    """Names by number from `{0: 'face'}` or `['face']`; BadInput when they cannot be names of labels."""
    try:
        value = literal(text)
        rows = dict(enumerate(value)) if isinstance(value, (list, tuple)) else value
        if not isinstance(rows, dict) or not 0 < len(rows) <= NAMES_MAX or set(rows) != set(range(len(rows))):
            raise ValueError(f"it must name the labels 0, 1, ... without gaps, at most {NAMES_MAX}")
        labels = tuple(str(rows[index]) for index in range(len(rows)))
        wrong = next((name for name in labels if not name.isprintable() or not 0 < len(name) <= NAME_MAX), None)
        if wrong is not None:
            raise ValueError(f"{wrong[:40]!r} cannot be a label")
    except ValueError as error:
        raise BadInput(f"{path}: the metadata `names` of this model cannot be read: {error}. Get it again.") from error
    return labels


def picture_size(path: Path, text: str | None) -> tuple[int, int]:
    """(width, height) from `[height, width]` or one number; 640 x 640 without any."""
    try:
        value = literal(text) if text else 640
        height, width = value if isinstance(value, (list, tuple)) else (value, value)
        if not all(isinstance(side, int) and 0 < side <= SIDE_MAX for side in (height, width)):
            raise ValueError(f"sides must be whole numbers from 1 to {SIDE_MAX}")
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path}: the metadata `imgsz` of this model cannot be read: {error}. Get it again.") from error
    return width, height
