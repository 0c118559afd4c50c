"""How often a picture was upscaled: the words that Koma writes into files (PNG text, EXIF), and their reading."""

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
    """What a file says of itself."""
    return f"Koma: upscaled in {humane.count(passes, 'pass', 'passes')}, last by {model}"


def save_options(passes: int, model: str, *, png: bool) -> dict[str, Any]:
    """Arguments for Pillow's `save` that put the words into the file; none for a picture that was never upscaled."""
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
    """Passes that a picture file tells of; 0 for one that tells nothing or cannot be read. Only headers are read."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            description = image.info.get(PNG_DESCRIPTION) or image.getexif().get(EXIF_DESCRIPTION)
    except Exception:  # noqa: BLE001 - Pillow raises a dozen kinds; whoever decodes the picture says what is wrong
        return 0
    match = _PASSES_TEXT.match(description[:_TEXT_MAX]) if isinstance(description, str) else None
    return int(match.group(1)) if match else 0
