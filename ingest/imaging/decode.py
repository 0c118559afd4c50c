"""Opens pictures from outside safely: known formats only, limits before decoding, upright, sRGB, 8 bit, no alpha.

Nothing of the file but its pixels comes out: no GPS position, no text, no profile.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from ingest.imaging.alpha import flatten
from ingest.imaging.formats import KINDS, SPOKEN
from ingest.imaging.names import plain_text
from ingest.imaging.pixels import alpha_of, channels
from ingest.imaging.room import room_for

FORMATS = tuple(kind.name for kind in KINDS if kind.name != "MPO")  # Pillow sees by itself that a JPEG is one
PIXELS_MAX = 100_000_000  # about 1.2 GB while converting (ingest.imaging.room)
BYTES_MAX = 512 * 2**20
SIDE_MAX = 30_000
# Pillow raises above twice this and warns above it; ours is the stricter check, this one guards what we forget.
Image.MAX_IMAGE_PIXELS = PIXELS_MAX

_ORIENTATION = 0x0112
_PLAIN_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA"})  # that every reader turns to the same RGB
_SRGB = ImageCms.createProfile("sRGB")
_XML = rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*"
_FOREIGN = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), what)
    for pattern, what in (
        (_XML + rb"(?:<!doctype svg[^>]*>\s*)?<svg[\s>]", "an SVG drawing"),
        (_XML + rb"<(?:!doctype\s+html|html|head|body|script)[\s>]", "a web page"),
        (rb"^PK\x03\x04", "a zip archive"),
        (rb"^(?:Rar!|7z\xbc\xaf|\x1f\x8b)", "an archive"),
        (rb"^%PDF", "a PDF"),
        (rb"^8BPS", "a Photoshop file"),
        (rb"^(?:\x1aE\xdf\xa3|.{4}ftyp(?!avi[fs]|mif1|heic))", "a video"),
    )
)
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

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])


def read_picture(source: Path | bytes, *, name: str, limits: Limits | None = None) -> Picture:
    """Decode a file or its bytes; `name` is what the user knows it by. Raises UnreadablePicture."""
    limits = limits or Limits()
    shown = plain_text(name)
    data = source if isinstance(source, bytes) else read_file(source, name=name, limits=limits)
    _refuse_foreign(data, shown, limits)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, shown, limits)
            with room_for(image.size[0] * image.size[1]):
                return _convert(image, shown)
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError:
        raise UnreadablePicture(_too_large(shown, limits)) from None
    except UnidentifiedImageError:
        raise UnreadablePicture(_unknown(shown)) from None
    except _BROKEN as error:
        why = plain_text(str(error) or type(error).__name__, bytes_max=120)
        raise UnreadablePicture(
            f"{shown}: the picture is damaged or cut off ({why}). Copy it again from where it came."
        ) from error


def check_picture(path: Path, *, name: str, limits: Limits | None = None) -> None:
    """Judge a file by its head alone: a known format, within the limits. Raises UnreadablePicture as `read_picture`."""
    limits = limits or Limits()
    shown = plain_text(name)
    if not path.is_file():  # a pipe of that name would be waited for
        raise UnreadablePicture(f"{shown}: this is no regular file.")
    try:
        with path.open("rb") as file:
            _refuse_foreign(file.read(1024), shown, limits)
            if path.stat().st_size > limits.bytes_max:
                raise UnreadablePicture(_too_heavy(shown, limits))
            with Image.open(path, formats=FORMATS) as image:
                _check_size(image, shown, limits)
    except Image.DecompressionBombError:
        raise UnreadablePicture(_too_large(shown, limits)) from None
    except UnidentifiedImageError:
        raise UnreadablePicture(_unknown(shown)) from None
    except _BROKEN as error:
        raise UnreadablePicture(f"{shown}: the picture is damaged. Copy it again from where it came.") from error


def pixel_count(source: Path | bytes) -> int:
    """Width times height by the header; 0 for what is no picture."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            return image.size[0] * image.size[1]
    except (Image.DecompressionBombError, *_BROKEN):
        return 0


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
    head = data[:1024].removeprefix(b"\xef\xbb\xbf")
    for pattern, what in _FOREIGN:
        if pattern.search(head):
            raise UnreadablePicture(
                f"{shown}: this is {what}, whatever its name says. Export it as png or jpg, or take it out."
            )


def _check_size(image: Image.Image, shown: str, limits: Limits) -> None:
    """From the header alone; no pixel was decoded yet."""
    width, height = image.size
    if width < 1 or height < 1:
        raise UnreadablePicture(f"{shown}: the picture has no pixels.")
    if width > limits.side_max or height > limits.side_max or width * height > limits.pixels_max:
        raise UnreadablePicture(f"{_too_large(shown, limits)} It has {width:,} x {height:,}.")


def _too_large(shown: str, limits: Limits) -> str:
    return (
        f"{shown}: the picture is too large; the limits are {limits.pixels_max // 1_000_000} million pixels and "
        f"{limits.side_max:,} a side. Scale it down first."
    )


def _convert(image: Image.Image, shown: str) -> Picture:
    notes: list[str] = []
    format_name, mode = image.format or "?", image.mode
    profile = image.info.get("icc_profile")
    image.load()
    orientation = _orientation(image, notes)  # only now: Pillow turns a TIFF itself, and a PNG may hold it at its end
    several = getattr(image, "is_animated", False)
    if several:
        notes.append("animated or of several pages: only the first picture is used")
    flat = eight_bit = _to_eight_bit(image, notes)
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
    plain = (
        mode in _PLAIN_MODES
        and eight_bit is image
        and not (converted or orientation != 1 or background is not None or (several and format_name != "MPO"))
    )
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


def _to_eight_bit(image: Image.Image, notes: list[str]) -> Image.Image:
    """16 bit, 32 bit and floating point greys to L; anything else as it is."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image).astype(np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    if image.mode == "F" and top <= 1.0:
        scale = 255.0
    elif image.mode.startswith("I;16") or top > 255:
        scale = 255.0 / 65535.0 if top <= 65535 else 255.0 / top
    else:
        scale = 1.0
    notes.append("more than 8 bits a channel: rounded to 8")
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


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
