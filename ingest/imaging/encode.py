"""Writes pictures as png, jpeg, webp or lossless webp, and previews; the same bytes for the same pixels."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

FORMATS = {"png": "png", "jpeg": "jpg", "webp": "webp", "webp-lossless": "webp"}
DEFAULT_FORMAT = "jpeg"
PREVIEW_SIDE = 320
PREVIEW_QUALITY = 80


@dataclass(frozen=True)
class PictureFormat:
    """How full pictures are written. `quality` 1..100 is for jpeg and webp; `effort` 0..9 for png."""

    name: str = DEFAULT_FORMAT
    quality: int = 95
    effort: int = 1

    def __post_init__(self) -> None:
        if self.name not in FORMATS:
            raise ValueError(f"unknown picture format {self.name!r}; choose one of {', '.join(FORMATS)}")
        if not 1 <= self.quality <= 100:
            raise ValueError("quality must be 1 to 100")
        if not 0 <= self.effort <= 9:
            raise ValueError("effort must be 0 to 9")

    @property
    def suffix(self) -> str:
        """The file name's ending, without a dot."""
        return FORMATS[self.name]


def encode(picture: U8, how: PictureFormat) -> bytes:
    """The file's bytes for a picture uint8[h, w, 3] RGB. Raises ValueError when the format cannot hold its size."""
    height, width = picture.shape[:2]
    if how.name.startswith("webp") and max(height, width) > 16383:
        raise ValueError(f"webp holds at most 16383 pixels a side, not {width} x {height}; choose png or jpeg")
    options = {
        "png": [cv2.IMWRITE_PNG_COMPRESSION, how.effort],
        # Colour at full resolution: halved colour frays the dark red lines that drawings are made of.
        "jpeg": [
            cv2.IMWRITE_JPEG_QUALITY,
            how.quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, how.quality],
        # Above 100 means lossless to OpenCV.
        "webp-lossless": [cv2.IMWRITE_WEBP_QUALITY, 101],
    }[how.name]
    done, data = cv2.imencode(f".{how.suffix}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"a picture of {width} x {height} could not be written as {how.name}")
    return data.tobytes()


def placeholder(picture: U8) -> str:
    """A blurred picture of 16 pixels as a data URL of under 400 characters, to be shown while the preview loads."""
    height, width = picture.shape[:2]
    scale = 16 / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    tiny = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".webp", tiny, [cv2.IMWRITE_WEBP_QUALITY, 20])
    url = "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode("ascii") if done else ""
    return url if len(url) < 400 else ""


def encode_preview(picture: U8) -> bytes:
    """A small jpeg of a preview uint8[h, w, 3] RGB."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, PREVIEW_QUALITY])
    if not done:
        raise ValueError("a preview could not be written")
    return data.tobytes()
