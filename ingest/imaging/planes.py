"""Converts decoded frames to small luma and chroma planes for the gate and to full RGB pictures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from ingest.imaging import hdr

U8 = NDArray[np.uint8]
Plane = NDArray[Any]  # uint8, or uint16 for more than 8 bits

GATE_WIDTH = 640  # pixels, at most
THUMB_WIDTH = 320
# Planar formats that are read without a copy, with the number of bits above 8.
_PLANAR = {
    f"{prefix}{shape}p{suffix}": shift
    for prefix, suffix, shift in (("yuv", "", 0), ("yuvj", "", 0), ("yuv", "10le", 2), ("yuv", "12le", 4))
    for shape in ("420", "422", "444")
}
_FULL = int(ColorRange.JPEG)


class Box(NamedTuple):
    """A part of a frame in coded pixels, all even: columns left..right, rows top..bottom (exclusive)."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Thumbs:
    """Area-reduced planes: `gate` is luma of at most 640 columns; `luma` and the chroma planes have at most 320."""

    gate: U8
    luma: U8
    u: U8
    v: U8


def _plane(frame: VideoFrame, index: int, shift: int) -> Plane:
    plane = frame.planes[index]
    kind = np.dtype(np.uint16 if shift else np.uint8)
    rows: Plane = np.frombuffer(memoryview(plane), dtype=kind).reshape(-1, plane.line_size // kind.itemsize)
    return rows[: plane.height, : plane.width]


def _halve(picture: Plane, width_max: int) -> Plane:
    """Halve by means of 2x2 until at most `width_max` wide: fast, and thin lines do not vanish by aliasing."""
    while picture.shape[1] > width_max and picture.shape[0] >= 4:
        height, width = picture.shape[0] & ~1, picture.shape[1] & ~1
        picture = cv2.resize(picture[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return picture


def _eight_bit(picture: Plane, shift: int) -> U8:
    if not shift:
        return np.ascontiguousarray(picture, dtype=np.uint8)
    return np.asarray(cv2.convertScaleAbs(picture, alpha=1.0 / (1 << shift)), dtype=np.uint8)


def eight_bit_planes(frame: VideoFrame) -> list[U8]:
    """Luma and both chroma planes of a frame at their own sizes: three of uint8[h, w]."""
    shift = _PLANAR.get(frame.format.name)
    if shift is None:
        frame, shift = frame.reformat(format="yuv420p"), 0
    return [_eight_bit(_plane(frame, index, shift), shift) for index in range(3)]


def luma_plane(frame: VideoFrame) -> U8:
    """Luma at full size: uint8[h, w]."""
    return eight_bit_planes(frame)[0]


def full_luma(frame: VideoFrame, colour_space: ColourSpace, box: Box | None = None) -> tuple[Plane, float]:
    """Luma [h, w] at its own size and depth (a view), and the size of its steps in levels of 16..235."""
    frame, shift = _planar(frame, colour_space)
    plane = _plane(frame, 0, shift)
    level = (219 / 255 if colour_space.full_range else 1.0) / (1 << shift)
    return (plane if box is None else plane[box.top : box.bottom, box.left : box.right]), level


def thumbs(frame: VideoFrame, colour_space: ColourSpace, box: Box | None = None) -> Thumbs:
    """The small planes of a frame in its own range of levels, not turned; HDR is tone-mapped."""
    frame, shift = _planar(frame, colour_space)
    y, u, v = (_plane(frame, index, shift) for index in range(3))
    if box is not None:
        y_rows, y_columns = y.shape
        y = y[box.top : box.bottom, box.left : box.right]
        down, across = y_rows // u.shape[0], y_columns // u.shape[1]
        part = slice(box.top // down, box.bottom // down), slice(box.left // across, box.right // across)
        u, v = u[part], v[part]
    gate = _halve(y, GATE_WIDTH)
    if colour_space.transfer:
        return _mapped_thumbs(gate, u, v, shift, colour_space)
    return Thumbs(
        gate=_eight_bit(gate, shift),
        luma=_eight_bit(_halve(gate, THUMB_WIDTH), shift),
        u=_eight_bit(_halve(u, THUMB_WIDTH), shift),
        v=_eight_bit(_halve(v, THUMB_WIDTH), shift),
    )


def _mapped_thumbs(gate: Plane, u: Plane, v: Plane, shift: int, colour_space: ColourSpace) -> Thumbs:
    """Thumbs of HDR: `gate` by a table for greys, the small planes by the full conversion, since their colours
    count."""
    luma = _halve(gate, THUMB_WIDTH)
    size = luma.shape[1], luma.shape[0]
    u, v = (cv2.resize(_halve(plane, THUMB_WIDTH), size, interpolation=cv2.INTER_LINEAR) for plane in (u, v))
    picture = _tone_mapped(luma, u, v, shift, colour_space).astype(np.float32)
    planes = cv2.transform(picture, np.array(_from_rgb_matrix(full_range=colour_space.full_range)))
    y8, u8, v8 = (np.clip(planes[:, :, n] + 0.5, 0, 255).astype(np.uint8) for n in range(3))
    table = hdr.luma_table(colour_space.transfer, full_range=colour_space.full_range)
    codes = gate.astype(np.uint16) << 2 if shift == 0 else gate >> (shift - 2)
    half = (size[0] // 2, size[1] // 2)
    u8, v8 = (np.asarray(cv2.resize(plane, half, interpolation=cv2.INTER_AREA), dtype=np.uint8) for plane in (u8, v8))
    return Thumbs(gate=table[np.minimum(codes, hdr.CODES - 1)], luma=y8, u=u8, v=v8)


@dataclass(frozen=True)
class ColourSpace:
    """How a film's levels become upright sRGB pictures; shared by all its frames and their small planes.

    `matrix` 3x4 maps 8 bit (Y, U, V, 1) to RGB of 0..255; `turns` are quarter turns. `transfer` is the HDR curve that
    is tone-mapped (`ingest/imaging/hdr.py`), with BT.2020 colours if `wide`; empty for standard range and for HDR that
    is left as coded.
    """

    matrix: tuple[tuple[float, ...], ...]
    turns: int
    pixel_aspect: Fraction
    full_range: bool
    transfer: str = ""
    wide: bool = False

    def for_thumbs(self) -> ColourSpace:
        """The colour space of the small planes, which have standard range."""
        if not self.transfer:
            return self
        matrix = tuple(tuple(float(x) for x in row) for row in _matrix(0.2126, 0.0722, full_range=self.full_range))
        return ColourSpace(matrix, self.turns, self.pixel_aspect, self.full_range)


def colour_space_of(frame: VideoFrame, pixel_aspect: Fraction = Fraction(1), *, tone_map: bool = True) -> ColourSpace:
    """The colour space that a frame's metadata state. Without `tone_map` HDR is left as coded."""
    matrix = tuple(tuple(float(x) for x in row) for row in _to_rgb_matrix(frame))
    transfer = hdr.transfer_of(frame) if tone_map else ""
    turns, full_range = round(frame.rotation / 90) % 4, is_full_range(frame)
    return ColourSpace(matrix, turns, pixel_aspect, full_range, transfer, bool(transfer) and hdr.is_wide(frame))


def is_full_range(frame: VideoFrame) -> bool:
    """Whether the frame's black is 0 instead of 16."""
    return int(frame.color_range) == _FULL or frame.format.name.startswith(("yuvj", "rgb", "bgr", "gbr"))


def _luma_weights(frame: VideoFrame) -> tuple[float, float]:
    """Shares of red and blue in luma by H.273 number; if unspecified, as players do, BT.601 below 577 rows."""
    colour_matrix = int(frame.colorspace)
    if colour_matrix in (9, 10):
        return 0.2627, 0.0593
    if colour_matrix == 7:
        return 0.212, 0.087
    if colour_matrix == 1 or (colour_matrix not in (4, 5, 6) and (frame.height > 576 or frame.width > 1024)):
        return 0.2126, 0.0722
    return 0.299, 0.114


def _to_rgb_matrix(frame: VideoFrame) -> NDArray[np.float64]:
    """3x4 matrix from 8 bit (Y, U, V, 1) to RGB of 0..255 (ITU-R BT.601/709/2020: Y = Kr R + Kg G + Kb B inverted)."""
    red, blue = _luma_weights(frame)
    return _matrix(red, blue, full_range=is_full_range(frame))


def _matrix(red: float, blue: float, *, full_range: bool) -> NDArray[np.float64]:
    green = 1.0 - red - blue
    colour = np.array(
        [
            [1.0, 0.0, 2 * (1 - red)],
            [1.0, -2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green],
            [1.0, 2 * (1 - blue), 0.0],
        ]
    )
    zero = np.array([0.0, 128.0, 128.0])
    if not full_range:
        colour = colour * np.array([255 / 219, 255 / 224, 255 / 224])
        zero[0] = 16.0
    return np.hstack([colour, -(colour @ zero)[:, None]])


def _from_rgb_matrix(*, full_range: bool) -> NDArray[np.float64]:
    """3x4 matrix from (R, G, B, 1) of 0..255 to 8 bit Y, U, V of BT.709."""
    to_rgb = _matrix(0.2126, 0.0722, full_range=full_range)
    inverse = np.linalg.inv(to_rgb[:, :3])
    return np.hstack([inverse, -(inverse @ to_rgb[:, 3:])])


def _tone_mapped(y: Plane, u: Plane, v: Plane, shift: int, colour_space: ColourSpace) -> U8:
    """Convert planes of equal size and 8 + `shift` bits to sRGB uint8[h, w, 3]."""
    levels = cv2.merge([y, u, v]).astype(np.float32)
    matrix = np.array(colour_space.matrix) / 255.0
    matrix[:, :3] /= 1 << shift
    signal = np.asarray(cv2.transform(levels, matrix), dtype=np.float32)
    return hdr.to_srgb(signal, colour_space.transfer, wide=colour_space.wide)


def _planar(frame: VideoFrame, colour_space: ColourSpace) -> tuple[VideoFrame, int]:
    """The frame in a format of `_PLANAR`, and its number of bits above 8."""
    shift = _PLANAR.get(frame.format.name)
    if shift is not None:
        return frame, shift
    if colour_space.transfer:  # 8 bits would cause banding
        return frame.reformat(format="yuv420p10le"), 2
    range_ = int(frame.color_range) or None
    return frame.reformat(format="yuv420p", src_color_range=range_, dst_color_range=range_), 0


def rgb(frame: VideoFrame, colour_space: ColourSpace, *, box: Box | None = None) -> U8:
    """The frame as uint8[h, w, 3] RGB (full range), cut to `box`, with square pixels, turned upright."""
    name = frame.format.name
    if name.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "pal")):
        return _upright(_cut(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8), box), colour_space)
    frame, shift = _planar(frame, colour_space)
    if colour_space.transfer:
        return _hdr_rgb(frame, shift, colour_space, box)
    y, u, v = (_eight_bit(_plane(frame, index, shift), shift) for index in range(3))
    return planes_rgb(y, u, v, colour_space, box=box)


def _hdr_rgb(frame: VideoFrame, shift: int, colour_space: ColourSpace, box: Box | None) -> U8:
    y, u, v = (_plane(frame, index, shift) for index in range(3))
    size = y.shape[1], y.shape[0]
    if u.shape != y.shape:
        u, v = (cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (u, v))
    rows = 256  # a 4K frame in floats would take 300 MB
    parts = [
        _tone_mapped(y[top : top + rows], u[top : top + rows], v[top : top + rows], shift, colour_space)
        for top in range(0, y.shape[0], rows)
    ]
    return _upright(_cut(np.concatenate(parts), box), colour_space)


def planes_rgb(y: U8, u: U8, v: U8, colour_space: ColourSpace, *, box: Box | None = None) -> U8:
    """As `rgb`, from planes uint8[h, w]; chroma may be smaller than luma."""
    # Chroma is enlarged smoothly: the quick conversion of the library repeats pixels and frays red edges.
    size = y.shape[1], y.shape[0]
    if u.shape != y.shape:
        u, v = (np.asarray(cv2.resize(c, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8) for c in (u, v))
    picture = np.asarray(cv2.transform(cv2.merge([y, u, v]), np.array(colour_space.matrix)), dtype=np.uint8)
    return _upright(_cut(picture, box), colour_space)


def _cut(picture: U8, box: Box | None) -> U8:
    return picture if box is None else picture[box.top : box.bottom, box.left : box.right]


def _upright(picture: U8, colour_space: ColourSpace) -> U8:
    if colour_space.pixel_aspect != 1:
        width = max(1, round(picture.shape[1] * colour_space.pixel_aspect))
        picture = np.asarray(cv2.resize(picture, (width, picture.shape[0]), interpolation=cv2.INTER_CUBIC))
    return np.ascontiguousarray(np.rot90(picture, colour_space.turns) if colour_space.turns else picture)


def shrink(picture: U8, side_max: int) -> U8:
    """Reduce a picture uint8[h, w, 3] to at most `side_max` pixels per side."""
    height, width = picture.shape[:2]
    scale = side_max / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    while picture.shape[1] >= 4 * size[0] and picture.shape[0] >= 4:
        picture = np.asarray(
            cv2.resize(picture[: height & ~1, : width & ~1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        )
        height, width = picture.shape[:2]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
