"""Finds the one frame of a film that is on show at a time, by seeking."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

import av.error

from ingest.imaging.sniff import UnreadableVideo
from ingest.imaging.video import Limits, OpenVideo, TimedFrame, VideoInfo, clock, open_video


def frame_at(path: Path | str, time_s: float, *, limits: Limits | None = None) -> tuple[TimedFrame, VideoInfo]:
    """The frame on show at `time_s` (seconds, as `TimedFrame.time_s`), found by seeking. Raises UnreadableVideo."""
    for back_s in (0.0, 12.0, None):
        with open_video(path, limits=limits) as video:
            base = Fraction(video.stream.time_base)
            target = video.start_pts + round(Fraction(time_s) / base)
            if back_s is not None and video.demuxer != "avi":
                seek_to = max(video.start_pts, target - round(Fraction(back_s) / base))
                with contextlib.suppress(av.error.FFmpegError):
                    video.container.seek(seek_to, stream=video.stream, backward=True)
            found = _last_until(video, target)
            # Some containers have no index and land too late: go further back, at last to the beginning.
            if found is not None and (found.pts <= target or back_s is None):
                return found, video.info
    raise UnreadableVideo(f"{Path(path).name}: there is no frame at {clock(time_s)}.")


def _last_until(video: OpenVideo, target: int) -> TimedFrame | None:
    found: TimedFrame | None = None
    with contextlib.suppress(UnreadableVideo):
        for timed in video.frames():
            if found is not None and timed.pts > target:
                return found
            found = timed
            if timed.pts >= target:
                return found
    return found
