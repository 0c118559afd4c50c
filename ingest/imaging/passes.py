"""Writes and reads how often a picture was upscaled, as text in its file (PNG text or EXIF)."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from ingest import humane
from ingest.imaging.opening import FORMATS

EXIF_DESCRIPTION = 0x010E
PNG_DESCRIPTION = "Description"
_PASSES_TEXT = re.compile(r"Koma: upscaled in ([1-9][0-9]?) pass(?:es)?\b")
_TEXT_MAX = 1000


def passes_text(passes: int, model: str) -> str:
    """The text that is stored in the file."""
    return f"Koma: upscaled in {humane.count(passes, 'pass', 'passes')}, last by {model}"


def save_options(passes: int, model: str, *, png: bool) -> dict[str, Any]:
    """Arguments of Pillow's `save` that store the text; empty for a picture that was not upscaled."""
    if passes < 1:
        return {}
    if png:
        text = PngImagePlugin.PngInfo()
        text.add_text(PNG_DESCRIPTION, passes_text(passes, model))
        return {"pnginfo": text}
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = passes_text(passes, model)
    return {"exif": exif}


def read_passes(source: Path | bytes) -> int:
    """Upscaling passes stored in a picture file; 0 if there are none or it is unreadable. Reads only headers."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            description = image.info.get(PNG_DESCRIPTION) or image.getexif().get(EXIF_DESCRIPTION)
    except Exception:  # noqa: BLE001 - of many kinds; decoding reports the problem
        return 0
    match = _PASSES_TEXT.match(description[:_TEXT_MAX]) if isinstance(description, str) else None
    return int(match.group(1)) if match else 0
