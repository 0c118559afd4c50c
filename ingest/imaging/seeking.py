"""Finds the frames of a film that are shown at given times, by seeking."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av.error

from ingest.imaging.film_info import Limits, VideoInfo, clock
from ingest.imaging.sniff import UnreadableVideo
from ingest.imaging.video import OpenVideo, TimedFrame, open_video

SAME_PASS_MAX_S = 8.0  # to the next requested frame: decoding on is faster than seeking to a key frame again


def seek_frames(
    path: Path | str, times_s: Sequence[float], *, limits: Limits | None = None
) -> Iterator[tuple[TimedFrame, VideoInfo]]:
    """Yield the frames that `seek_frame` finds, in the order of `times_s` (seconds).

    Increasing times that are close together are decoded in one pass. Raises UnreadableVideo at an unreadable time.
    """
    begin = 0
    while begin < len(times_s):
        end = begin + 1
        while end < len(times_s) and 0 <= times_s[end] - times_s[end - 1] <= SAME_PASS_MAX_S:
            end += 1
        group, done = times_s[begin:end], 0
        if len(group) > 1:
            for frame_and_info in _decode_in_one_pass(path, group, limits):
                yield frame_and_info
                done += 1
        for time_s in group[done:]:
            yield seek_frame(path, time_s, limits=limits)
        begin = end


def seek_frame(path: Path | str, time_s: float, *, limits: Limits | None = None) -> tuple[TimedFrame, VideoInfo]:
    """The frame that is shown at `time_s` (seconds, as `TimedFrame.time_s`). Raises UnreadableVideo."""
    for back_s in (0.0, 12.0, None):
        with open_video(path, limits=limits) as video:
            base = Fraction(video.stream.time_base)
            target = video.start_pts + round(Fraction(time_s) / base)
            if back_s is not None:
                _seek(video, max(video.start_pts, target - round(Fraction(back_s) / base)))
            timed_frame = _last_frame_until(video, target)
            # Without an index, seeking may land too late: go further back, finally to the beginning.
            if timed_frame is not None and (timed_frame.pts <= target or back_s is None):
                return timed_frame, video.info
    raise UnreadableVideo(f"{Path(path).name}: there is no frame at {clock(time_s)}.")


def _seek(video: OpenVideo, pts: int) -> None:
    if video.demuxer != "avi":
        with contextlib.suppress(av.error.FFmpegError):
            video.container.seek(pts, stream=video.stream, backward=True)


def _decode_in_one_pass(
    path: Path | str, times_s: Sequence[float], limits: Limits | None
) -> Iterator[tuple[TimedFrame, VideoInfo]]:
    """Yield frames at increasing times after one seek; fewer if it lands too late or the film ends early."""
    with open_video(path, limits=limits) as video:
        base = Fraction(video.stream.time_base)
        targets = [video.start_pts + round(Fraction(time_s) / base) for time_s in times_s]
        _seek(video, targets[0])
        previous: TimedFrame | None = None
        target_index = 0
        try:
            for timed_frame in video.frames():
                if previous is None and timed_frame.pts > targets[0]:
                    return
                while previous is not None and target_index < len(targets) and timed_frame.pts > targets[target_index]:
                    yield previous, video.info
                    target_index += 1
                if target_index == len(targets):
                    return
                previous = timed_frame
        except UnreadableVideo:
            return
        if previous is not None:
            for _ in targets[target_index:]:
                yield previous, video.info


def _last_frame_until(video: OpenVideo, target: int) -> TimedFrame | None:
    previous: TimedFrame | None = None
    with contextlib.suppress(UnreadableVideo):
        for timed_frame in video.frames():
            if previous is not None and timed_frame.pts > target:
                return previous
            previous = timed_frame
            if timed_frame.pts >= target:
                return previous
    return previous
