"""Square crops around faces, and padding where a face is too large for one (reference 1.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from export.algorithms.rows import Face, Picture

_COUNT_TAG = re.compile(r"\d\+?(girl|boy|other)s?|multiple_(girls|boys|others)|solo|solo_focus|no_humans")


@dataclass(frozen=True, slots=True, kw_only=True)
class CropOptions:
    """`enabled`: create crops. `around`: None for the largest square, else a multiple of the face's longer side.

    `pad`: a picture whose face is as large as its shorter side is padded to a square (black, picture centred).
    """

    enabled: bool = False
    around: float | None = None
    pad: bool = True

    def __post_init__(self) -> None:
        if self.around is not None and not 1.0 <= self.around <= 20.0:
            raise ValueError("around: must lie between 1 and 20 times the face")


@dataclass(frozen=True, slots=True)
class Crop:
    """A square in pixels of its picture; `left` or `top` are negative where it is padded.

    For face sets: `border` is the treatment where it crosses the picture's edge (empty: it does not), `face` the box in
    pixels it was cropped around.
    """

    left: int
    top: int
    side: int
    picture: Picture
    border: str = ""
    face: tuple[float, float, float, float] | None = None


def crops_of(picture: Picture, options: CropOptions) -> Iterator[Crop]:
    """Yield the crops of a picture in the order of its faces, equal squares once, numbered from 1 in key and stem.

    A face belongs to a crop if its central fifth lies within it. Face boxes and heights become relative to the crop.
    Tags that count people are removed if the crop shows fewer faces than the picture.
    """
    if not options.enabled or (picture.width == picture.height and options.around is None):
        return
    seen: set[tuple[int, int, int]] = set()
    for face in picture.faces:
        square = _square(picture, face, options)
        if square is None or square in seen:
            continue
        seen.add(square)
        yield Crop(*square, inside(picture, square, suffix=str(len(seen))))


def _square(picture: Picture, face: Face, options: CropOptions) -> tuple[int, int, int] | None:
    width, height = picture.width, picture.height
    face_width, face_height = (face.right - face.left) * width, (face.bottom - face.top) * height
    shorter, longer = min(width, height), max(width, height)
    if max(face_width, face_height) >= shorter:
        if not options.pad or width == height:
            return None
        return -((longer - width) // 2), -((longer - height) // 2), longer
    side = shorter if options.around is None else min(shorter, round(max(face_width, face_height) * options.around))
    middle = (face.left + face.right) / 2 * width
    left = round(middle - side / 2)
    top = round(face.top * height - face_height / 2)  # half a face of room for the hair
    return max(0, min(left, width - side)), max(0, min(top, height - side)), side


def inside(picture: Picture, square: tuple[int, int, int], *, suffix: str, only: Face | None = None) -> Picture:
    """Return the part of a picture in a square (left, top, side); `mark` is appended to key and name. `only`: its
    face."""
    side = square[2]
    size = (picture.width, picture.height)
    visible_faces = (only,) if only is not None else [face for face in picture.faces if _lies_in(face, *size, *square)]
    faces = tuple(_moved(face, *size, *square) for face in visible_faces)
    tags = list(zip(picture.tags, picture.scores or (1.0,) * len(picture.tags), strict=True))
    if len(faces) < len(picture.faces):
        tags = [(tag, score) for tag, score in tags if not _counts(tag)]
    return replace(
        picture,
        key=f"{picture.key}:crop{suffix}",
        stem=f"{picture.stem}_{suffix}",
        width=side,
        height=side,
        faces=faces,
        tags=tuple(tag for tag, _ in tags),
        scores=tuple(score for _, score in tags),
        labels=tuple(label for label in picture.labels if len(faces) == len(picture.faces) or not _counts(label.tag)),
        origin=replace(picture.origin, original_size=size),
        caption=None,  # a person wrote it for the complete picture
        prose="",  # and so did a model or a file
        proses=(),
        sentences=(),
        characters=(),  # characters without a face may be anywhere in the picture
        cropped=True,
    )


def _counts(tag: str) -> bool:
    return _COUNT_TAG.fullmatch(tag) is not None


def _lies_in(face: Face, width: int, height: int, left: int, top: int, side: int) -> bool:
    x, y = (face.left + face.right) / 2 * width, (face.top + face.bottom) / 2 * height
    reach_x, reach_y = 0.1 * (face.right - face.left) * width, 0.1 * (face.bottom - face.top) * height
    return left <= x - reach_x and x + reach_x <= left + side and top <= y - reach_y and y + reach_y <= top + side


def _moved(face: Face, width: int, height: int, left: int, top: int, side: int) -> Face:
    return replace(
        face,
        left=_share(face.left * width - left, side),
        right=_share(face.right * width - left, side),
        top=_share(face.top * height - top, side),
        bottom=_share(face.bottom * height - top, side),
    )


def _share(pixels: float, side: int) -> float:
    return min(1.0, max(0.0, pixels / side))
