"""Opens pictures from outside safely: known formats only, limits before decoding, upright, sRGB, 8 bit, no alpha.

Nothing of the file but its pixels comes out: no GPS position, no text, no profile.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from ingest.imaging.alpha import flatten
from ingest.imaging.depth import eight_bit
from ingest.imaging.early_end import ends_early, share_at_most
from ingest.imaging.foreign import foreign_kind
from ingest.imaging.formats import SPOKEN
from ingest.imaging.names import plain_text
from ingest.imaging.opening import PIXELS_LOOKED_AT_MAX, first_that_shows, pages, shows_something, size_of, wide_bytes
from ingest.imaging.pixels import alpha_of, channels
from ingest.imaging.rare import Check
from ingest.imaging.repair import READABLE_MIN, has_head, mended, readable_rows, repaired, significant_bits
from ingest.imaging.room import room_for

PIXELS_MAX = 100_000_000  # about 1.2 GB while converting (ingest.imaging.room)
BYTES_MAX = 512 * 2**20
SIDE_MAX = 30_000
PIXEL_BYTES_MAX = 12  # of what a decoder unpacks, a pixel at the limit: colours of floating point
# Pillow raises above twice this and warns above it; ours is the stricter check, this one guards what we forget.
Image.MAX_IMAGE_PIXELS = PIXELS_MAX

_ORIENTATION = 0x0112
_PLAIN_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA"})  # that every reader turns to the same RGB
_SRGB = ImageCms.createProfile("sRGB")
# What Pillow's readers raise on broken files; MemoryError: a header that lies about its size.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError),
    *(struct.error, zlib.error, MemoryError, ZeroDivisionError, NotImplementedError, AssertionError, RuntimeError),
)


class UnreadablePicture(Exception):
    """A picture that cannot be used; the text says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before a pixel is decoded."""

    pixels_max: int = PIXELS_MAX
    bytes_max: int = BYTES_MAX
    side_max: int = SIDE_MAX


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture and what was done to it on the way."""

    rgb: NDArray[np.uint8]  # [h, w, 3], sRGB
    format: str  # Pillow's name: PNG, JPEG...
    mode: str  # of the file: RGBA, CMYK, I;16...
    background: int | None = None  # grey level put behind transparent parts
    turned: bool = False
    notes: tuple[str, ...] = field(default=())  # texts for the user: first of several pictures, profile ignored...
    # Any reader of the file gets these very pixels: one upright, opaque picture of 8 bits in sRGB.
    plain: bool = False
    damaged: bool = False  # only a part of it could be read
    page: int | None = None  # which of the file's pictures, from 1, where each is read

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])


def read_picture(
    source: Path | bytes, *, name: str, limits: Limits | None = None, use_damaged: bool = False
) -> Picture:
    """Decode a file or its bytes; `name` is what the user knows it by. Raises UnreadablePicture.

    Of several pictures it is the first that shows something. `use_damaged`: of a damaged picture what can be read, if
    that is enough.
    """
    limits, shown = limits or Limits(), plain_text(name)
    data = source if isinstance(source, bytes) else read_file(source, name=name, limits=limits)
    _refuse_foreign(data, shown, limits)
    pixels = pixel_count(data)
    if (share := share_at_most(data, pixels)) < READABLE_MIN:
        raise UnreadablePicture(
            f"{shown}: the picture is mostly missing: {len(data):,} bytes cannot hold more than {share:.0%} of what "
            "its header says. Copy it again from where it came."
        )
    with room_for(pixels, more_bytes=wide_bytes(data)):
        return _by_all_means(data, shown, limits, use_damaged=use_damaged)


def read_every_picture(
    source: Path | bytes, *, name: str, most: int, limits: Limits | None = None
) -> Iterator[Picture]:
    """As `read_picture`, each picture of an animation or of a file with several pages that shows something, `most` of
    them at the most. One alone if there is but one. Raises UnreadablePicture where one cannot be read, after those
    before it.
    """
    limits, shown = limits or Limits(), plain_text(name)
    data = source if isinstance(source, bytes) else read_file(source, name=name, limits=limits)
    _refuse_foreign(data, shown, limits)
    given = number = blank = 0
    with room_for(pixel_count(data), more_bytes=wide_bytes(data)), _in_words(shown, limits):
        notes: list[str] = []
        for image in pages(data, _judge(shown, limits), notes):
            number += 1
            several = getattr(image, "is_animated", False)
            if several and not shows_something(image):
                blank += image.width * image.height
                if blank > PIXELS_LOOKED_AT_MAX:
                    raise UnreadablePicture(
                        f"{shown}: of its pictures those up to number {number} show nothing and are very large; those "
                        "after them were left out. Save the pictures that you need as files of their own."
                    )
                continue
            blank = 0
            given += 1
            if given > most:
                raise UnreadablePicture(f"{shown}: it holds more than {most} pictures; those after them were left out.")
            yield replace(_convert(image, shown, notes, data, several=several), page=number if several else None)
            notes = []
    if not given:
        raise UnreadablePicture(f"{shown}: none of its {number} pictures shows anything. Take it out.")


def check_picture(path: Path, *, name: str, limits: Limits | None = None) -> None:
    """Judge a file by its head alone: a known format, within the limits. Raises UnreadablePicture as `read_picture`."""
    limits, shown = limits or Limits(), plain_text(name)
    data = read_file(path, name=name, limits=limits)
    _refuse_foreign(data, shown, limits)
    with _in_words(shown, limits):
        try:
            width, height = size_of(data)
        except _BROKEN:
            width, height = size_of(repaired(data)[0])
        _judge(shown, limits)(width, height, 0)


def pixel_count(source: Path | bytes) -> int:
    """Width times height by the header; 0 for what is no picture."""
    try:
        width, height = size_of(source if isinstance(source, bytes) else source.read_bytes())
    except (Image.DecompressionBombError, *_BROKEN):
        return 0
    return width * height


def _by_all_means(data: bytes, shown: str, limits: Limits, *, use_damaged: bool) -> Picture:
    """As it is; else without what is no pixel; else, if asked for, as much of it as can be decoded."""
    with _in_words(shown, limits):
        try:
            notes: list[str] = []
            image, several = first_that_shows(data, _judge(shown, limits), notes)
            return _whole(_convert(image, shown, notes, data, several=several), data)
        except _BROKEN as error:
            broken: Exception = error
        clean, notes = repaired(data)
        if clean is not data:
            try:
                image, several = first_that_shows(clean, _judge(shown, limits), notes)
                return replace(_whole(_convert(image, shown, notes, clean, several=several), clean), plain=False)
            except _BROKEN as error:
                broken = error
        if not use_damaged:
            raise (
                OSError("its header is damaged")
                if has_head(clean) and isinstance(broken, UnidentifiedImageError)
                else broken
            )
        mending: list[str] = []
        image, several = first_that_shows(mended(clean), _judge(shown, limits), mending, partly=True)
        return _readable(_convert(image, shown, notes + mending, clean, several=several), shown)


def _whole(picture: Picture, data: bytes) -> Picture:
    """The picture. Raises OSError where its decoder made up a part of it."""
    if ends_early(data, picture.rgb):
        raise OSError("its data end too early, a part of the picture is missing")
    return picture


def _readable(picture: Picture, shown: str) -> Picture:
    """The rows of a damaged picture that hold something. Raises UnreadablePicture for too few."""
    rows = readable_rows(picture.rgb, blocks=16 if picture.format in ("JPEG", "MPO") else 1)
    if rows < READABLE_MIN * picture.height:
        raise UnreadablePicture(
            f"{shown}: the picture is damaged, and only {rows} of its {picture.height} rows can be read. "
            "Copy it again from where it came."
        )
    lost = f", and {picture.height - rows} of its {picture.height} rows were left out" if rows < picture.height else ""
    notes = (*picture.notes, f"damaged: used as far as it can be read{lost}")
    rgb = np.ascontiguousarray(picture.rgb[:rows])
    return replace(picture, rgb=rgb, notes=notes, plain=False, damaged=True)


@contextmanager
def _in_words(shown: str, limits: Limits) -> Iterator[None]:
    """Whatever a decoder raises becomes UnreadablePicture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError:
        raise UnreadablePicture(_too_large(shown, limits)) from None
    except UnidentifiedImageError:
        raise UnreadablePicture(_unknown(shown)) from None
    except _BROKEN as error:
        why = plain_text(str(error) or type(error).__name__, bytes_max=120)
        raise UnreadablePicture(
            f"{shown}: the picture is damaged or cut off ({why}). Copy it again from where it came, or choose “Use "
            "damaged pictures” in the settings of a run."
        ) from error


def read_file(path: Path, *, name: str, limits: Limits | None = None) -> bytes:
    """Bytes of a regular file; a pipe or device is refused and never waited for. Raises UnreadablePicture."""
    limits, shown = limits or Limits(), plain_text(name)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadablePicture(f"{shown}: the file cannot be opened ({os.strerror(error.errno or 0)}).") from error
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise UnreadablePicture(f"{shown}: this is no regular file.")
        if facts.st_size > limits.bytes_max:
            raise UnreadablePicture(_too_heavy(shown, limits))
        try:
            return file.read(limits.bytes_max + 1)
        except OSError as error:
            raise UnreadablePicture(f"{shown}: the file cannot be read ({os.strerror(error.errno or 0)}).") from error


def _unknown(shown: str) -> str:
    return f"{shown}: this is no picture in a format that Koma reads ({SPOKEN}). Convert it, or take it out."


def _too_heavy(shown: str, limits: Limits) -> str:
    return f"{shown}: the file is larger than the limit of {limits.bytes_max:,} bytes. Make it smaller."


def _refuse_foreign(data: bytes, shown: str, limits: Limits) -> None:
    if not data:
        raise UnreadablePicture(f"{shown}: the file is empty. Copy it again from where it came.")
    if len(data) > limits.bytes_max:
        raise UnreadablePicture(_too_heavy(shown, limits))
    if (what := foreign_kind(data)) is not None:
        raise UnreadablePicture(
            f"{shown}: this is {what}, whatever its name says. Export it as png or jpg, or take it out."
        )


def _judge(shown: str, limits: Limits) -> Check:
    """Refuses sizes by the header alone; no pixel was decoded yet."""

    def check(width: int, height: int, size: int) -> None:
        if width < 1 or height < 1:
            raise UnreadablePicture(f"{shown}: the picture has no pixels.")
        if max(width, height) > limits.side_max or width * height > limits.pixels_max:
            raise UnreadablePicture(f"{_too_large(shown, limits)} It has {width:,} x {height:,}.")
        if size > limits.pixels_max * PIXEL_BYTES_MAX:
            raise UnreadablePicture(f"{shown}: unpacked the picture would have {size:,} bytes. Scale it down first.")

    return check


def _too_large(shown: str, limits: Limits) -> str:
    return (
        f"{shown}: the picture is too large; the limits are {limits.pixels_max // 1_000_000} million pixels and "
        f"{limits.side_max:,} a side. Scale it down first."
    )


def _convert(image: Image.Image, shown: str, notes: list[str], data: bytes, *, several: bool) -> Picture:
    format_name, mode = image.format or "?", image.mode
    profile = image.info.get("icc_profile")
    orientation = _orientation(image, notes)  # only now: Pillow turns a TIFF itself, and a PNG may hold it at its end
    deep = image.mode.startswith(("I", "F")) or any("8 bits" in note for note in notes)
    flat = eight_bit(image, notes, significant_bits(data) or _known_bits(image))
    if flat.has_transparency_data:
        flat = flat if flat.mode == "RGBA" else flat.convert("RGBA")
    elif flat.mode not in ("RGB", "CMYK", "L", "LAB"):
        flat = flat.convert("RGB")
    flat, converted = _to_srgb(flat, profile, notes)
    background = None
    if flat.mode == "RGBA":
        alpha = alpha_of(flat)
        if not alpha.any():
            raise UnreadablePicture(f"{shown}: the picture is wholly transparent. Take it out.")
        rgb = channels(flat, 3)
        background = flatten(rgb, alpha)
    else:
        # To convert what is RGB already would copy it.
        rgb = channels(flat if flat.mode == "RGB" else flat.convert("RGB"), 3)
    turned = np.ascontiguousarray(_turn(rgb, orientation))
    plain = mode in _PLAIN_MODES and not (deep or several or converted or orientation != 1 or background is not None)
    return Picture(turned, format_name, mode, background, orientation != 1, tuple(notes), plain)


def _orientation(image: Image.Image, notes: list[str]) -> int:
    """EXIF's orientation 1..8; 1 for absent or damaged EXIF. The rest of the EXIF (GPS, texts) is never looked at."""
    try:
        value: Any = image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        notes.append("its EXIF data are damaged and were ignored")
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turn(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo EXIF's orientation: 2 mirror, 3 half turn, 4 upside down, 5..8 with rows and columns swapped."""
    if orientation >= 5:
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    return rgb


def _known_bits(image: Image.Image) -> int:
    """Of a TIFF of grey values: the bits that its largest value uses, as the file tells it (MaxSampleValue); else 0."""
    top: Any = getattr(image, "tag_v2", {}).get(281)
    top = top[0] if isinstance(top, tuple) and top else top
    return int(top).bit_length() if isinstance(top, int) and top > 0 and top & (top + 1) == 0 else 0


def _to_srgb(image: Image.Image, profile: Any, notes: list[str]) -> tuple[Image.Image, bool]:
    """The picture in sRGB, and whether its colours were changed; a broken or foreign profile is ignored and noted."""
    if not isinstance(profile, bytes) or not profile:
        return image, False
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower() and image.mode in ("RGB", "RGBA"):
            return image, False
        out = "RGBA" if image.mode == "RGBA" else "RGB"
        turned = ImageCms.profileToProfile(image, source, _SRGB, outputMode=out)
    except (ImageCms.PyCMSError, *_BROKEN):
        notes.append("its colour profile is damaged or does not fit and was ignored")
        return image, False
    return (turned, True) if turned is not None else (image, False)
