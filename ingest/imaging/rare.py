"""Reads pictures that Pillow cannot open or decodes wrongly: TIFF of other depths, BMP with masks, JPEG XL.

Each becomes an 8 bit Pillow picture with its profile and orientation. `check(width, height, bytes)` is called before
anything is decoded and raises for sizes beyond the limits.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.imaging.depth import to_bytes

if TYPE_CHECKING:
    from tifffile import TiffPage

Check = Callable[[int, int, int], None]

_ORIENTATION = 0x0112
_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JXL_HEADS = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}  # channels by TIFF's photometric: grey (0 is white), grey (0 is black), RGB, CMYK
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height by code in JPEG XL's header
_MASKED = 3  # BMP's compression "bitfields"


def is_jxl(data: bytes) -> bool:
    """Whether this is JPEG XL, bare or in its container."""
    return data.startswith(_JXL_HEADS)


def jxl_size(data: bytes) -> tuple[int, int]:
    """(width, height) from the header, before the orientation is applied. Raises ValueError."""
    bits = int.from_bytes(_codestream(data)[2:18], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    def side(small: int) -> int:
        return 8 * (take(5) + 1) if small else 1 + take((9, 13, 18, 30)[take(2)])

    small = take(1)
    height = side(small)
    ratio = take(3)
    if ratio == 0:
        return side(small), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height


def jxl_image(data: bytes, check: Check, notes: list[str]) -> Image.Image:
    """The first picture of a JPEG XL file. Raises ValueError and what the decoder raises (RuntimeError)."""
    import imagecodecs  # late, like tifffile below: rarely needed and slow to import

    width, height = jxl_size(data)
    check(width, height, width * height * 8)
    values = imagecodecs.jpegxl_decode(data, index=0, numthreads=1)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or not 1 <= values.shape[2] <= 4:
        raise ValueError(f"an array of shape {values.shape}")
    return _image(values, "JXL", notes)


def tiff_image(data: bytes, page: int, check: Check, notes: list[str]) -> Image.Image | None:
    """A page of a TIFF of more than 8 bits or separate planes; None for one that Pillow reads. Raises ValueError
    and errors of tifffile."""
    if not data.startswith(_TIFF_HEADS):
        return None
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tiff_page = file.pages[page]
        if not isinstance(tiff_page, tifffile.TiffPage):
            raise ValueError("its pages cannot be separated")
        photometric, samples = int(tiff_page.photometric), tiff_page.samplesperpixel
        separate = int(tiff_page.planarconfig) == 2 and samples > 1
        is_plain_bytes = tiff_page.bitspersample <= 8 and tiff_page.sampleformat == 1 and not separate
        if is_plain_bytes or photometric not in _COLOURS:
            return None
        check(tiff_page.imagewidth, tiff_page.imagelength, tiff_page.nbytes)
        if tiff_page.imagedepth != 1 or samples > 8:
            raise ValueError(f"{samples} channels, {tiff_page.imagedepth} layers")
        values = np.asarray(tiff_page.asarray(maxworkers=1))
        values = values.reshape(samples, *values.shape[-2:]).transpose(1, 2, 0) if separate else values.reshape(
            tiff_page.imagelength, tiff_page.imagewidth, samples
        )  # fmt: skip
        colours = _COLOURS[photometric]
        alpha = samples > colours and bool(tiff_page.extrasamples) and int(tiff_page.extrasamples[0]) in (1, 2)
        known = _known_bits(tiff_page)
        image = _image(
            values[..., : colours + alpha], "TIFF", notes, known, inverted=photometric == 0, ink=colours == 4
        )
        tags = tiff_page.tags
        if isinstance(profile := tags.valueof(34675), bytes):
            image.info["icc_profile"] = profile
        orientation = tags.valueof(_ORIENTATION, default=1)
        if orientation in range(2, 9):
            image.getexif()[_ORIENTATION] = int(orientation)
        return image


def bmp_image(data: bytes, check: Check) -> Image.Image | None:
    """A BMP of 16 or 32 bits with colour masks; None for any other. Raises ValueError."""
    if not data.startswith(b"BM"):
        return None
    offset, header = struct.unpack_from("<II", data, 10)
    if header < 40:
        return None
    width, signed_height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    height = abs(signed_height)
    if compression not in (_MASKED, 6) or bits not in (16, 32) or width < 1 or height < 1:
        return None
    check(width, height, width * height * 4)
    masks = struct.unpack_from("<4I" if header >= 56 or compression == 6 else "<3I", data, 54)
    stride = (width * bits // 8 + 3) // 4 * 4
    if len(data) < offset + stride * height:
        raise ValueError("the file is incomplete")
    rows = np.frombuffer(data, np.uint8, stride * height, offset).reshape(height, stride)[:, : width * bits // 8]
    numbers = np.ascontiguousarray(rows).view("<u2" if bits == 16 else "<u4").astype(np.uint32)
    channels = [_masked_channel(numbers, mask) for mask in masks if mask]
    if len(channels) not in (3, 4) or not all(masks[:3]):
        raise ValueError("a colour mask is missing")
    pixels = np.stack(channels, axis=2)
    image = Image.fromarray(np.ascontiguousarray(pixels if signed_height < 0 else pixels[::-1]))
    image.format = "BMP"
    return image


def _masked_channel(numbers: NDArray[np.uint32], mask: int) -> NDArray[np.uint8]:
    """The bits of a colour mask, scaled to 0..255."""
    shift = (mask & -mask).bit_length() - 1
    value_max = mask >> shift
    if value_max & (value_max + 1):
        raise ValueError("a colour mask has gaps")
    values = ((numbers & np.uint32(mask)) >> np.uint32(shift)).astype(np.float64)
    return np.rint(values * (255.0 / value_max)).astype(np.uint8)


def _known_bits(page: TiffPage) -> int:
    """Number of bits that the largest value (tag MaxSampleValue) uses; 0 if unknown."""
    value: Any = page.tags.valueof(281)
    top = value[0] if isinstance(value, tuple) and value else value
    return int(top).bit_length() if isinstance(top, int) and top > 0 and top & (top + 1) == 0 else 0


def _image(
    values: NDArray[Any], kind: str, notes: list[str], bits: int = 0, *, inverted: bool = False, ink: bool = False
) -> Image.Image:
    """Values [h, w, 1..5] as an 8 bit picture: grey or RGB, with or without alpha, or CMYK."""
    pixels = values if values.dtype == np.uint8 else to_bytes(values, notes, bits)
    if inverted:
        pixels = np.concatenate([255 - pixels[..., :1], pixels[..., 1:]], axis=2)
    channels = pixels.shape[2]
    if ink:
        image = Image.fromarray(np.ascontiguousarray(pixels[..., :4]), "CMYK")
    elif channels == 1:
        image = Image.fromarray(np.ascontiguousarray(pixels[..., 0]))
    else:
        image = Image.fromarray(np.ascontiguousarray(pixels), {2: "LA", 3: "RGB", 4: "RGBA"}[channels])
    image.format = kind
    return image


def _codestream(data: bytes) -> bytes:
    """The start of the coded picture within a JPEG XL file."""
    if data.startswith(_JXL_HEADS[0]):
        return data[:64]
    offset = 0
    while offset + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        body = offset + 8
        if size == 1 and offset + 16 <= len(data):
            size, body = struct.unpack_from(">Q", data, body)[0], offset + 16
        if kind in (b"jxlc", b"jxlp"):
            start = body + (4 if kind == b"jxlp" else 0)
            return data[start : start + 64]
        if size < 8:
            break
        offset += size
    raise ValueError("the JPEG XL container has no picture")
