"""Decodes untrusted pictures: known formats only, limits checked before decoding; upright, sRGB, 8 bit, no alpha.

Only pixels leave this module: no GPS position, no text, no profile.
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
from ingest.imaging.early_end import ends_early, max_pixel_share
from ingest.imaging.foreign import foreign_kind
from ingest.imaging.formats import FORMATS_TEXT
from ingest.imaging.names import plain_text
from ingest.imaging.opening import (
    SCANNED_PIXELS_MAX,
    first_non_blank,
    high_bit_depth_bytes,
    is_non_blank,
    pages,
    size_of,
)
from ingest.imaging.pixels import alpha_of, channels
from ingest.imaging.rare import Check
from ingest.imaging.repair import READABLE_MIN, has_known_signature, patched, readable_rows, repaired, significant_bits
from ingest.imaging.room import room_for

PIXELS_MAX = 100_000_000  # about 1.2 GB while converting (ingest.imaging.room)
BYTES_MAX = 512 * 2**20
SIDE_MAX = 30_000
PIXEL_BYTES_MAX = 12  # decoded bytes per pixel: three channels of floating point
# Pillow warns above this and raises above twice of it. Our own check is stricter; this one is a second line.
Image.MAX_IMAGE_PIXELS = PIXELS_MAX

_ORIENTATION = 0x0112
_PLAIN_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA"})  # which every reader converts to the same RGB
_SRGB = ImageCms.createProfile("sRGB")
# What Pillow's readers raise for broken files; MemoryError: a header with a false size.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError),
    *(struct.error, zlib.error, MemoryError, ZeroDivisionError, NotImplementedError, AssertionError, RuntimeError),
)


class UnreadablePicture(Exception):
    """A picture cannot be used. The text, meant for the user, says which one, why and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that are checked before any pixel is decoded."""

    pixels_max: int = PIXELS_MAX
    bytes_max: int = BYTES_MAX
    side_max: int = SIDE_MAX


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture and how it was converted."""

    rgb: NDArray[np.uint8]  # [h, w, 3], sRGB
    format: str  # Pillow's name: PNG, JPEG...
    mode: str  # of the file: RGBA, CMYK, I;16...
    background: int | None = None  # grey level (0..255) behind transparent parts
    turned: bool = False
    notes: tuple[str, ...] = field(default=())  # for the user: first of several pictures, profile ignored...
    # Any program reads exactly these pixels from the file: one upright, opaque 8 bit picture in sRGB.
    reads_as_is: bool = False
    damaged: bool = False  # only a part could be decoded
    page: int | None = None  # number of the picture in its file, from 1; None for a file's only one

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])


def read_picture(
    source: Path | bytes, *, name: str, limits: Limits | None = None, use_damaged: bool = False
) -> Picture:
    """Decode a file or its bytes; `name` is shown to the user. Raises UnreadablePicture.

    Of several pictures the first that is not blank is used. With `use_damaged` a damaged picture is cropped to its
    readable rows, if they are at least READABLE_MIN of it.
    """
    limits, display_name = limits or Limits(), plain_text(name)
    data = source if isinstance(source, bytes) else read_file(source, name=name, limits=limits)
    _refuse_foreign(data, display_name, limits)
    pixels = pixel_count(data)
    if (readable_share := max_pixel_share(data, pixels)) < READABLE_MIN:
        raise UnreadablePicture(
            f"{display_name}: most of the picture is missing: {len(data):,} bytes hold at most {readable_share:.0%} of "
            "the size in its header. Copy the file again."
        )
    with room_for(pixels, more_bytes=high_bit_depth_bytes(data)):
        return _decode_or_repair(data, display_name, limits, use_damaged=use_damaged)


def read_every_picture(
    source: Path | bytes, *, name: str, pictures_max: int, limits: Limits | None = None
) -> Iterator[Picture]:
    """Yield each picture of an animation or multi-page file that is not blank, at most `pictures_max`; otherwise as
    `read_picture`. Raises UnreadablePicture at the first that cannot be read.
    """
    limits, display_name = limits or Limits(), plain_text(name)
    data = source if isinstance(source, bytes) else read_file(source, name=name, limits=limits)
    _refuse_foreign(data, display_name, limits)
    yielded = number = blank = 0
    with room_for(pixel_count(data), more_bytes=high_bit_depth_bytes(data)), _readable_errors(display_name, limits):
        notes: list[str] = []
        for image in pages(data, _size_check(display_name, limits), notes):
            number += 1
            is_multi_picture = getattr(image, "is_animated", False)
            if is_multi_picture and not is_non_blank(image):
                blank += image.width * image.height
                if blank > SCANNED_PIXELS_MAX:
                    raise UnreadablePicture(
                        f"{display_name}: its pictures up to number {number} are blank and very large; the rest was "
                        "skipped. Save the pictures that you need as separate files."
                    )
                continue
            blank = 0
            yielded += 1
            if yielded > pictures_max:
                raise UnreadablePicture(
                    f"{display_name}: it holds more than {pictures_max} pictures; the rest was skipped."
                )
            yield replace(
                _convert(image, display_name, notes, data, is_multi_picture=is_multi_picture),
                page=number if is_multi_picture else None,
            )
            notes = []
    if not yielded:
        raise UnreadablePicture(f"{display_name}: all of its {number} pictures are blank. Remove it.")


def check_picture(path: Path, *, name: str, limits: Limits | None = None) -> None:
    """Check format and limits from the header alone. Raises UnreadablePicture as `read_picture` does."""
    limits, display_name = limits or Limits(), plain_text(name)
    data = read_file(path, name=name, limits=limits)
    _refuse_foreign(data, display_name, limits)
    with _readable_errors(display_name, limits):
        try:
            width, height = size_of(data)
        except _BROKEN:
            width, height = size_of(repaired(data)[0])
        _size_check(display_name, limits)(width, height, 0)


def pixel_count(source: Path | bytes) -> int:
    """Width times height from the header; 0 for a file that is no picture."""
    try:
        width, height = size_of(source if isinstance(source, bytes) else source.read_bytes())
    except (Image.DecompressionBombError, *_BROKEN):
        return 0
    return width * height


def _decode_or_repair(data: bytes, display_name: str, limits: Limits, *, use_damaged: bool) -> Picture:
    """Decode the picture as it is, else without its metadata, else (with `use_damaged`) as far as possible."""
    with _readable_errors(display_name, limits):
        try:
            notes: list[str] = []
            image, is_multi_picture = first_non_blank(data, _size_check(display_name, limits), notes)
            return _require_complete(
                _convert(image, display_name, notes, data, is_multi_picture=is_multi_picture), data
            )
        except _BROKEN as error:
            broken: Exception = error
        clean, notes = repaired(data)
        if clean is not data:
            try:
                image, is_multi_picture = first_non_blank(clean, _size_check(display_name, limits), notes)
                return replace(
                    _require_complete(
                        _convert(image, display_name, notes, clean, is_multi_picture=is_multi_picture), clean
                    ),
                    reads_as_is=False,
                )
            except _BROKEN as error:
                broken = error
        if not use_damaged:
            raise (
                OSError("its header is damaged")
                if has_known_signature(clean) and isinstance(broken, UnidentifiedImageError)
                else broken
            )
        mending: list[str] = []
        image, is_multi_picture = first_non_blank(
            patched(clean), _size_check(display_name, limits), mending, allow_partial=True
        )
        return _keep_readable_rows(
            _convert(image, display_name, notes + mending, clean, is_multi_picture=is_multi_picture), display_name
        )


def _require_complete(picture: Picture, data: bytes) -> Picture:
    """Return the picture. Raises OSError if the decoder filled in a missing part."""
    if ends_early(data, picture.rgb):
        raise OSError("the data end too early; a part of the picture is missing")
    return picture


def _keep_readable_rows(picture: Picture, display_name: str) -> Picture:
    """Crop a damaged picture to its readable rows. Raises UnreadablePicture for too few."""
    rows = readable_rows(picture.rgb, blocks=16 if picture.format in ("JPEG", "MPO") else 1)
    if rows < READABLE_MIN * picture.height:
        raise UnreadablePicture(
            f"{display_name}: the picture is damaged; only {rows} of {picture.height} rows are readable. Copy the file "
            "again."
        )
    lost = f"; {picture.height - rows} of {picture.height} rows are missing" if rows < picture.height else ""
    notes = (*picture.notes, f"damaged: only the readable part is used{lost}")
    rgb = np.ascontiguousarray(picture.rgb[:rows])
    return replace(picture, rgb=rgb, notes=notes, reads_as_is=False, damaged=True)


@contextmanager
def _readable_errors(display_name: str, limits: Limits) -> Iterator[None]:
    """Convert all errors of decoders to UnreadablePicture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError:
        raise UnreadablePicture(_picture_too_large_text(display_name, limits)) from None
    except UnidentifiedImageError:
        raise UnreadablePicture(_unknown_format_text(display_name)) from None
    except _BROKEN as error:
        why = plain_text(str(error) or type(error).__name__, bytes_max=120)
        raise UnreadablePicture(
            f"{display_name}: the picture is damaged or incomplete ({why}). Copy the file again, or turn on “Use "
            "damaged pictures” in the settings of the run."
        ) from error


def read_file(path: Path, *, name: str, limits: Limits | None = None) -> bytes:
    """The bytes of a regular file; pipes and devices are refused without waiting. Raises UnreadablePicture."""
    limits, display_name = limits or Limits(), plain_text(name)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadablePicture(
            f"{display_name}: the file cannot be opened ({os.strerror(error.errno or 0)})."
        ) from error
    with os.fdopen(handle, "rb") as file:
        file_stat = os.fstat(file.fileno())
        if not stat.S_ISREG(file_stat.st_mode):
            raise UnreadablePicture(f"{display_name}: this is not a regular file.")
        if file_stat.st_size > limits.bytes_max:
            raise UnreadablePicture(_file_too_large_text(display_name, limits))
        try:
            return file.read(limits.bytes_max + 1)
        except OSError as error:
            raise UnreadablePicture(
                f"{display_name}: the file cannot be read ({os.strerror(error.errno or 0)})."
            ) from error


def _unknown_format_text(display_name: str) -> str:
    return f"{display_name}: this is not a picture in a supported format ({FORMATS_TEXT}). Convert or remove it."


def _file_too_large_text(display_name: str, limits: Limits) -> str:
    return f"{display_name}: the file is larger than the limit of {limits.bytes_max:,} bytes. Reduce it."


def _refuse_foreign(data: bytes, display_name: str, limits: Limits) -> None:
    if not data:
        raise UnreadablePicture(f"{display_name}: the file is empty. Copy it again.")
    if len(data) > limits.bytes_max:
        raise UnreadablePicture(_file_too_large_text(display_name, limits))
    if (what := foreign_kind(data)) is not None:
        raise UnreadablePicture(
            f"{display_name}: this is {what}, not a picture. Convert it to png or jpg, or remove it."
        )


def _size_check(display_name: str, limits: Limits) -> Check:
    """A function that refuses sizes from the header, before any pixel is decoded."""

    def check(width: int, height: int, size: int) -> None:
        if width < 1 or height < 1:
            raise UnreadablePicture(f"{display_name}: the picture has no pixels.")
        if max(width, height) > limits.side_max or width * height > limits.pixels_max:
            raise UnreadablePicture(
                f"{_picture_too_large_text(display_name, limits)} It has {width:,} x {height:,} pixels."
            )
        if size > limits.pixels_max * PIXEL_BYTES_MAX:
            raise UnreadablePicture(
                f"{display_name}: the picture would take {size:,} bytes in memory. Scale it down first."
            )

    return check


def _picture_too_large_text(display_name: str, limits: Limits) -> str:
    return (
        f"{display_name}: the picture is too large; the limits are {limits.pixels_max // 1_000_000} million pixels and "
        f"{limits.side_max:,} pixels per side. Scale it down first."
    )


def _convert(
    image: Image.Image, display_name: str, notes: list[str], data: bytes, *, is_multi_picture: bool
) -> Picture:
    format_name, mode = image.format or "?", image.mode
    profile = image.info.get("icc_profile")
    orientation = _orientation(
        image, notes
    )  # after loading: Pillow turns a TIFF itself, and a PNG may hold EXIF at its end
    is_high_bit_depth = image.mode.startswith(("I", "F")) or any("8 bits" in note for note in notes)
    eight_bit_image = eight_bit(image, notes, significant_bits(data) or _known_bits(image))
    if eight_bit_image.has_transparency_data:
        eight_bit_image = eight_bit_image if eight_bit_image.mode == "RGBA" else eight_bit_image.convert("RGBA")
    elif eight_bit_image.mode not in ("RGB", "CMYK", "L", "LAB"):
        eight_bit_image = eight_bit_image.convert("RGB")
    eight_bit_image, converted = _to_srgb(eight_bit_image, profile, notes)
    background = None
    if eight_bit_image.mode == "RGBA":
        alpha = alpha_of(eight_bit_image)
        if not alpha.any():
            raise UnreadablePicture(f"{display_name}: the picture is fully transparent. Remove it.")
        rgb = channels(eight_bit_image, 3)
        background = flatten(rgb, alpha)
    else:
        # Converting RGB to RGB would copy it.
        rgb = channels(eight_bit_image if eight_bit_image.mode == "RGB" else eight_bit_image.convert("RGB"), 3)
    upright = np.ascontiguousarray(_undo_orientation(rgb, orientation))
    reads_as_is = mode in _PLAIN_MODES and not (
        is_high_bit_depth or is_multi_picture or converted or orientation != 1 or background is not None
    )
    return Picture(upright, format_name, mode, background, orientation != 1, tuple(notes), reads_as_is)


def _orientation(image: Image.Image, notes: list[str]) -> int:
    """EXIF orientation 1..8; 1 for missing or damaged EXIF. Nothing else of the EXIF data (GPS, texts) is read."""
    try:
        value: Any = image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        notes.append("damaged EXIF data were ignored")
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _undo_orientation(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo EXIF's orientation: 2 mirror, 3 half turn, 4 upside down, 5..8 with rows and columns swapped."""
    if orientation >= 5:
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    return rgb


def _known_bits(image: Image.Image) -> int:
    """Bits that the largest value of a grey TIFF uses according to its tag MaxSampleValue; 0 if unknown."""
    top: Any = getattr(image, "tag_v2", {}).get(281)
    top = top[0] if isinstance(top, tuple) and top else top
    return int(top).bit_length() if isinstance(top, int) and top > 0 and top & (top + 1) == 0 else 0


def _to_srgb(image: Image.Image, profile: Any, notes: list[str]) -> tuple[Image.Image, bool]:
    """The picture in sRGB and whether its colours were changed; an unusable profile is ignored with a note."""
    if not isinstance(profile, bytes) or not profile:
        return image, False
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower() and image.mode in ("RGB", "RGBA"):
            return image, False
        out = "RGBA" if image.mode == "RGBA" else "RGB"
        turned = ImageCms.profileToProfile(image, source, _SRGB, outputMode=out)
    except (ImageCms.PyCMSError, *_BROKEN):
        notes.append("a colour profile that is damaged or does not fit was ignored")
        return image, False
    return (turned, True) if turned is not None else (image, False)
