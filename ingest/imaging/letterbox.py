"""Finds letterbox bars of a film from a sample of its frames."""

from __future__ import annotations

import contextlib
from pathlib import Path

import av.error
import numpy as np

from ingest.algorithms.quality import Bars, dark_bars
from ingest.imaging.planes import Box, is_full_range, luma_plane
from ingest.imaging.video import Limits, OpenVideo, open_video

SAMPLES = 24  # frames, evenly spaced
FORWARD = 48  # frames decoded after a key frame, so that short films with a single one are sampled throughout


def find_box(path: Path, limits: Limits | None = None) -> Box | None:
    """The picture without its bars (even coordinates of coded pixels), or None without bars. Raises UnreadableVideo."""
    brightest, full_range = None, False
    with open_video(path, limits=limits) as video:
        for number in range(SAMPLES):
            luma_and_range = _sample(video, (number + 0.5) / SAMPLES * video.info.duration_s)
            if luma_and_range is None:
                continue
            luma, full_range = luma_and_range
            if brightest is None:
                brightest = luma
            elif brightest.shape == luma.shape:
                brightest = np.maximum(brightest, luma)
    if brightest is None:
        return None
    bars = dark_bars(brightest, full_range=full_range)
    if bars == Bars():
        return None
    height, width = brightest.shape
    return Box(
        left=_even(bars.left * width, up=True),
        top=_even(bars.top * height, up=True),
        right=_even(width - bars.right * width, up=False),
        bottom=_even(height - bars.bottom * height, up=False),
    )


def _even(value: float, *, up: bool) -> int:
    rounded = round(value)
    return rounded + rounded % 2 if up else rounded - rounded % 2


def _sample(video: OpenVideo, time_s: float) -> tuple[np.ndarray, bool] | None:
    with contextlib.suppress(av.error.FFmpegError):
        ticks = video.start_pts + round(time_s / video.stream.time_base)
        video.container.seek(ticks, stream=video.stream, backward=True)
        last = None
        for number, frame in enumerate(video.container.decode(video.stream)):
            last = frame
            if number >= FORWARD or frame.pts is None or frame.pts >= ticks:
                break
        if last is not None:
            return luma_plane(last).copy(), is_full_range(last)
    return None
