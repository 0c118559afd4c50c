"""Parses JSON and TOML from outside (next to a model or a picture, from a hub, in a backup, edited by hand): of bounded
size, and with a ValueError in words for whatever is wrong.

Numbers may be of any size: whoever converts one also expects an OverflowError.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from ingest import humane

SMALL, LARGE = 1 << 20, 64 << 20  # bytes: a description; lists of labels, words of a language model


def parsed(text: str | bytes) -> Any:
    """The value; ValueError also for too deep nesting, and for a number of thousands of digits."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        raise ValueError("it holds a number of too many digits") from None


def parsed_toml(text: str) -> dict[str, Any]:
    """The table; ValueError also for too deep nesting."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_bytes(path: Path, *, bytes_max: int = LARGE) -> bytes:
    """The bytes of a file. Raises OSError, or ValueError when it has more than `bytes_max`."""
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise ValueError(f"it is larger than {humane.filesize(bytes_max)}")
    return data


def read(path: Path, *, bytes_max: int = LARGE) -> Any:
    """The content of a JSON file. Raises OSError, or ValueError when it is not JSON or larger than `bytes_max`."""
    return parsed(read_bytes(path, bytes_max=bytes_max))
