"""Figures of a measurement in words: what each is called on a page, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# key -> (what it is called, unit); figures that are not here keep their key as words
WORDS = {
    "model": ("Model", ""),
    "device": ("Device", ""),
    "pictures": ("Frames", ""),
    "characters": ("Characters", ""),
    "faces": ("Faces", ""),
    "twins_removed": ("Near-duplicates skipped", ""),
    "hits_iou30": ("Faces found (IoU 0.3)", ""),
    "hits_iou50": ("Faces found (IoU 0.5)", ""),
    "false_positives_iou30": ("False detections", ""),
    "ms_per_picture": ("Time per frame", "ms"),
    "ms_per_face": ("Time per face", "ms"),
}


def in_words(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Plain figures with their names, in the scores' order; a time of 0 was not measured and is left out."""
    texts = []
    for name, value in scores.items():
        if not isinstance(value, (int, float, str)) or isinstance(value, bool):
            continue
        label, unit = WORDS.get(name, (name.replace("_", " ").capitalize(), ""))
        if unit and not value:
            continue
        text = value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
        texts.append((label, f"{text} {unit}".strip()))
    return texts
