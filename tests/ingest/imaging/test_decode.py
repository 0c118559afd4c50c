"""Pictures as people have them, and files that only pretend to be pictures."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, ImageOps, PngImagePlugin

from ingest.imaging.decode import Limits, UnreadablePicture, read_every_picture, read_picture
from ingest.imaging.opening import is_non_blank


def drawing(*, mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Four different corners, so that every turn and mirror shows."""
    image = Image.new("RGB", size, (200, 180, 160))
    pen = ImageDraw.Draw(image)
    width, height = size
    pen.rectangle((0, 0, width // 3, height // 3), fill=(220, 30, 30))
    pen.rectangle((2 * width // 3, 0, width, height // 3), fill=(30, 180, 40))
    pen.rectangle((0, 2 * height // 3, width // 3, height), fill=(40, 60, 210))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header_only(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 4096)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"])
def test_each_format_comes_out_as_the_same_colours(kind: str) -> None:
    options = {} if kind in ("PNG", "GIF", "BMP", "TIFF") else {"quality": 95}
    picture = read_picture(encoded(drawing(), kind, **options), name=f"a.{kind.lower()}")
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.shape == (40, 60, 3)
    assert picture.format == kind
    neighbours = np.abs(picture.rgb[5, 5].astype(int) - (220, 30, 30)).max()
    assert neighbours <= 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_photo_stands_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(drawing(), kind, exif=exif, **({"quality": 95} if kind != "PNG" and kind != "TIFF" else {}))
    picture = read_picture(data, name="turned")
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert picture.rgb.shape == expected.shape
    assert picture.rgb.shape == ((40, 60, 3) if orientation < 5 else (60, 40, 3))
    assert np.array_equal(picture.rgb, expected)


def test_white_lines_on_nothing_get_a_dark_background() -> None:
    image = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    ImageDraw.Draw(image).line((5, 5, 75, 75), fill=(255, 255, 255, 255), width=3)
    picture = read_picture(encoded(image, "PNG"), name="lines.png")
    assert picture.background == 0
    assert picture.rgb[40, 40].tolist() == [255, 255, 255]
    assert picture.rgb[5, 70].tolist() == [0, 0, 0]


def test_dark_lines_and_usual_figures_get_white() -> None:
    image = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((10, 10, 70, 70), fill=(250, 240, 235, 255), outline=(20, 20, 20, 255), width=3)
    picture = read_picture(encoded(image, "WEBP", lossless=True), name="figure.webp")
    assert picture.background == 255
    assert picture.rgb[0, 0].tolist() == [255, 255, 255]


def test_black_and_white_lines_together_get_grey() -> None:
    image = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.line((5, 20, 75, 20), fill=(255, 255, 255, 255), width=3)
    pen.line((5, 60, 75, 60), fill=(0, 0, 0, 255), width=3)
    picture = read_picture(encoded(image, "PNG"), name="both.png")
    assert picture.background == 128


def test_half_transparent_pixels_are_mixed() -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 128))
    picture = read_picture(encoded(image, "PNG"), name="veil.png")
    assert picture.rgb[3, 3].tolist() == [127, 127, 127]


def test_palette_grey_and_colour_key_transparency_are_seen() -> None:
    palette = Image.new("P", (30, 30), 0)
    palette.putpalette([0, 0, 0, 255, 255, 255] + [0] * 750)
    palette.paste(1, (10, 10, 20, 20))
    white_on_clear = read_picture(encoded(palette, "PNG", transparency=0), name="p.png")
    assert white_on_clear.background == 0
    grey = Image.new("L", (30, 30), 255)
    grey.paste(10, (10, 10, 20, 20))
    assert read_picture(encoded(grey, "PNG", transparency=255), name="l.png").background == 255
    key = Image.new("RGB", (30, 30), (255, 0, 255))
    key.paste((0, 0, 0), (10, 10, 20, 20))
    picture = read_picture(encoded(key, "PNG", transparency=(255, 0, 255)), name="key.png")
    assert picture.rgb[0, 0].tolist() == [255, 255, 255]
    assert read_picture(encoded(drawing(mode="LA"), "PNG"), name="la.png").rgb.shape == (40, 60, 3)
    assert read_picture(encoded(drawing(mode="1"), "PNG"), name="1.png").rgb.max() == 255


def test_sixteen_bits_are_rounded_not_cut() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None, :].repeat(4, 0)
    for kind in ("PNG", "TIFF"):
        picture = read_picture(encoded(Image.fromarray(ramp), kind), name="deep")
        assert picture.rgb[0, :, 0].tolist() == list(range(256))
        assert any("8 bits" in note for note in picture.notes)


def test_floating_point_tiff_is_read_as_zero_to_one() -> None:
    ramp = np.linspace(0, 1, 256).astype(np.float32)[None, :].repeat(4, 0)
    ramp[1, 3] = np.nan
    picture = read_picture(encoded(Image.fromarray(ramp), "TIFF"), name="float.tiff")
    assert picture.rgb[0, :, 0].tolist() == list(range(256))


def test_ink_colours_become_screen_colours() -> None:
    for kind in ("JPEG", "TIFF"):
        picture = read_picture(encoded(drawing(mode="CMYK"), kind), name="ink")
        assert picture.mode == "CMYK"
        assert np.abs(picture.rgb[5, 5].astype(int) - (220, 30, 30)).max() <= 40


def test_a_colour_profile_is_turned_to_srgb() -> None:
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    to_lab = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    image = ImageCms.applyTransform(drawing(), to_lab)
    data = encoded(image, "TIFF", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    picture = read_picture(data, name="lab.tiff")
    assert np.abs(picture.rgb[5, 5].astype(int) - (220, 30, 30)).max() <= 8


def test_a_damaged_profile_is_reported_and_ignored() -> None:
    picture = read_picture(encoded(drawing(), "PNG", icc_profile=b"no profile at all"), name="x.png")
    assert any("profile" in note for note in picture.notes)
    assert picture.rgb[5, 5].tolist() == [220, 30, 30]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_an_animation_the_first_picture_is_used(kind: str) -> None:
    later = Image.new("RGB", (60, 40), (0, 0, 0))
    options = {"quality": 95} if kind in ("WEBP", "AVIF") else {}
    data = encoded(drawing(), kind, save_all=True, append_images=[later, later], **options)
    picture = read_picture(data, name="moving")
    assert np.abs(picture.rgb[5, 5].astype(int) - (220, 30, 30)).max() <= 12
    assert any("first" in note for note in picture.notes)


def blank_gif(side: int, frames: int) -> bytes:
    """Frames of one pixel each on a large screen of one colour."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    return head + b"\x2c" + (struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00\x2c") * frames + b"\x3b"


def decoded_frames(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pictures that are looked at from now on."""
    seen: list[int] = []

    def look(image: Image.Image) -> bool:
        seen.append(image.width)
        return is_non_blank(image)

    monkeypatch.setattr("ingest.imaging.opening.is_non_blank", look)
    monkeypatch.setattr("ingest.imaging.decode.is_non_blank", look)
    return seen


def test_few_of_many_huge_blank_frames_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = decoded_frames(monkeypatch)
    assert len(blank_gif(9_000, 70)) < 1_300
    assert read_picture(blank_gif(9_000, 70), name="bomb.gif").width == 9_000
    assert len(seen) <= 4
    seen.clear()
    with pytest.raises(UnreadablePicture, match="are blank and very large"):
        list(read_every_picture(blank_gif(9_000, 70), name="bomb.gif", pictures_max=1_000))
    assert len(seen) <= 4
    seen.clear()
    read_picture(blank_gif(90, 70), name="small.gif")  # of small ones as many as ever
    assert len(seen) > 50


def test_a_picture_of_50000_by_50000_is_refused_by_its_header() -> None:
    with pytest.raises(UnreadablePicture, match=r"huge\.png.*too large.*Scale it down"):
        read_picture(png_header_only(50_000, 50_000), name="huge.png")


def test_a_long_thin_picture_is_refused_too() -> None:
    with pytest.raises(UnreadablePicture, match="too large"):
        read_picture(png_header_only(60_000, 10), name="thin.png")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x -->\n<svg width='1'/>", "SVG"),
        (b"\n <!DOCTYPE html><html><script>alert(1)</script>", "web page"),
        (b"PK\x03\x04rest", "zip"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "video"),
        (b"\x1aE\xdf\xa3....", "video"),
        (b"hello", "not a picture"),
        (b"", "empty"),
    ],
)
def test_what_only_pretends_to_be_a_picture_is_refused_by_its_right_name(data: bytes, what: str) -> None:
    with pytest.raises(UnreadablePicture, match=what) as caught:
        read_picture(data, name="cute.png")
    assert "cute.png" in str(caught.value)


def test_nothing_of_a_polyglot_but_its_pixels_comes_out() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "<script>alert(1)</script>")
    data = encoded(drawing(), "PNG", pnginfo=info) + b"<html><script>alert(2)</script>"
    picture = read_picture(data, name="poly.png")
    assert picture.rgb[5, 5].tolist() == [220, 30, 30]
    assert not any("script" in note for note in picture.notes)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_a_cut_off_file_is_named_with_its_reason(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    data = encoded(noise, kind)
    with pytest.raises(UnreadablePicture, match=r"half\.png") as caught:
        read_picture(data[: len(data) // 2], name="half.png")
    assert "Copy the file again" in str(caught.value) or "Convert or remove it" in str(caught.value)


def test_damaged_exif_does_no_harm() -> None:
    data = encoded(drawing(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40, quality=95)
    assert read_picture(data, name="x.jpg").rgb.shape == (40, 60, 3)


def test_a_wholly_transparent_picture_is_refused() -> None:
    with pytest.raises(UnreadablePicture, match="transparent"):
        read_picture(encoded(Image.new("RGBA", (9, 9), (1, 2, 3, 0)), "PNG"), name="x.png")


def test_a_pipe_is_not_waited_for_and_a_heavy_file_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadablePicture, match="not a regular file"):
        read_picture(tmp_path / "pipe.png", name="pipe.png")
    (tmp_path / "heavy.png").write_bytes(encoded(drawing(), "PNG"))
    with pytest.raises(UnreadablePicture, match="limit of 100 bytes"):
        read_picture(tmp_path / "heavy.png", name="heavy.png", limits=Limits(bytes_max=100))
    with pytest.raises(UnreadablePicture, match="cannot be opened"):
        read_picture(tmp_path / "none.png", name="none.png")


def test_a_hostile_name_stays_on_one_line() -> None:
    with pytest.raises(UnreadablePicture) as caught:
        read_picture(b"no", name="a\nb\u202ecod.png" + "x" * 5000)
    assert "\n" not in str(caught.value)
    assert "\u202e" not in str(caught.value)
    assert len(str(caught.value)) < 600


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_bytes_either_read_or_are_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]))
    raw = bytearray(encoded(drawing(size=(24, 16)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = read_picture(bytes(raw), name="fuzz", limits=Limits(pixels_max=1_000_000))
    except UnreadablePicture as refused:
        assert "fuzz" in str(refused)
    else:
        assert picture.rgb.ndim == 3
        assert picture.rgb.dtype == np.uint8
