"""Metadata of ONNX files as exporters write it: Python literals, parsed and never evaluated."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from ingest.errors import BadInput

LENGTH_MAX = 65_536  # characters per value; longer text does not describe a model
NAMES_MAX = 255  # a label takes one byte in a packed answer
NAME_MAX = 100
SIDE_MAX = 8192


def literal(text: str) -> Any:
    """Parse a Python literal. Raises ValueError for anything else."""
    if len(text) > LENGTH_MAX:
        raise ValueError(f"{len(text):,} characters are more than {LENGTH_MAX:,}")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"it is not a literal ({type(error).__name__})") from error


def names(path: Path, text: str) -> tuple[str, ...]:
    """Parse label names from `{0: 'face'}` or `['face']`. Raises BadInput when they cannot be labels."""
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
        raise BadInput(
            f"{path}: the metadata `names` of this model cannot be read: {error}. Download it again."
        ) from error
    return labels


def picture_size(path: Path, text: str | None) -> tuple[int, int]:
    """Parse (width, height) from `[height, width]` or one number; 640 x 640 by default."""
    try:
        value = literal(text) if text else 640
        height, width = value if isinstance(value, (list, tuple)) else (value, value)
        if not all(isinstance(side, int) and 0 < side <= SIDE_MAX for side in (height, width)):
            raise ValueError(f"sides must be whole numbers from 1 to {SIDE_MAX}")
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"{path}: the metadata `imgsz` of this model cannot be read: {error}. Download it again."
        ) from error
    return width, height
