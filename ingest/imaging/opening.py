"""Opens the pictures of a file one by one with the library that reads its format; the caller sets the limits."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import islice

import numpy as np
from PIL import Image, UnidentifiedImageError

from ingest.imaging import rare
from ingest.imaging.formats import KINDS
from ingest.imaging.rare import Check

# Pillow detects MPO in JPEG by itself and reads HEIF once that reader is imported; it does not read JPEG XL.
FORMATS = tuple(kind.name for kind in KINDS if kind.name not in ("MPO", "HEIF", "JXL"))
BLANK_RANGE = 12  # grey levels (of 255): a picture with a smaller range is blank
_SCANNED_IMAGES_MAX = 60  # pictures of a file that are searched for one that is not blank
SCANNED_PIXELS_MAX = 300_000_000  # the same in decoded pixels: a few seconds


def pages(data: bytes, check: Check, notes: list[str], *, allow_partial: bool = False) -> Iterator[Image.Image]:
    """Yield the decoded pictures of a file in order; each is valid until the next one is requested.

    `check(width, height, bytes)` is called before each is decoded and may raise. With `allow_partial` a damaged picture
    contains what was decoded before the damage. Raises the errors of Pillow and the other readers, and
    UnidentifiedImageError for a file that is not a picture.
    """
    if rare.is_jxl(data):
        yield rare.jxl_image(data, check, notes)
        return
    try:
        image = _open_image(data)
    except UnidentifiedImageError:
        yield from _tiff_pages(data, check, notes)
        return
    except OSError:
        if (masked := rare.bmp_image(data, check)) is None:
            raise
        yield masked
        return
    with image:
        number = 0
        while True:
            check(*image.size, image.size[0] * image.size[1] * 4)
            deep = rare.tiff_image(data, number, check, notes) if image.format == "TIFF" else None
            if deep is None:
                _load(image, allow_partial=allow_partial)
            yield image if deep is None else deep
            number += 1
            if not getattr(image, "is_animated", False):
                return
            try:
                image.seek(number)
            except EOFError:
                return


def first_non_blank(
    data: bytes, check: Check, notes: list[str], *, allow_partial: bool = False
) -> tuple[Image.Image, bool]:
    """The first picture of a file that is not blank, else its first; and whether the file contains several."""
    images = pages(data, check, notes, allow_partial=allow_partial)
    first = next(images)
    is_multi_picture = getattr(first, "is_animated", False) and first.format != "MPO"  # an MPO shows its first picture
    if not is_multi_picture:
        return first, False
    first_copy = first.copy()
    _copy_metadata(first, first_copy)
    if is_non_blank(first):
        notes.append("animated or multi-page: only the first picture is used")
        return first_copy, True
    pixels_per_image = max(1, first.width * first.height)
    further_max = min(_SCANNED_IMAGES_MAX, SCANNED_PIXELS_MAX // pixels_per_image - 1)
    with suppress(OSError, SyntaxError, ValueError, EOFError, struct.error):
        for number, image in enumerate(islice(images, max(0, further_max)), start=2):
            if is_non_blank(image):
                notes.append(f"animated or multi-page: picture {number} is used; those before it are blank")
                return image, True
    notes.append("animated or multi-page, all pictures are blank: the first is used")
    return first_copy, True


def is_non_blank(image: Image.Image) -> bool:
    """Whether a picture has more than one colour and is not fully transparent."""
    small = image.copy()
    small.thumbnail((256, 256))
    if small.has_transparency_data:
        small = small.convert("RGBA")
        alpha = np.asarray(small.getchannel("A"))
        if not alpha.any():
            return False
        if int(alpha.max()) - int(alpha.min()) > BLANK_RANGE:
            return True
    if small.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(small, np.float64))
        return bool(values.max() - values.min() > BLANK_RANGE / 255 * max(abs(values.max()), 1e-9))
    low_high = small.convert("RGB").getextrema()
    return any(int(high) - int(low) > BLANK_RANGE for low, high in low_high)  # type: ignore[misc]


def size_of(data: bytes) -> tuple[int, int]:
    """(width, height) of the first picture from its header. Raises as `pages` does."""
    if rare.is_jxl(data):
        return rare.jxl_size(data)
    sizes: list[tuple[int, int]] = []

    def record_size(width: int, height: int, _: int) -> None:
        sizes.append((width, height))
        raise _SizeKnown

    try:
        with _open_image(data) as image:
            return image.size
    except OSError:
        try:
            if rare.bmp_image(data, record_size) is None:
                next(_tiff_pages(data, record_size, []), None)
        except _SizeKnown:
            return sizes[0]
        raise


def high_bit_depth_bytes(data: bytes) -> int:
    """Decoded size in bytes of the first page of a TIFF with more than 8 bits per channel; otherwise 0."""
    sizes: list[int] = []

    def record_size(_width: int, _height: int, size: int) -> None:
        sizes.append(size)
        raise _SizeKnown

    try:
        rare.tiff_image(data, 0, record_size, [])
    except _SizeKnown:
        return sizes[0]
    except Exception:  # noqa: BLE001 - decoding reports the problem
        return 0
    return 0


def _open_image(data: bytes) -> Image.Image:
    if data[4:8] != b"ftyp":
        return Image.open(io.BytesIO(data), formats=FORMATS)
    return Image.open(io.BytesIO(data), formats=(*FORMATS, _heif()))


@cache
def _heif() -> str:
    """Pillow's name of HEIC, after registering its reader, which is imported late for a fast start."""
    import pi_heif

    pi_heif.options.DECODE_THREADS = 1
    pi_heif.register_heif_opener(thumbnails=False)
    return "HEIF"


class _SizeKnown(Exception):
    """Ends decoding when the size is known."""


def _tiff_pages(data: bytes, check: Check, notes: list[str]) -> Iterator[Image.Image]:
    """Yield the first page of a TIFF that Pillow cannot open. Raises UnidentifiedImageError."""
    image = rare.tiff_image(data, 0, check, notes)
    if image is None:
        raise UnidentifiedImageError
    yield image


def _load(image: Image.Image, *, allow_partial: bool) -> None:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError, struct.error):
        if not allow_partial or getattr(image, "_im", None) is None:
            raise
        image.tile = []  # type: ignore[attr-defined]  # keep what was decoded so far


def _copy_metadata(source: Image.Image, copy: Image.Image) -> None:
    """Copy format and metadata, which `Image.copy` loses."""
    copy.format = source.format
    copy.info = dict(source.info)
