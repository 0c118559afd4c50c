"""Reads the properties of a film (video stream, size, frame rate, length) and refuses unsupported ones."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ingest.imaging.sniff import UnreadableVideo

# Decoders of common films. All others are refused by name, since rarely used decoders have most of the bugs.
_NAMES = """
    h264 hevc av1 libdav1d libaom-av1 vp8 vp9 libvpx libvpx-vp9 mpeg1video mpeg2video mpegvideo mpeg4 msmpeg4
    msmpeg4v1 msmpeg4v2 h263 h263p flv vc1 wmv1 wmv2 wmv3 theora mjpeg ffv1 prores dnxhd huffyuv ffvhuff utvideo
    rawvideo vvc
"""
CODECS = frozenset(_NAMES.split())


@dataclass(frozen=True)
class Limits:
    """Limits of one film."""

    max_pixels: int = 8192 * 4320
    max_streams: int = 128
    max_seconds: float = 12 * 3600.0
    max_frames: int = 12 * 3600 * 120


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a film. Sizes in pixels; width and height as shown (turned upright, square pixels)."""

    container: str
    codec: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    pixel_format: str
    bit_depth: int
    fps: float
    duration_s: float
    start_s: float  # time of the first frame in the container; all other times count from it
    frames: int
    pixel_aspect: Fraction
    silent: bool


def clock(seconds: float) -> str:
    """Seconds as shown to users: 1:02:03.4."""
    minutes, rest = divmod(max(0.0, seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}"


def film_stream(container: Any, path: Path) -> Any:
    """The video stream of an open container that is not a cover picture. Raises UnreadableVideo."""
    films = [s for s in container.streams.video if not (s.disposition & s.disposition.attached_pic)]
    if not films:
        cover = "only a cover picture" if container.streams.video else "no video"
        raise UnreadableVideo(f"{path.name}: the file contains {cover}. Add a file with a video stream.")
    best = container.streams.best("video")
    return best if best in films else max(films, key=lambda s: s.codec_context.width * s.codec_context.height)


def describe(container: Any, stream: Any, path: Path, demuxer: str, limits: Limits) -> VideoInfo:
    """Properties of a film's stream. Raises UnreadableVideo for unsupported codecs and films beyond the limits."""
    context = stream.codec_context
    if context is None or context.codec is None or context.name not in CODECS:
        name = "an unknown format" if context is None else context.name
        raise UnreadableVideo(f"{path.name}: its video format ({name}) is not supported. Convert it to H.264.")
    width, height = context.width, context.height
    if width <= 0 or height <= 0:
        raise UnreadableVideo(f"{path.name}: the video has no size. The file is damaged at its beginning.")
    if width * height > limits.max_pixels:
        raise UnreadableVideo(
            f"{path.name}: {width} x {height} pixels exceed the limit of {limits.max_pixels:,} pixels."
        )
    duration, start = 0.0, float((stream.start_time or 0) * (stream.time_base or 0))
    if stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration = container.duration / 1_000_000
        if demuxer.startswith("matroska") and 0 < start < duration:
            duration -= start  # this container stores the end time
    if duration > limits.max_seconds:
        raise UnreadableVideo(
            f"{path.name}: its length of {clock(duration)} exceeds the limit of {clock(limits.max_seconds)}."
        )
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    aspect = _pixel_aspect(Fraction(stream.sample_aspect_ratio or 1), width, height)
    pixel_format = context.format
    return VideoInfo(
        container=demuxer,
        codec=context.codec.canonical_name,
        width=round(width * aspect),
        height=height,
        coded_width=width,
        coded_height=height,
        pixel_format=pixel_format.name if pixel_format else "unknown",
        bit_depth=pixel_format.components[0].bits if pixel_format and pixel_format.components else 8,
        fps=fps,
        duration_s=duration,
        start_s=start,
        frames=int(stream.frames or round(duration * fps)),
        pixel_aspect=aspect,
        silent=not container.streams.audio,
    )


def _pixel_aspect(stated: Fraction, width: int, height: int) -> Fraction:
    """The stated aspect of pixels, or 1 if it is implausible: on a 16:9 frame it is a remnant of an earlier format."""
    already_wide = height > 576 and abs(width / height - 16 / 9) < 0.02
    return stated if Fraction(1, 4) <= stated <= 4 and not already_wide else Fraction(1)
