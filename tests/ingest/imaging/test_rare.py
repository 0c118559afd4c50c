"""TIFF and BMP of every kind that scanners, painters and old programs write, HEIC and JPEG XL: the right pixels."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tempfile
import zlib
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.imaging.decode import Limits, UnreadablePicture, check_picture, pixel_count, read_picture
from ingest.imaging.formats import KINDS, PICTURE_ENDINGS
from tests.ingest.imaging.rare_files import HEIC, bmp, colours, indexed, masked, run_lengths, tiff

RGB = colours()
DEEP = RGB.astype(np.uint16) * 257
FLOAT = RGB.astype(np.float32) / 255
INK = np.asarray(Image.fromarray(RGB).convert("CMYK"))
SIZE = (RGB.shape[1], RGB.shape[0])


def with_alpha(values: Any, opaque: float) -> Any:
    return np.concatenate([values, np.full((*values.shape[:2], 1), opaque, values.dtype)], axis=2)


def packed(kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, kind, **options)
    return out.getvalue()


TIFFS = {
    "16 bits": tiff(DEEP),
    "16 bits, big-endian": tiff(DEEP, order=">"),
    "16 bits, deflated tiles": tiff(DEEP, tile=16, deflate=True),
    "16 bits, planes": tiff(DEEP, planar=2),
    "16 bits, alpha": tiff(with_alpha(DEEP, 65535)),
    "32 bits": tiff(RGB.astype(np.uint32) * 16843009),
    "half floats": tiff(FLOAT.astype(np.float16)),
    "floats": tiff(FLOAT),
    "floats, big-endian": tiff(FLOAT, order=">"),
    "floats, tiles": tiff(FLOAT, tile=16, deflate=True),
    "floats, alpha": tiff(with_alpha(FLOAT, 1)),
    "doubles": tiff(FLOAT.astype(np.float64)),
    "ink": tiff(INK, photometric=5),
    "ink, 16 bits": tiff(INK.astype(np.uint16) * 257, photometric=5),
    "tiles": tiff(RGB, tile=16),
    "planes": tiff(RGB, planar=2),
    "LZW": packed("TIFF", compression="tiff_lzw"),
    "packbits": packed("TIFF", compression="packbits"),
    "zstd": packed("TIFF", compression="zstd"),
}
GREYS = {
    "16 bits": tiff(DEEP[..., :1], photometric=1),
    "16 bits, white is 0": tiff(65535 - DEEP[..., :1], photometric=0),
    "white is 0": tiff(255 - RGB[..., :1], photometric=0),
    "32 bits": tiff(RGB[..., :1].astype(np.uint32) * 16843009, photometric=1),
    "floats": tiff(FLOAT[..., :1], photometric=1),
    "alpha": tiff(with_alpha(RGB[..., :1], 255), photometric=1),
    "alpha, 16 bits": tiff(with_alpha(DEEP[..., :1], 65535), photometric=1),
    "12 of 16 bits, told": tiff(np.rint(RGB[..., :1] / 255 * 4095).astype(np.uint16), photometric=1, extra={281: 4095}),
}


@pytest.mark.parametrize("kind", TIFFS)
def test_a_tiff_of_any_samples_comes_out_as_its_colours(kind: str) -> None:
    picture = read_picture(TIFFS[kind], name="a.tif")
    assert picture.rgb.shape == RGB.shape
    assert np.array_equal(picture.rgb, RGB)


@pytest.mark.parametrize("kind", GREYS)
def test_a_grey_tiff_of_any_samples_comes_out_as_its_greys(kind: str) -> None:
    picture = read_picture(GREYS[kind], name="a.tif")
    assert np.array_equal(picture.rgb, np.repeat(RGB[..., :1], 3, axis=2))


def test_a_jpeg_in_a_tiff_is_read() -> None:
    picture = read_picture(packed("TIFF", compression="jpeg", quality=98), name="a.tif")
    assert np.abs(picture.rgb.astype(int) - RGB).mean() < 6


def test_floats_a_little_above_white_are_cut_and_do_not_darken_the_rest() -> None:
    bright = FLOAT.copy()
    bright[0, 0] = 1.4
    picture = read_picture(tiff(bright), name="a.tif")
    assert np.array_equal(picture.rgb[1:], RGB[1:])
    assert picture.rgb[0, 0].tolist() == [255, 255, 255]
    assert any("brighter than white" in note for note in picture.notes)


def png_grey16(values: Any, sbit: int = 0) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = values.shape
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0))
    bits = chunk(b"sBIT", bytes([sbit])) if sbit else b""
    return b"\x89PNG\r\n\x1a\n" + head + bits + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def test_ten_bits_in_sixteen_are_brought_to_the_whole_range_where_the_file_says_so_else_told() -> None:
    low = np.rint(RGB[..., 0] / 255 * 1023).astype(np.uint16)
    low[0, 0] = 1023
    result = read_picture(png_grey16(low, sbit=10), name="a.png")
    assert np.abs(result.rgb[1:, :, 0].astype(int) - RGB[1:, :, 0]).max() <= 1
    untold = read_picture(png_grey16(low), name="a.png")
    assert untold.rgb.max() == 4
    assert any("1,023 of 65,535" in note for note in untold.notes)
    high_bits = read_picture(png_grey16(DEEP[..., 0], sbit=10), name="a.png")  # the usual use: bits at the upper end
    assert np.array_equal(high_bits.rgb[..., 0], RGB[..., 0])


INDEX, PALETTE, FEW = indexed(RGB)
M565, M555, M1010, MRGB = (0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F), (0x3FF << 20, 0x3FF << 10, 0x3FF), (
    0xFF, 0xFF00, 0xFF0000)  # fmt: skip
BMPS = {
    "16 bits, 5 6 5": (bmp(masked(RGB, M565, 16), SIZE, 16, compression=3, masks=M565), RGB, 5),
    "16 bits, 5 5 5": (bmp(masked(RGB, M555, 16), SIZE, 16), RGB, 5),
    "16 bits, 5 5 5 by masks": (bmp(masked(RGB, M555, 16), SIZE, 16, compression=3, masks=M555), RGB, 5),
    "32 bits, red first": (bmp(masked(RGB, MRGB, 32), SIZE, 32, compression=3, masks=MRGB), RGB, 0),
    "10 bits a colour": (bmp(masked(RGB, M1010, 32), SIZE, 32, compression=3, masks=M1010), RGB, 1),
    "RLE8": (bmp(run_lengths(INDEX, 8), SIZE, 8, compression=1, palette=PALETTE.ljust(1024, b"\0")), FEW, 0),
    "RLE4": (bmp(run_lengths(INDEX, 4), SIZE, 4, compression=2, palette=PALETTE), FEW, 0),
    "OS/2": (bmp(RGB[::-1, :, ::-1].tobytes(), SIZE, 24, header=12), RGB, 0),
    "OS/2 2": (bmp(INDEX[::-1].tobytes(), SIZE, 8, header=64, palette=PALETTE.ljust(1024, b"\0")), FEW, 0),
    "from the top": (bmp(RGB[..., ::-1].tobytes(), SIZE, 24, upside_down=True), RGB, 0),
}


@pytest.mark.parametrize("kind", BMPS)
def test_a_bmp_of_any_layout_comes_out_as_its_colours(kind: str) -> None:
    data, expected, off = BMPS[kind]
    picture = read_picture(data, name="a.bmp")
    assert picture.rgb.shape == expected.shape
    assert np.abs(picture.rgb.astype(int) - expected).max() <= off


def test_heic_is_read() -> None:
    picture = read_picture(HEIC, name="a.heic")
    assert (picture.format, picture.rgb.shape) == ("HEIF", (48, 64, 3))
    for (y, x), colour in (((4, 4), (220, 30, 30)), ((4, 59), (30, 180, 40)), ((43, 4), (40, 60, 210))):
        assert np.abs(picture.rgb[y, x].astype(int) - colour).max() <= 6


def test_jpeg_xl_is_read_bare_and_in_its_container_at_any_depth() -> None:
    for values in (RGB, DEEP, FLOAT, with_alpha(RGB, 255)):
        for container in (False, True):
            data = imagecodecs.jpegxl_encode(values, lossless=True, usecontainer=container)
            picture = read_picture(data, name="a.jxl")
            assert picture.format == "JXL"
            assert np.array_equal(picture.rgb, RGB)
    grey = read_picture(imagecodecs.jpegxl_encode(RGB[..., 0].copy(), lossless=True), name="a.jxl")
    assert np.array_equal(grey.rgb, np.repeat(RGB[..., :1], 3, axis=2))
    see_through = with_alpha(RGB, 255)
    see_through[:10, :, 3] = 0
    picture = read_picture(imagecodecs.jpegxl_encode(see_through, lossless=True), name="a.jxl")
    assert picture.background is not None


@pytest.mark.parametrize("size", [(8, 8), (40, 32), (33, 257), (640, 480), (1920, 1080), (5000, 7), (256, 256)])
def test_the_size_of_a_jpeg_xl_is_known_from_its_header(size: tuple[int, int]) -> None:
    for container in (False, True):
        data = imagecodecs.jpegxl_encode(colours(size), lossless=True, usecontainer=container, effort=1)
        assert pixel_count(data) == size[0] * size[1]


def test_bombs_of_the_new_kinds_are_refused_by_their_headers(tmp_path: Any) -> None:
    tight = Limits(pixels_max=1000)
    files = {
        "jxl": imagecodecs.jpegxl_encode(RGB, lossless=True),
        "heic": HEIC,
        "tif": tiff(FLOAT, claim=(50_000, 50_000)),
        "bmp": bmp(masked(RGB, MRGB, 32), (50_000, 50_000), 32, compression=3, masks=MRGB),
    }
    for ending, data in files.items():
        limits = tight if ending in ("jxl", "heic") else Limits()
        with pytest.raises(UnreadablePicture, match="too large"):
            read_picture(data, name=f"a.{ending}", limits=limits)
        path = tmp_path / f"a.{ending}"
        path.write_bytes(data)
        with pytest.raises(UnreadablePicture, match="too large"):
            check_picture(path, name=path.name, limits=limits)
    doubles = tiff(np.zeros((100, 100, 3), np.float64))
    with pytest.raises(UnreadablePicture, match="bytes in memory"):
        read_picture(doubles, name="a.tif", limits=Limits(pixels_max=10_000))


def test_a_strip_that_unpacks_to_more_than_its_picture_is_refused() -> None:
    honest = tiff(FLOAT, deflate=True)
    body = zlib.compress((FLOAT * 1).tobytes())
    assert body in honest
    heavy = zlib.compress(b"\0" * 2**28)
    data = honest.replace(struct.pack("<I", len(body)), struct.pack("<I", len(heavy)))
    start = len(data)
    data = data.replace(struct.pack("<HHII", 273, 4, 1, 8), struct.pack("<HHII", 273, 4, 1, start)) + heavy
    with pytest.raises(UnreadablePicture, match="damaged"):
        read_picture(data, name="a.tif")


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_flipped_bytes_of_the_new_kinds_either_read_or_are_refused(data: st.DataObject) -> None:
    files = [HEIC, imagecodecs.jpegxl_encode(RGB, lossless=True), imagecodecs.jpegxl_encode(RGB, usecontainer=True)]
    files += [TIFFS[name] for name in ("16 bits", "floats, tiles", "16 bits, planes", "half floats")]
    files += [BMPS[name][0] for name in ("10 bits a colour", "RLE8", "OS/2 2")]
    raw = bytearray(data.draw(st.sampled_from(files)))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, min(len(raw), 600) - 1))] = data.draw(st.integers(0, 255))
    damaged = data.draw(st.booleans())
    try:
        picture = read_picture(bytes(raw), name="fuzz", limits=Limits(pixels_max=1_000_000), use_damaged=damaged)
    except UnreadablePicture as refused:
        assert "fuzz" in str(refused)
    else:
        assert picture.rgb.dtype == np.uint8
        assert picture.rgb.ndim == 3


def test_every_ending_of_the_table_is_one_that_the_browser_sends_and_a_message_names() -> None:
    assert {"apng", "avifs", "mpo", "heic", "heif", "jxl", "jpe", "dib"} <= PICTURE_ENDINGS
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_a_process_that_reads_common_pictures_imports_no_reader_of_rare_ones() -> None:
    code = (
        "import sys; from pathlib import Path; from ingest.imaging.decode import read_picture; "
        "read_picture(Path(sys.argv[1]), name='a'); print({'tifffile', 'imagecodecs', 'pi_heif'} & set(sys.modules))"
    )
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(packed(kind))
            file.flush()
            done = subprocess.run([sys.executable, "-c", code, file.name], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "set()"
