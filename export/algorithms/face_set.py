"""Face sets: each face cropped to a square with some margin, upscaled to a minimum, then resized to one exact size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from export.algorithms.crops import Crop, inside
from export.algorithms.rows import Face, Picture

Border = Literal["shift", "edge", "reflect", "black", "drop"]

TOO_SMALL = "faces smaller than the face set requires"
OVER_THE_RIM = "faces too close to the edge for the face set"
SIDE_MIN, SIDE_MAX = 8, 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSetOptions:
    """`enabled`: export each face as a picture; `whole`: also export complete pictures and square crops.

    A crop is `scale` times the face's longer side; crops smaller than `least` pixels are left out, those below `grow`
    are upscaled by full passes, and all are resized to `size` pixels. `border`, for crops across the picture's edge:
    moved inside (shift), edge repeated (edge) or mirrored (reflect), black, or left out (drop).
    """

    enabled: bool = False
    whole: bool = False
    scale: float = 1.5
    least: int = 64
    grow: int = 128
    size: int = 128
    border: Border = "shift"

    def __post_init__(self) -> None:
        if not 1.0 <= self.scale <= 5.0:
            raise ValueError("scale: must lie between 1 and 5 times the face")
        for name in ("least", "grow", "size"):
            if not SIDE_MIN <= getattr(self, name) <= SIDE_MAX:
                raise ValueError(f"{name}: must lie between {SIDE_MIN} and {SIDE_MAX} pixels")


def face_crops(picture: Picture, options: FaceSetOptions) -> tuple[list[Crop], list[str]]:
    """Return a crop per face, numbered from 1 in the order of the faces, and one reason per face that is left out.

    A crop shows one character, so it has only that face.
    """
    crops: list[Crop] = []
    reasons: list[str] = []
    for number, face in enumerate(picture.faces, start=1):
        left, top, side = _square(picture, face, options.scale)
        if side < options.least:
            reasons.append(TOO_SMALL)
            continue
        over = left < 0 or top < 0 or left + side > picture.width or top + side > picture.height
        if over and options.border == "drop":
            reasons.append(OVER_THE_RIM)
            continue
        if over and options.border == "shift":
            left, top, side = _square(picture, face, options.scale, side_max=min(picture.width, picture.height))
            left, top = max(0, min(left, picture.width - side)), max(0, min(top, picture.height - side))
            if side < options.least:
                reasons.append(TOO_SMALL)
                continue
        border = options.border if over else ""
        cropped = inside(picture, (left, top, side), suffix=f"face{number}", only=face)
        crops.append(Crop(left, top, side, cropped, border=border, face=_pixels(picture, face)))
    return crops, reasons


def _square(picture: Picture, face: Face, scale: float, *, side_max: int | None = None) -> tuple[int, int, int]:
    left, top, right, bottom = _pixels(picture, face)
    side = round(max(right - left, bottom - top) * scale)
    side = side if side_max is None else min(side, side_max)
    return round((left + right - side) / 2), round((top + bottom - side) / 2), side


def _pixels(picture: Picture, face: Face) -> tuple[float, float, float, float]:
    width, height = picture.width, picture.height
    return face.left * width, face.top * height, face.right * width, face.bottom * height
