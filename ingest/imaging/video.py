"""Opens untrusted films and decodes their frames in order with exact times and readable errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
import av.filter
from av.codec.hwaccel import HWAccel
from av.video.frame import VideoFrame

from ingest.imaging.encryption import is_encrypted
from ingest.imaging.film_info import Limits, VideoInfo, clock, describe, film_stream
from ingest.imaging.sniff import Container, UnreadableVideo, container_of

__all__ = [
    "CPU",
    "GPU",
    "Limits",
    "OpenVideo",
    "TimedFrame",
    "UnreadableVideo",
    "VideoInfo",
    "open_video",
    "probe",
]


@dataclass(frozen=True)
class TimedFrame:
    """One decoded frame: `pts` in ticks of the stream, `time_s` in seconds since the stream's start."""

    frame: VideoFrame
    pts: int
    time_s: float


@dataclass
class OpenVideo:
    """An open film, to be used as a context manager; `frames()` may be iterated once."""

    path: Path
    container: Any
    stream: Any
    info: VideoInfo
    limits: Limits
    device: str
    demuxer: str
    warnings: list[str] = field(default_factory=list)
    interlaced: bool = False
    decode_errors: int = 0
    damaged_frames: int = 0
    last_time_s: float = 0.0
    _first_error_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    @property
    def start_pts(self) -> int:
        return int(self.stream.start_time or 0)

    def frames(self, *, key_frames_only: bool = False) -> Iterator[TimedFrame]:
        """Yield all intact frames in display order; `warnings` describe damage after the last. Raises
        UnreadableVideo."""
        if key_frames_only:
            self.stream.codec_context.skip_frame = "NONKEY"
        count = 0
        for timed_frame in self._with_software_fallback():
            count += 1
            if count == 1 and round(timed_frame.frame.rotation / 90) % 2:
                self.info = replace(self.info, width=self.info.height, height=self.info.width)
            if count > self.limits.max_frames or timed_frame.time_s > self.limits.max_seconds:
                raise UnreadableVideo(
                    f"{self.path.name}: longer than {clock(self.limits.max_seconds)}. Split the film."
                )
            self.last_time_s = timed_frame.time_s
            yield timed_frame
        self._warn_of_missing(count=count, key_frames_only=key_frames_only)

    def _with_software_fallback(self) -> Iterator[TimedFrame]:
        yielded = False
        try:
            for timed_frame in self._timed():
                yielded = True
                yield timed_frame
        except av.error.FFmpegError as error:
            if yielded or self.device == CPU:
                raise UnreadableVideo(f"{self.path.name}: decoding failed: {error.strerror or error}.") from error
        if yielded or self.device == CPU:
            return
        # The GPU accepted the stream but returned nothing, as for some profiles (10 bit H.264).
        skip = self.stream.codec_context.skip_frame
        self.container.close()
        again = open_video(self.path, limits=self.limits)
        self.container, self.stream, self.device = again.container, again.stream, CPU
        self.stream.codec_context.skip_frame = skip
        self.decode_errors, self._first_error_s = 0, None
        self.warnings.append("The GPU does not support this film's format; it was decoded on the CPU.")
        yield from self._timed()

    def _timed(self) -> Iterator[TimedFrame]:
        base = Fraction(self.stream.time_base)
        step = (
            Fraction(1, 1) / Fraction(self.info.fps).limit_denominator(1001000)
            if self.info.fps > 0
            else Fraction(1, 24)
        )
        start, previous = self.start_pts, None
        for number, frame in enumerate(self._deinterlaced()):
            if frame.width * frame.height > self.limits.max_pixels:
                raise UnreadableVideo(
                    f"{self.path.name}: a frame of {frame.width} x {frame.height} pixels exceeds the limit."
                )
            if self.demuxer == "avi":
                # This container stores no times; guessed ones are out of order around B frames.
                pts = start + number * max(1, round(step / base))
            elif frame.pts is not None and frame.time_base is not None:
                # A filter may use finer ticks than the stream.
                pts = round(frame.pts * Fraction(frame.time_base) / base)
            elif previous is None:
                pts = start
            else:
                pts = previous + max(1, round(step / base))
            previous = pts
            yield TimedFrame(frame, pts, float((pts - start) * base))

    def _deinterlaced(self) -> Iterator[VideoFrame]:
        graph: Any = None
        for frame in self._decoded():
            if graph is None and not frame.interlaced_frame:
                yield frame
                continue
            if graph is None:
                self.interlaced = True
                graph = _deinterlacer(frame, self.stream)
            graph.vpush(frame)
            yield from _pull(graph)
        if graph is not None:
            with contextlib.suppress(av.error.EOFError):
                graph.vpush(None)
            yield from _pull(graph)

    def _decoded(self) -> Iterator[VideoFrame]:
        context = self.stream.codec_context
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self._note(error, context)
                packet = None
            try:
                decoded = context.decode(packet)
            except (av.error.InvalidDataError, av.error.EOFError) as error:
                self._note(error, context)
                decoded = []
            for frame in decoded:
                if frame.is_corrupt:
                    self.damaged_frames += 1
                else:
                    yield frame
            if packet is None:
                return

    def _note(self, error: av.error.FFmpegError, context: Any) -> None:
        if self.device != CPU and self.last_time_s == 0.0 and self.decode_errors > 8:
            raise error
        self.decode_errors += 1
        if self._first_error_s is None:
            self._first_error_s = self.last_time_s

    def _warn_of_missing(self, *, count: int, key_frames_only: bool) -> None:
        if not count:
            _refuse_encrypted(self.path, self.demuxer)
            raise UnreadableVideo(f"{self.path.name}: no frame can be decoded. The film is damaged or empty.")
        if self.info.start_s >= START_WARNING_S:
            self.warnings.append(
                f"The film's timestamps begin at {clock(self.info.start_s)}; times shown here start at its first frame."
            )
        frame_s = 1.0 / self.info.fps if self.info.fps > 0 else 0.1
        missing = self.info.duration_s - self.last_time_s - frame_s
        if self.decode_errors or self.damaged_frames:
            where = self.last_time_s if self._first_error_s is None else self._first_error_s
            self.warnings.append(
                f"{self.decode_errors + self.damaged_frames} damaged places, the first at about {clock(where)}; "
                "the readable part was used."
            )
        if missing > max(1.0, 3 * frame_s) and not key_frames_only:
            self.warnings.append(
                f"The film ends at {clock(self.last_time_s)} of {clock(self.info.duration_s)}: "
                "the rest of the file is missing or cannot be decoded."
            )


START_WARNING_S = 2.0  # most transport streams begin about a second late
CPU = "CPU"
GPU = "GPU (NVDEC)"


def _refuse_encrypted(path: Path, demuxer: str) -> None:
    try:
        encrypted = is_encrypted(path, demuxer)
    except OSError as error:
        raise UnreadableVideo(f"{path.name}: cannot be read: {error.strerror}.") from error
    if encrypted:
        raise UnreadableVideo(f"{path.name}: the film is encrypted. Add an unencrypted copy.")


def _deinterlacer(frame: VideoFrame, stream: Any) -> Any:
    graph = av.filter.Graph()
    source = graph.add_buffer(template=stream, width=frame.width, height=frame.height, format=frame.format)
    # One output frame per input frame; frames without the flag pass unchanged.
    filter_ = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(filter_)
    filter_.link_to(sink)
    graph.configure()
    return graph


def _pull(graph: Any) -> Iterator[VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def open_video(path: Path | str, *, limits: Limits | None = None, use_gpu: bool = False) -> OpenVideo:
    """Open a regular file of a known container; no other file or address that it refers to is ever opened.

    With `use_gpu` NVDEC is tried; if it is unavailable, the CPU decodes and `warnings` says why. Raises
    UnreadableVideo.
    """
    path, limits = Path(path), limits or Limits()
    kind = container_of(path)
    demuxer = kind.demuxer
    if demuxer.startswith("mov") or demuxer == "mpegts":
        _refuse_encrypted(path, demuxer)  # encrypted frames may decode to noise
    warnings: list[str] = []
    container: Any = None
    device = CPU
    if use_gpu:
        try:
            container = _open_container(path, kind, limits, HWAccel("cuda", allow_software_fallback=False))
            device = GPU
        except (av.error.FFmpegError, NotImplementedError, RuntimeError, ValueError) as error:
            warnings.append(
                f"The GPU's decoder is unavailable ({_error_text(error)}); the film was decoded on the CPU."
            )
    if container is None:
        try:
            container = _open_container(path, kind, limits, None)
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableVideo(_open_error_text(path, demuxer, error)) from error
    try:
        stream = film_stream(container, path)
        info = describe(container, stream, path, demuxer, limits)
    except BaseException:
        container.close()
        raise
    stream.thread_type = "AUTO"
    return OpenVideo(path, container, stream, info, limits, device, demuxer, warnings)


def probe(path: Path | str, *, limits: Limits | None = None) -> VideoInfo:
    """Properties of a film whose first frame can be decoded. Raises UnreadableVideo."""
    with open_video(path, limits=limits) as video:
        # The display rotation is known from frames only.
        next(video.frames(), None)
        return video.info


def _open_container(path: Path, kind: Container, limits: Limits, hwaccel: HWAccel | None) -> Any:
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": kind.demuxer,
        "max_streams": str(limits.max_streams),
        "max_pixels": str(limits.max_pixels),
        "skip_initial_bytes": str(kind.skip),
    }
    # "file:" keeps a name such as "concat:a|b" or "http:..." from being read as an address.
    return av.open(
        f"file:{path.absolute()}",
        format=kind.demuxer,
        options=options,
        metadata_errors="replace",
        timeout=60.0,
        hwaccel=hwaccel,
    )


def _error_text(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _open_error_text(path: Path, demuxer: str, error: BaseException) -> str:
    if isinstance(error, av.error.InvalidDataError):
        if demuxer.startswith("mov"):
            return (
                f"{path.name}: the index of this mp4/mov file is missing or damaged. The file may be incomplete; "
                "copy it again."
            )
        return f"{path.name}: the file is damaged at its beginning. Copy it again."
    return f"{path.name}: cannot be opened: {_error_text(error)}."
