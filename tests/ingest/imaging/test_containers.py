"""Films are told by their content: cut recordings, packets of any size, junk, late clocks, encryption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.imaging.extraction import ExtractSummary, extract
from ingest.imaging.seeking import seek_frame
from ingest.imaging.sniff import Container, UnreadableVideo, container_of
from ingest.imaging.video import probe
from tests.films import film

FRAMES = 24


def muxed(path: Path, form: str, *, start: int = 0, **options: str) -> Path:
    """A second of moving bars; `start` in frames is where the film's own clock begins."""
    container: Any = av.open(str(path), "w", format=form, options=options)
    codec = "mpeg2video" if form == "mpeg" else "libx264"
    stream = container.add_stream(codec, rate=24)
    stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
    for number in range(FRAMES):
        picture = np.full((96, 160, 3), (number // 6 * 60, 90, 160), np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = start + number
        for packet in stream.encode(frame):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
    container.close()
    return path


@pytest.fixture(scope="module")
def ts(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return muxed(tmp_path_factory.mktemp("ts") / "a.ts", "mpegts").read_bytes()


def packets(stream: bytes) -> list[bytes]:
    return [stream[index : index + 188] for index in range(0, len(stream), 188)]


def decoded(path: Path) -> tuple[int, list[str]]:
    summary = ExtractSummary()
    list(extract(path, summary=summary))
    return summary.decoded, summary.warnings


@pytest.mark.parametrize("cut", [0, 1, 100, 187])
@pytest.mark.parametrize("size", [188, 192, 204])
def test_a_recording_is_read_wherever_it_was_cut_and_whatever_its_packets_carry(
    tmp_path: Path, ts: bytes, size: int, cut: int
) -> None:
    before, behind = {188: (0, 0), 192: (4, 0), 204: (0, 16)}[size]
    # An incomplete packet first: the cut takes the end of one that was not needed.
    stream = b"".join(bytes(before) + packet + bytes(behind) for packet in [bytes([0x47]) + bytes(187), *packets(ts)])
    path = tmp_path / "cut.ts"
    path.write_bytes(stream[cut:])
    assert container_of(path).demuxer == "mpegts"
    assert decoded(path) == (FRAMES, [])


@pytest.mark.parametrize(("form", "name"), [("matroska", "a.mkv"), ("mpeg", "a.mpg")])
def test_junk_before_the_header_is_passed_over(tmp_path: Path, form: str, name: str) -> None:
    complete = muxed(tmp_path / name, form)
    junk = tmp_path / f"junk-{name}"
    before = b"\x00\x17not a header\xff" * 9
    junk.write_bytes(before + complete.read_bytes())
    assert container_of(junk).skip == len(before)
    assert decoded(junk)[0] == decoded(complete)[0] == FRAMES
    timed, _ = seek_frame(junk, 0.5)
    assert abs(timed.time_s - 0.5) < 0.05, "times of the film, not of the junk"


def test_an_mp4_that_begins_with_another_box_is_read(tmp_path: Path) -> None:
    complete = muxed(tmp_path / "a.mp4", "mp4", movflags="+frag_keyframe+empty_moov+default_base_moof")
    moved = tmp_path / "b.mp4"
    for box in (b"styp", b"pdin", b"uuid", b"emsg"):
        moved.write_bytes((24).to_bytes(4, "big") + box + bytes(16) + complete.read_bytes())
        assert container_of(moved) == Container("mov,mp4,m4a,3gp,3g2,mj2")
        assert decoded(moved)[0] == FRAMES, box


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=5000))
def test_anything_that_is_no_film_is_refused_with_a_message(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    try:
        probe(path)
    except UnreadableVideo as refused:
        assert "x.bin" in str(refused)


@pytest.mark.parametrize(
    "head", [b"#EXTM3U\n", b"ffconcat version 1.0\n", b"<?xml version='1.0'?>", b"\x89PNG\r\n\x1a\n"]
)
def test_a_film_hidden_behind_a_playlist_or_a_picture_is_not_looked_for(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "x.mkv"
    path.write_bytes(head + film(tmp_path / "a.mkv").read_bytes())
    with pytest.raises(UnreadableVideo):
        container_of(path)


@pytest.mark.parametrize("form", ["matroska", "mpegts", "mp4"])
def test_times_count_from_the_first_frame_and_nothing_is_called_missing(tmp_path: Path, form: str) -> None:
    options = {"copyts": "1"} if form == "mp4" else {}
    path = muxed(tmp_path / f"late.{form}", form, start=2400, **options)
    summary = ExtractSummary()
    pictures = list(extract(path, summary=summary))
    assert summary.decoded == FRAMES
    assert 0 <= pictures[0].first_s < 0.05
    assert summary.info is not None
    assert abs(summary.info.duration_s - 1.0) < 0.1
    assert not any("missing" in words for words in summary.warnings)
    if form != "mp4":  # its edit list hides the late start from everybody
        assert any("begin at 0:01:4" in words for words in summary.warnings)


def test_a_film_that_breaks_off_is_still_told(tmp_path: Path) -> None:
    complete = film(tmp_path / "a.mkv", seconds=8).read_bytes()
    path = tmp_path / "half.mkv"
    path.write_bytes(complete[: len(complete) // 2])
    assert any("missing" in words for words in decoded(path)[1])


def test_encrypted_films_are_called_encrypted(tmp_path: Path, ts: bytes) -> None:
    key = "00112233445566778899aabbccddeeff"
    mp4 = muxed(tmp_path / "a.mp4", "mp4", encryption_scheme="cenc-aes-ctr", encryption_key=key, encryption_kid=key)
    scrambled = tmp_path / "a.ts"
    scrambled.write_bytes(
        b"".join(p if p[1] & 0x1F == 0 and p[2] <= 1 else p[:3] + bytes([p[3] | 0x80]) + p[4:] for p in packets(ts))
    )
    disc = tmp_path / "a.m2ts"
    rng = np.random.default_rng(3)
    units = []
    for _ in range(12):
        unit = bytearray(rng.integers(0, 256, 6144, np.uint8).tobytes())
        unit[4], unit[4 + 192] = 0x47, 0x11
        units.append(bytes(unit))
    disc.write_bytes(b"".join(units))
    for path in (mp4, scrambled, disc):
        with pytest.raises(UnreadableVideo, match="encrypted"):
            probe(path)


def test_plain_films_are_not_called_encrypted(tmp_path: Path) -> None:
    for form, name in (("mp4", "a.mp4"), ("mpegts", "a.ts"), ("matroska", "a.mkv"), ("mpeg", "a.mpg")):
        assert probe(muxed(tmp_path / name, form)).codec in ("h264", "mpeg2video")
