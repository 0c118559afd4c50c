"""What is no pixel never refuses a picture; of damaged ones as much is used as can be read, where that is asked for."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ingest.imaging.decode import UnreadablePicture, check_picture, read_every_picture, read_picture
from tests.ingest.imaging.rare_files import colours

RGB = colours((320, 240))


def packed(kind: str, values: Any = RGB, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes, *, wrong: bool = False) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ wrong)


def with_chunk(piece: bytes, *, at_end: bool = False) -> bytes:
    data = packed("PNG")
    place = len(data) - 12 if at_end else 33
    return data[:place] + piece + data[place:]


BESIDE = {
    "a text of 3 MB packed to 3 kB": chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * 3_000_000)),
    "an international text of 80 MB": chunk(b"iTXt", b"p\0\1\0\0\0" + zlib.compress(b"b" * 80_000_000, 1)),
    "a text with a wrong checksum": chunk(b"tEXt", b"Comment\0hello", wrong=True),
    "a palette of words that nobody knows": chunk(b"abCd", b"x" * 100, wrong=True),
    "a time of no length": chunk(b"tIME", b"", wrong=True),
    "a profile that unpacks to 300 MB": chunk(b"iCCP", b"p\0\0" + zlib.compress(b"\0" * 300_000_000, 1)),
    "a profile with a wrong checksum": chunk(b"iCCP", b"p\0\0" + zlib.compress(b"\0" * 300), wrong=True),
    "damaged EXIF with a wrong checksum": chunk(b"eXIf", b"II*\0\xff\xff\xff\xff", wrong=True),
}


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("what", BESIDE)
def test_no_chunk_beside_the_pixels_refuses_a_png(what: str, tmp_path: Any, *, at_end: bool) -> None:
    data = with_chunk(BESIDE[what], at_end=at_end)
    picture = read_picture(data, name="a.png")
    assert np.array_equal(picture.rgb, RGB)
    (tmp_path / "a.png").write_bytes(data)
    check_picture(tmp_path / "a.png", name="a.png")


def test_a_picture_that_other_readers_refuse_is_not_called_plain() -> None:
    assert read_picture(packed("PNG"), name="a.png").reads_as_is
    data = with_chunk(BESIDE["a text of 3 MB packed to 3 kB"])
    picture = read_picture(data, name="a.png")
    assert not picture.reads_as_is
    assert any("ignored" in note for note in picture.notes)


def test_a_small_text_costs_nothing() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "1girl", zip=True)
    picture = read_picture(packed("PNG", pnginfo=info), name="a.png")
    assert picture.reads_as_is
    assert not picture.notes


@pytest.mark.parametrize("junk", [b"\n", b"\0" * 7, b"\r\n--x\r\n"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_bytes_before_a_picture_are_passed_over_and_reported(junk: bytes, kind: str, tmp_path: Any) -> None:
    data = packed(kind)
    picture = read_picture(junk + data, name="a")
    assert np.array_equal(picture.rgb, read_picture(data, name="a").rgb)
    assert any(f"{len(junk)} byte" in note for note in picture.notes)
    assert not picture.reads_as_is
    (tmp_path / "a.png").write_bytes(junk + data)
    check_picture(tmp_path / "a.png", name="a.png")


def test_a_picture_deep_inside_another_file_is_not_dug_out() -> None:
    with pytest.raises(UnreadablePicture, match="not a picture"):
        read_picture(b"ID3" + b"x" * 200 + packed("JPEG"), name="song.mp3")


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def test_a_damaged_picture_is_refused_unless_asked_for_and_the_refusal_says_so() -> None:
    for kind in ("JPEG", "PNG"):
        with pytest.raises(UnreadablePicture, match="Use damaged pictures"):
            read_picture(cut(packed(kind), 0.7), name="a")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
def test_of_a_cut_off_picture_the_rows_that_are_there_are_used(kind: str, share: float) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    complete = packed(kind, noise, **({"quality": 90} if kind == "JPEG" else {}))
    picture = read_picture(cut(complete, share), name="a", use_damaged=True)
    assert picture.damaged
    assert not picture.reads_as_is
    assert share - 0.12 < picture.height / 240 < share + 0.06
    assert picture.width == 320
    sound = read_picture(complete, name="a").rgb[: picture.height]
    assert np.array_equal(picture.rgb[:-1], sound[:-1])  # colours of a JPEG's last row reach into the missing ones
    assert any("rows are missing" in note for note in picture.notes)


def test_a_progressive_jpeg_keeps_all_its_rows() -> None:
    complete = packed("JPEG", progressive=True, quality=90)
    picture = read_picture(cut(complete, 0.8), name="a", use_damaged=True)
    assert picture.height == 240
    assert np.abs(picture.rgb.astype(int) - RGB).mean() < 25
    assert any("damaged" in note for note in picture.notes)


def test_a_wrong_checksum_of_a_header_is_damage() -> None:
    data = bytearray(packed("PNG"))
    data[29:33] = b"\0\0\0\0"
    with pytest.raises(UnreadablePicture, match="damaged"):
        read_picture(bytes(data), name="a.png")
    picture = read_picture(bytes(data), name="a.png", use_damaged=True)
    assert np.array_equal(picture.rgb, RGB)
    assert picture.damaged


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_too_little_of_a_picture_is_refused_even_when_asked_for(kind: str) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    with pytest.raises(UnreadablePicture, match="of 240 rows are readable"):
        read_picture(cut(packed(kind, noise), 0.15), name="a", use_damaged=True)


def test_what_is_no_picture_is_no_damaged_picture() -> None:
    for data in (b"hello", b"PK\x03\x04rest", b"<svg></svg>", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(UnreadablePicture):
            read_picture(data, name="a", use_damaged=True)


def moving(*pictures: Any, kind: str = "GIF", **options: Any) -> bytes:
    images = [Image.fromarray(picture) for picture in pictures]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:], duration=90, **options)
    return out.getvalue()


BLACK, WHITE = np.zeros_like(RGB), np.full_like(RGB, 255)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("AVIF", {"quality": 95}), ("TIFF", {})],
)
def test_the_first_picture_that_shows_something_is_used(kind: str, options: dict[str, Any]) -> None:
    picture = read_picture(moving(BLACK, WHITE, RGB, RGB[::-1].copy(), kind=kind, **options), name="a")
    assert np.abs(picture.rgb.astype(int) - RGB).mean() < 12
    assert any("picture 3 is used" in note for note in picture.notes)
    first = read_picture(moving(RGB, BLACK, RGB[::-1].copy(), kind=kind, **options), name="a")
    assert np.abs(first.rgb.astype(int) - RGB).mean() < 12
    nothing = read_picture(moving(BLACK, BLACK + 3, WHITE, kind=kind, **options), name="a")
    assert nothing.rgb.max() <= 3
    assert any("all pictures are blank" in note for note in nothing.notes)


@pytest.mark.parametrize(("kind", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_each_picture_that_shows_something_can_be_had(kind: str, options: dict[str, Any]) -> None:
    values = (BLACK, RGB, RGB[::-1].copy(), RGB[:, ::-1].copy())
    result = list(read_every_picture(moving(*values, kind=kind, **options), name="a", pictures_max=10))
    assert [picture.page for picture in result] == [2, 3, 4]
    for picture, rgb in zip(result, values[1:], strict=True):
        assert np.abs(picture.rgb.astype(int) - rgb).mean() < 12
    got = []
    with pytest.raises(UnreadablePicture, match="more than 2 pictures"):
        for picture in read_every_picture(moving(*values, kind=kind, **options), name="a", pictures_max=2):
            got.append(picture)
    assert len(got) == 2
    single = list(read_every_picture(packed("PNG"), name="a", pictures_max=10))
    assert [picture.page for picture in single] == [None]


def test_a_bomb_behind_a_small_first_page_is_refused() -> None:
    out = io.BytesIO()
    Image.new("1", (30, 20)).save(out, "TIFF", save_all=True, append_images=[Image.new("1", (25_000, 9_000))],
                                  compression="group4")  # fmt: skip
    with pytest.raises(UnreadablePicture, match="too large"):
        list(read_every_picture(out.getvalue(), name="a.tif", pictures_max=10))
    with pytest.raises(UnreadablePicture, match="too large"):
        read_picture(out.getvalue(), name="a.tif")


def test_an_mpo_shows_its_first_picture_and_stays_a_jpeg() -> None:
    data = moving(RGB, RGB[::-1].copy(), kind="MPO", quality=95)
    decoded = read_picture(data, name="a.mpo")
    assert (decoded.format, decoded.reads_as_is) == ("MPO", True)
    assert np.abs(decoded.rgb.astype(int) - RGB).mean() < 6
    both = list(read_every_picture(data, name="a.mpo", pictures_max=10))
    assert [picture.page for picture in both] == [1, 2]
