"""HDR films become pictures of standard range in which white is white; those who want it as coded get that."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.imaging import hdr
from ingest.imaging.extraction import Extracted, ExtractParams, ExtractSummary, FrameRequest, decode_picture, extract

NITS = (0.0, 1.0, 20.0, 100.0, 203.0, 1000.0)  # greys of the test film, from left to right
H273 = {"pq": 16, "hlg": 18, "": 1}


def signal_of(nits: float, transfer: str) -> float:
    """The inverse of the curves, written on its own after BT.2100: light on a screen of 1000 nits to 0..1."""
    if transfer == "pq":
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        y = (nits / 10_000) ** m1
        return float(((c1 + c2 * y) / (1 + c3 * y)) ** m2)
    scene = (nits / 1000) ** (1 / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return float((3 * scene) ** 0.5 if scene <= 1 / 12 else a * np.log(12 * scene - b) + c)


def film(path: Path, transfer: str, *, red: bool = False) -> Path:
    """Six grey bars (or a red field) of ten bits, marked as `transfer`; without a mark its levels are those of PQ."""
    container: Any = av.open(str(path), "w", format="matroska")
    stream = container.add_stream("libx264", rate=24, options={"crf": "1", "preset": "ultrafast"})
    stream.width, stream.height, stream.pix_fmt = 384, 192, "yuv420p10le"
    context = stream.codec_context
    context.color_trc, context.color_primaries, context.colorspace = H273[transfer], 9, 9
    levels = [64 + 876 * signal_of(nits, transfer or "pq") for nits in NITS]
    luma = np.repeat(np.array(levels), 64)[None, :].repeat(192, axis=0)
    u = v = np.full((96, 192), 512.0)
    if red:
        luma, v = np.full((192, 384), 300.0), np.full((96, 192), 700.0)
    for number in range(8):
        frame = av.VideoFrame(384, 192, "yuv420p10le")
        for plane, values in zip(frame.planes, (luma, u, v), strict=True):
            rows = np.zeros((plane.height, plane.line_size // 2), dtype="<u2")
            rows[:, : values.shape[1]] = np.round(values)
            plane.update(rows.tobytes())
        frame.pts, frame.time_base = number, Fraction(1, 24)
        frame.color_trc, frame.color_primaries, frame.colorspace = H273[transfer], 9, 9
        for packet in stream.encode(frame):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
    container.close()
    return path


def taken(path: Path, **params: Any) -> tuple[list[Extracted], ExtractSummary]:
    summary = ExtractSummary()
    return list(extract(path, ExtractParams(**params), summary=summary)), summary


def bars(picture: Any) -> list[int]:
    height, width = picture.shape[:2]
    return [int(picture[height // 2, (2 * n + 1) * width // 12].mean()) for n in range(6)]


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_white_of_an_hdr_film_is_white_and_blacks_are_black(tmp_path: Path, transfer: str) -> None:
    (picture,), summary = taken(film(tmp_path / "hdr.mkv", transfer))
    assert picture.image is not None
    black, dark, shade, grey, white, glare = bars(picture.image)
    assert black <= 2
    assert white >= 235, "diffuse white"
    assert 250 <= glare <= 255, "what shines ten times as bright is not cut off to white, but near it"
    assert dark < shade < grey < white < glare
    # Below the knee light is kept: 100 of 203 cd/m2 in sRGB.
    assert abs(grey - 255 * (1.055 * (100 / 203) ** (1 / 2.4) - 0.055)) <= 3
    assert any("HDR" in words and "tone-mapped" in words for words in summary.warnings)
    assert summary.hdr == transfer


def test_the_same_levels_without_the_mark_are_left_alone(tmp_path: Path) -> None:
    (simple,), summary = taken(film(tmp_path / "sdr.mkv", ""))
    (mapped,), _ = taken(film(tmp_path / "hdr.mkv", "pq"))
    assert summary.hdr == ""
    assert not summary.warnings
    assert bars(simple.image)[4] < 170 < bars(mapped.image)[4], "the curve alone makes the difference"


def test_hdr_is_left_as_coded_by_choice_and_the_film_says_so(tmp_path: Path) -> None:
    (coded,), summary = taken(film(tmp_path / "hdr.mkv", "pq"), tone_map=False)
    (simple,), _ = taken(film(tmp_path / "sdr.mkv", ""))
    assert np.abs(coded.image.astype(int) - simple.image.astype(int)).mean() < 1
    assert any("not tone-mapped" in words for words in summary.warnings)


@pytest.mark.parametrize("tone_map", [True, False])
def test_a_restored_picture_is_the_one_that_was_taken(tmp_path: Path, tone_map: bool) -> None:
    path = film(tmp_path / "hdr.mkv", "hlg")
    (picture,), _ = taken(path, tone_map=tone_map)
    assert np.array_equal(decode_picture(path, FrameRequest(picture.time_s, tone_map=tone_map)), picture.image)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_preview_and_measures_are_of_the_mapped_picture(tmp_path: Path, transfer: str) -> None:
    path = film(tmp_path / "hdr.mkv", transfer)
    (complete,), _ = taken(path)
    (thumb,), _ = taken(path, full_pictures=False)  # its preview comes from the small planes
    assert np.abs(np.array(bars(complete.preview)) - np.array(bars(thumb.preview))).max() <= 8
    red = film(tmp_path / "red.mkv", transfer, red=True)
    (complete,), _ = taken(red)
    (thumb,), _ = taken(red, full_pictures=False)
    of_whole, of_thumb = (p.preview.reshape(-1, 3).mean(axis=0) for p in (complete, thumb))
    assert of_whole[0] > 2 * of_whole[1], "red stays red"
    assert np.abs(of_whole - of_thumb).max() <= 8


@given(st.lists(st.floats(0, 60), min_size=2, max_size=30))
def test_the_tone_curve_never_turns_brighter_into_darker_and_stays_below_one(light: list[float]) -> None:
    ordered = np.sort(np.array(light))
    mapped = hdr.tone_curve(ordered)
    assert (np.diff(mapped) >= 0).all()
    assert (mapped <= 1).all()
    below = ordered <= hdr.KNEE
    assert np.allclose(mapped[below], ordered[below])
