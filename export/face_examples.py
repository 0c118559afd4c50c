"""Faces of a face set as the export page shows them: cut, enlarged and brought to their size, without a model."""

from __future__ import annotations

import base64
from pathlib import Path

from django.conf import settings

from annotate.backends.upscale_resize import ResizeUpscaler
from annotate.backends.upscalers import DEFAULT
from export.algorithms.parts import Part
from export.algorithms.selection import Selection
from export.formats.pictures import Growth, picture_bytes
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import Store, UnknownName

SHOWN = Selection(format="webp")


def face_picture(part: Part) -> str:
    """A data URI; empty when the stored picture is gone. Lanczos instead of a model, which may take seconds a face."""
    size = part.size
    assert size is not None
    assert part.crop is not None
    store = Store(Path(settings.KOMA_DATA_DIR) / "store")
    try:
        rgb = read_picture(store.read(part.picture.file), name=part.picture.stem).rgb
    except (FileNotFoundError, UnknownName, UnreadablePicture):
        return ""
    enlarge = ResizeUpscaler(DEFAULT)
    data = picture_bytes(
        rgb, SHOWN, part.crop, Growth(lambda picture: enlarge.upscale(picture, times=part.passes), size)
    )
    return f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}"
