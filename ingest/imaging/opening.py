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
_LOOKED_AT_MAX = 60  # pictures of a file among which the first that shows something is looked for
PIXELS_LOOKED_AT_MAX = 300_000_000  # the same in pixels decoded: a few seconds


def pages(data: bytes, check: Check, notes: list[str], *, partly: bool = False) -> Iterator[Image.Image]:
    """The pictures of a file in order, decoded; each is only good until the next is asked for.

    `check(width, height, bytes)` judges each before it is decoded. `partly`: of damaged ones what was decoded before
    the damage. Raises what Pillow and the others raise, UnidentifiedImageError for what is no picture.
    """
    if rare.is_jxl(data):
        yield rare.jxl_image(data, check, notes)
        return
    try:
        image = _opened(data)
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
                _load(image, partly=partly)
            yield image if deep is None else deep
            number += 1
            if not getattr(image, "is_animated", False):
                return
            try:
                image.seek(number)
            except EOFError:
                return


def first_that_shows(data: bytes, check: Check, notes: list[str], *, partly: bool = False) -> tuple[Image.Image, bool]:
    """The first picture of a file that is not of one colour, else its first; and whether the file holds several."""
    found = pages(data, check, notes, partly=partly)
    first = next(found)
    several = getattr(first, "is_animated", False) and first.format != "MPO"  # what an MPO shows is its first
    if not several:
        return first, False
    kept = first.copy()
    _carry(first, kept)
    if shows_something(first):
        notes.append("animated or of several pages: only the first picture is used")
        return kept, True
    each = max(1, first.width * first.height)
    more = min(_LOOKED_AT_MAX, PIXELS_LOOKED_AT_MAX // each - 1)
    with suppress(OSError, SyntaxError, ValueError, EOFError, struct.error):
        for number, image in enumerate(islice(found, max(0, more)), start=2):
            if shows_something(image):
                notes.append(f"animated or of several pages: picture {number} is used, those before show nothing")
                return image, True
    notes.append("animated or of several pages, none of which shows anything: the first is used")
    return kept, True


def shows_something(image: Image.Image) -> bool:
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
    seen: list[tuple[int, int]] = []

    def look(width: int, height: int, _: int) -> None:
        seen.append((width, height))
        raise _Seen

    try:
        with _opened(data) as image:
            return image.size
    except OSError:
        try:
            if rare.bmp_image(data, look) is None:
                next(_tiff_pages(data, look, []), None)
        except _Seen:
            return seen[0]
        raise


def wide_bytes(data: bytes) -> int:
    """Bytes of the numbers that the first page of a TIFF unpacks to where they are no plain bytes; else 0."""
    sizes: list[int] = []

    def look(_width: int, _height: int, size: int) -> None:
        sizes.append(size)
        raise _Seen

    try:
        rare.tiff_image(data, 0, look, [])
    except _Seen:
        return sizes[0]
    except Exception:  # noqa: BLE001 - whoever decodes it says what is wrong
        return 0
    return 0


def _opened(data: bytes) -> Image.Image:
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


class _Seen(Exception):
    """The size is known; nothing is to be decoded."""


def _tiff_pages(data: bytes, check: Check, notes: list[str]) -> Iterator[Image.Image]:
    """Of a TIFF that Pillow does not know: its first page, or nothing that is a picture."""
    image = rare.tiff_image(data, 0, check, notes)
    if image is None:
        raise UnidentifiedImageError
    yield image


def _load(image: Image.Image, *, partly: bool) -> None:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError, struct.error):
        if not partly or getattr(image, "_im", None) is None:
            raise
        image.tile = []  # type: ignore[attr-defined]  # what was decoded till then stays


def _carry(source: Image.Image, copy: Image.Image) -> None:
    """What the copy of a page must keep of the file."""
    copy.format = source.format
    copy.info = dict(source.info)
