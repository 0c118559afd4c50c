"""Small films for tests: drawn pictures, written by the encoders that PyAV brings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
_RANGES = {"tv": 1, "pc": 2}
RATE = Fraction(24000, 1001)
QUICK = {
    "libx264": {"preset": "ultrafast", "crf": "20"},
    "libx265": {"preset": "ultrafast", "crf": "20", "x265-params": "log-level=none"},
    "libsvtav1": {"preset": "12", "crf": "30"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"},
}


def scene(seed: int, *, width: int = 320, height: int = 180) -> U8:
    """A busy still picture, another one for each seed: uint8[h, w, 3] RGB."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), random.integers(60, 200, 3), np.uint8)
    for _ in range(14):
        colour = tuple(int(c) for c in random.integers(30, 240, 3))
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        size = int(random.integers(8, height // 3))
        if random.random() < 0.5:
            cv2.circle(picture, (x, y), size, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, (x, y), (x + 2 * size, y + size), colour, -1)
    return picture


def with_mouth(picture: U8, opening: int, *, at: tuple[int, int] = (160, 90)) -> U8:
    """The same picture with a face and a mouth that is `opening` pixels open."""
    drawn = picture.copy()
    cv2.circle(drawn, at, 40, (250, 220, 200), -1, cv2.LINE_AA)
    cv2.ellipse(drawn, (at[0], at[1] + 18), (6, opening), 0, 0, 360, (90, 20, 30), -1 if opening else 1, cv2.LINE_AA)
    return drawn


@contextmanager
def same_scheduling() -> Iterator[None]:
    """Give the calling thread its scheduling policy back: for root, SVT-AV1 leaves it with SCHED_FIFO at priority 99.

    Everything that the process starts later would inherit that, browsers too, and starve the rest of the machine.
    """
    if not hasattr(os, "sched_getscheduler"):  # not on macOS
        yield
        return
    policy, values = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, values)


def write_film(
    path: Path,
    pictures: Iterable[U8],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times: Iterable[int] | None = None,
    options: dict[str, str] | None = None,
    tones: int = 0,
    levels: tuple[str, str] | None = None,
) -> Path:
    """Encodes RGB pictures; `times` are milliseconds (else a steady 23.976 a second); `tones` adds a sound track.

    `levels`: what the file says of its range and what its pictures have, each "tv" or "pc" (else both are "tv" and the
    file says nothing).
    """
    pictures = list(pictures)
    with same_scheduling(), av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options={**QUICK.get(codec, {}), **(options or {})})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        base = Fraction(1, 1000) if times is not None else 1 / RATE
        stream.codec_context.time_base = base
        if levels is not None:
            stream.codec_context.color_range = _RANGES[levels[0]]
        sound = container.add_stream("aac", rate=44100, layout="mono") if tones else None
        for pts, picture in zip(times if times is not None else range(len(pictures)), pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=pixel_format, dst_color_range=None if levels is None else _RANGES[levels[1]]
            )
            if levels is not None:
                frame.color_range = _RANGES[levels[0]]
            frame.pts, frame.time_base = pts, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for number in range(tones):
                noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                noise.sample_rate, noise.pts = 44100, number * 1024
                container.mux(sound.encode(noise))
            container.mux(sound.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and nothing to see."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def ffmpeg(*arguments: str) -> str:
    """Runs the development wheel's ffmpeg and gives back what it said."""
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-y", *arguments], capture_output=True, text=True, check=True
    )
    return done.stderr
