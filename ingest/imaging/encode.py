"""Encodes pictures as png, jpeg, webp or lossless webp, and previews; the same pixels give the same bytes."""

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
    """The format of full pictures. `quality` (1..100) is for jpeg and webp, `effort` (0..9) for png. Raises
    ValueError."""

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
        """The suffix of file names, without a dot."""
        return FORMATS[self.name]


def encode(picture: U8, picture_format: PictureFormat) -> bytes:
    """Encode a picture uint8[h, w, 3] RGB. Raises ValueError if the format does not support its size."""
    height, width = picture.shape[:2]
    if picture_format.name.startswith("webp") and max(height, width) > 16383:
        raise ValueError(f"webp supports at most 16383 pixels per side, not {width} x {height}; choose png or jpeg")
    options = {
        "png": [cv2.IMWRITE_PNG_COMPRESSION, picture_format.effort],
        # Full chroma resolution: subsampling frays the dark red lines of drawings.
        "jpeg": [
            cv2.IMWRITE_JPEG_QUALITY,
            picture_format.quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, picture_format.quality],
        # OpenCV writes lossless webp above 100.
        "webp-lossless": [cv2.IMWRITE_WEBP_QUALITY, 101],
    }[picture_format.name]
    done, data = cv2.imencode(f".{picture_format.suffix}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"a picture of {width} x {height} could not be written as {picture_format.name}")
    return data.tobytes()


def placeholder(picture: U8) -> str:
    """A blurred picture of at most 16 pixels per side, shown while the preview loads: a data URL of under 400
    characters, or "" if it would be longer."""
    height, width = picture.shape[:2]
    scale = 16 / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    tiny = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".webp", tiny, [cv2.IMWRITE_WEBP_QUALITY, 20])
    url = "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode("ascii") if done else ""
    return url if len(url) < 400 else ""


def encode_preview(picture: U8) -> bytes:
    """Encode a preview uint8[h, w, 3] RGB as a small jpeg. Raises ValueError."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, PREVIEW_QUALITY])
    if not done:
        raise ValueError("a preview could not be written")
    return data.tobytes()
