"""JPEGs that hold less than they say are told apart from those that are whole, plain borders included."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.early_end import ends_early, max_pixel_share


def noisy(width: int = 320, height: int = 240, *, border: int = 0) -> np.ndarray:
    rng = np.random.default_rng(7)
    small = Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8))
    rgb = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).copy()
    if border:
        rgb[-border:] = 255
    return rgb


def jpeg(rgb: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", **options)
    return out.getvalue()


def saying(data: bytes, width: int, height: int) -> bytes:
    """The same file whose header tells other sides."""
    for marker in (b"\xff\xc0\x00\x11\x08", b"\xff\xc2\x00\x11\x08"):
        if (place := data.find(marker)) >= 0:
            return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]
    raise AssertionError


KINDS = [{}, {"progressive": True}, {"quality": 30}, {"quality": 95, "subsampling": 0}, {"restart_marker_blocks": 4}]


def test_a_few_bytes_that_say_they_are_a_hundred_megapixels_are_refused_at_once() -> None:
    lying = saying(jpeg(noisy(16, 16)), 10_000, 10_000)
    assert len(lying) < 2_000 and lying.endswith(b"\xff\xd9")
    began = time.process_time()
    with pytest.raises(UnreadablePicture, match=r"lying\.jpg: most of the picture is missing: .* hold at most"):
        read_picture(lying, name="lying.jpg")
    assert time.process_time() - began < 0.5  # nothing of it was decoded


@pytest.mark.parametrize("options", KINDS)
def test_a_picture_that_ends_early_is_not_kept_as_whole(options: dict[str, object]) -> None:
    data = saying(jpeg(noisy(), **options), 320, 480)  # twice as high as what it holds
    with pytest.raises(UnreadablePicture, match=r"tall\.jpg.*a part of the picture is missing"):
        read_picture(data, name="tall.jpg")
    partly = read_picture(data, name="tall.jpg", use_damaged=True)
    assert partly.damaged and 200 <= partly.height <= 256


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("border", [0, 40])
def test_a_whole_picture_is_kept_with_and_without_a_plain_border(options: dict[str, object], border: int) -> None:
    rgb = noisy(border=border)
    data = jpeg(rgb, **options)
    picture = read_picture(data, name="whole.jpg")
    assert picture.rgb.shape == rgb.shape and not picture.damaged and not picture.notes


def test_a_picture_of_one_colour_and_other_formats_are_whole(tmp_path: Path) -> None:
    flat = np.full((2_000, 3_000, 3), 200, np.uint8)
    data = jpeg(flat, quality=1, optimize=True, progressive=True)
    assert max_pixel_share(data, 6_000_000) >= 1
    assert not ends_early(data, flat)
    assert max_pixel_share(b"\x89PNG...", 10**8) == 1.0
    assert read_picture(data, name="plain.jpg").height == 2_000
