"""Passes of upscaling that files tell of: written, read back, and never believed from anybody else's words."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from ingest.imaging.passes import read_passes, save_options

FORMATS = {"PNG": True, "JPEG": False, "WEBP": False}


def encoded(kind: str, **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (9, 99, 199)).save(out, kind, **more)
    return out.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("passes", [0, 1, 2, 12])
def test_what_was_written_is_read(kind: str, passes: int) -> None:
    assert read_passes(encoded(kind, **save_options(passes, "lanczos", png=FORMATS[kind]))) == passes


def test_other_words_and_no_pictures_count_as_none() -> None:
    exif = Image.Exif()
    for text in ("upscaled in 3 passes", "Koma: upscaled in 0 passes", "Koma: upscaled in 999 passes", "", "\x00"):
        exif[0x010E] = text
        assert read_passes(encoded("JPEG", exif=exif)) == 0
    for data in (b"", b"no picture", encoded("PNG")[:40]):
        assert read_passes(data) == 0
