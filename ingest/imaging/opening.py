"""Opens the pictures of a file one after the other, whichever library reads its kind; its caller sets the limits."""

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

# Pillow sees by itself that a JPEG is an MPO; HEIF it knows once its reader is imported; JPEG XL is no concern of it.
FORMATS = tuple(kind.name for kind in KINDS if kind.name not in ("MPO", "HEIF", "JXL"))
BLANK_RANGE = 12  # grey levels of 255: a picture of fewer shows nothing
_SCANNED_IMAGES_MAX = 60  # pictures of a file among which the first that shows something is looked for
SCANNED_PIXELS_MAX = 300_000_000  # the same in pixels decoded: a few seconds


def pages(data: bytes, check: Check, notes: list[str], *, allow_partial: bool = False) -> Iterator[Image.Image]:
    """The pictures of a file in order, decoded; each is only good until the next is asked for.

    `check(width, height, bytes)` judges each before it is decoded. `partly`: of damaged ones what was decoded before
    the damage. Raises what Pillow and the others raise, UnidentifiedImageError for what is no picture.
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
    """The first picture of a file that is not of one colour, else its first; and whether the file holds several."""
    images = pages(data, check, notes, allow_partial=allow_partial)
    first = next(images)
    is_multi_picture = getattr(first, "is_animated", False) and first.format != "MPO"  # what an MPO shows is its first
    if not is_multi_picture:
        return first, False
    first_copy = first.copy()
    _copy_metadata(first, first_copy)
    if is_non_blank(first):
        notes.append("animated or of several pages: only the first picture is used")
        return first_copy, True
    pixels_per_image = max(1, first.width * first.height)
    further_max = min(_SCANNED_IMAGES_MAX, SCANNED_PIXELS_MAX // pixels_per_image - 1)
    with suppress(OSError, SyntaxError, ValueError, EOFError, struct.error):
        for number, image in enumerate(islice(images, max(0, further_max)), start=2):
            if is_non_blank(image):
                notes.append(f"animated or of several pages: picture {number} is used, those before show nothing")
                return image, True
    notes.append("animated or of several pages, none of which shows anything: the first is used")
    return first_copy, True


def is_non_blank(image: Image.Image) -> bool:
    """Whether a picture is more than one colour, or nothing at all."""
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
    """(width, height) of the first picture by its header. Raises as `pages`."""
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
    """Bytes of the numbers that the first page of a TIFF unpacks to where they are no plain bytes; else 0."""
    sizes: list[int] = []

    def record_size(_width: int, _height: int, size: int) -> None:
        sizes.append(size)
        raise _SizeKnown

    try:
        rare.tiff_image(data, 0, record_size, [])
    except _SizeKnown:
        return sizes[0]
    except Exception:  # noqa: BLE001 - whoever decodes it says what is wrong
        return 0
    return 0


def _open_image(data: bytes) -> Image.Image:
    if data[4:8] != b"ftyp":
        return Image.open(io.BytesIO(data), formats=FORMATS)
    return Image.open(io.BytesIO(data), formats=(*FORMATS, _heif()))


@cache
def _heif() -> str:
    """The name of HEIC for Pillow, with its reader. Imported late: processes that only read pictures begin at once."""
    import pi_heif

    pi_heif.options.DECODE_THREADS = 1
    pi_heif.register_heif_opener(thumbnails=False)
    return "HEIF"


class _SizeKnown(Exception):
    """The size is known; nothing is to be decoded."""


def _tiff_pages(data: bytes, check: Check, notes: list[str]) -> Iterator[Image.Image]:
    """Of a TIFF that Pillow does not know: its first page, or nothing that is a picture."""
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
        image.tile = []  # type: ignore[attr-defined]  # what was decoded till then stays


def _copy_metadata(source: Image.Image, copy: Image.Image) -> None:
    """What the copy of a page must keep of the file."""
    copy.format = source.format
    copy.info = dict(source.info)
