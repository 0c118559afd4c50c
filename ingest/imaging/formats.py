"""Picture formats that Koma reads, with their suffixes and media types."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PictureKind:
    """A format by Pillow's name. Stored and exported files get the first of `endings`.

    `is_universal`: browsers, models and trainers read the format, so no working copy is needed.
    """

    name: str
    endings: tuple[str, ...]
    media_type: str
    is_universal: bool = False


KINDS = (
    PictureKind("PNG", ("png", "apng"), "image/png", is_universal=True),
    PictureKind("JPEG", ("jpg", "jpeg", "jpe", "jfif"), "image/jpeg", is_universal=True),
    PictureKind("MPO", ("jpg", "mpo"), "image/jpeg", is_universal=True),  # a JPEG followed by further ones
    PictureKind("WEBP", ("webp",), "image/webp", is_universal=True),
    PictureKind("AVIF", ("avif", "avifs"), "image/avif", is_universal=True),
    PictureKind("GIF", ("gif",), "image/gif"),
    PictureKind("BMP", ("bmp", "dib"), "image/bmp"),
    PictureKind("TIFF", ("tif", "tiff"), "image/tiff"),
    PictureKind("HEIF", ("heic", "heif", "hif"), "image/heic"),
    PictureKind("JXL", ("jxl",), "image/jxl"),
)
PICTURE_ENDINGS = frozenset(ending for kind in KINDS for ending in kind.endings)
PICTURE_SUFFIXES = frozenset(f".{ending}" for ending in PICTURE_ENDINGS)
FORMATS_TEXT = "png, jpg, webp, gif, bmp, avif, tiff, heic, jxl"  # for messages
MEDIA_TYPES = {kind.endings[0]: kind.media_type for kind in KINDS}  # by the ending of a stored file
BY_NAME = {kind.name: kind for kind in KINDS}
