"""A captioner whose weights are the one text that it knows."""

from __future__ import annotations

from typing import Any

from annotate.backends.model_files.registry import Installed

WORDS = "words.txt"


class ToyCaptioner:
    def __init__(self, words: str, max_tokens: int) -> None:
        self.words, self.max_tokens = words, max_tokens


def open_installed(found: Installed, *, max_tokens: int, **_: Any) -> ToyCaptioner:
    return ToyCaptioner((found.path / WORDS).read_text(), max_tokens)
