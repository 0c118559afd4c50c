"""JSON that lies beside a model or comes from a hub: of a bounded size, and whatever is wrong with it a ValueError."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SMALL, LARGE = 1 << 20, 64 << 20  # bytes: a description; lists of labels, words of a language model


def parsed(text: str | bytes) -> Any:
    """The value; ValueError also for what is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read(path: Path, *, most: int = LARGE) -> Any:
    """What a file holds. Raises OSError, or ValueError when it is no JSON or has more than `most` bytes."""
    with path.open("rb") as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return parsed(text)
