"""Reads a picture file into everything that a row needs: original, working copy, preview, descriptor, measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.descriptors import describe
from ingest.algorithms.quality import Measures, measure
from ingest.imaging.decode import Picture, pixel_count, read_every_picture, read_file, read_picture
from ingest.imaging.encode import PREVIEW_SIDE, PictureFormat, encode, encode_preview, placeholder
from ingest.imaging.formats import BY_NAME
from ingest.imaging.opening import high_bit_depth_bytes
from ingest.imaging.planes import shrink
from ingest.imaging.room import room_for

U8 = NDArray[np.uint8]
Use = Literal["plain", "rendered", "damaged", "part"]

GATE_WIDTH = 640  # as for films
LUMA_WIDTH = 320
FALLBACK = PictureFormat("png")  # for pictures too large for the chosen format (webp: 16,383 pixels per side)
# Models and pages get a smaller copy of larger pictures.
LARGE_PIXELS = 25_000_000
PAGE_BYTES_MAX = 32 * 2**20  # larger files are too slow for pages


@dataclass(slots=True)
class Still:
    """A picture as it is stored: bytes of `original`, `full` and `preview` with the suffixes of the first two.

    `full` is the working copy for pages and models, empty if the original serves. `use` says what the original shows:
    exactly this picture in any program ("plain") or only in Koma ("rendered"), a damaged part of it ("damaged"), or
    several pictures, of which this is number `page` ("part"). `width` and `height` in pixels; `descriptor` uint8[D];
    `background` is a grey level.
    """

    original: bytes
    original_suffix: str
    use: Use
    page: int | None
    full: bytes
    suffix: str
    preview: bytes
    placeholder: str
    width: int
    height: int
    descriptor: U8
    measures: Measures
    background: int | None
    notes: tuple[str, ...]


def read_still(source: Path | bytes, *, name: str, picture_format: PictureFormat, use_damaged: bool = False) -> Still:
    """Read one picture; `picture_format` is that of the working copy. Raises UnreadablePicture."""
    return next(read_stills(source, name=name, picture_format=picture_format, use_damaged=use_damaged))


def read_stills(
    source: Path | bytes, *, name: str, picture_format: PictureFormat, use_damaged: bool = False, pictures_max: int = 0
) -> Iterator[Still]:
    """As `read_still`; with `pictures_max` above 0, yield up to that many pictures of an animation or multi-page file.

    Raises UnreadablePicture after the readable ones.
    """
    data = source if isinstance(source, bytes) else read_file(source, name=name)
    with room_for(pixel_count(data), more_bytes=high_bit_depth_bytes(data)):
        if pictures_max:
            for picture in read_every_picture(data, name=name, pictures_max=pictures_max):
                yield _build_still(picture, data, picture_format)
        else:
            yield _build_still(read_picture(data, name=name, use_damaged=use_damaged), data, picture_format)


def _build_still(picture: Picture, data: bytes, picture_format: PictureFormat) -> Still:
    rgb, kind = picture.rgb, BY_NAME[picture.format]
    full, suffix = b"", ""
    use: Use = "plain" if picture.reads_as_is else "rendered"
    if picture.damaged or picture.page is not None:
        # Exports use this copy instead of the original, so it must be lossless.
        use, (full, suffix) = "damaged" if picture.damaged else "part", (encode(rgb, FALLBACK), FALLBACK.suffix)
    elif not (picture.reads_as_is and kind.is_universal and _is_handy(picture, data)):
        full, suffix = _working_copy(rgb, picture_format)
    luma, u, v = planes(rgb)
    preview = shrink(rgb, PREVIEW_SIDE)
    return Still(
        original=data,
        original_suffix=kind.endings[0],
        use=use,
        page=picture.page,
        full=full,
        suffix=suffix,
        preview=encode_preview(preview),
        placeholder=placeholder(preview),
        width=picture.width,
        height=picture.height,
        descriptor=_describe_planes(luma, u, v),
        measures=_measure_planes(rgb, luma),
        background=picture.background,
        notes=picture.notes,
    )


def _is_handy(picture: Picture, data: bytes) -> bool:
    return picture.width * picture.height <= LARGE_PIXELS and len(data) <= PAGE_BYTES_MAX


def _working_copy(rgb: U8, picture_format: PictureFormat) -> tuple[bytes, str]:
    """Bytes and suffix of a copy of at most LARGE_PIXELS."""
    height, width = rgb.shape[:2]
    if width * height > LARGE_PIXELS:
        scale = (LARGE_PIXELS / (width * height)) ** 0.5
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    try:
        return encode(rgb, picture_format), picture_format.suffix
    except ValueError:
        return encode(rgb, FALLBACK), FALLBACK.suffix


def descriptor_of(rgb: U8) -> U8:
    """The descriptor uint8[D] of a picture uint8[h, w, 3] RGB, as stored in its row."""
    return _describe_planes(*planes(rgb))


def measures_of(rgb: U8) -> Measures:
    """The measures of a picture uint8[h, w, 3] RGB, as stored in its row."""
    return _measure_planes(rgb, planes(rgb)[0])


def _measure_planes(rgb: U8, luma: U8) -> Measures:
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    return measure(grey, luma, level=219 / 255)


def _describe_planes(luma: U8, u: U8, v: U8) -> U8:
    narrow = min(LUMA_WIDTH, luma.shape[1])
    thumb = (narrow, max(1, round(luma.shape[0] * narrow / luma.shape[1])))
    return describe(np.asarray(cv2.resize(luma, thumb, interpolation=cv2.INTER_AREA), np.uint8), u, v)


def planes(rgb: U8) -> tuple[U8, U8, U8]:
    """Luma (16..235, at most 640 wide) and chroma planes of half its size, uint8[h, w], as of a film's frame."""
    height, width = rgb.shape[:2]
    scale = min(1.0, GATE_WIDTH / width)
    across, down = max(2, round(width * scale) & ~1), max(2, round(height * scale) & ~1)
    shrunk = cv2.resize(rgb, (across, down), interpolation=cv2.INTER_AREA)
    packed = np.asarray(cv2.cvtColor(shrunk, cv2.COLOR_RGB2YUV_I420), np.uint8)
    luma = packed[:down]
    quarter = across * down // 4
    colours = packed[down:].reshape(-1)
    u = colours[:quarter].reshape(down // 2, across // 2)
    v = colours[quarter : 2 * quarter].reshape(down // 2, across // 2)
    return np.ascontiguousarray(luma), np.ascontiguousarray(u), np.ascontiguousarray(v)
