"""Extracts the distinct pictures of a film in one decoding pass, with previews, descriptors, measures and shots."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.descriptors import describe
from ingest.algorithms.gate import Gate, GateParams, View
from ingest.algorithms.quality import Measures, measure
from ingest.algorithms.sampling import Interval
from ingest.imaging.encode import PREVIEW_SIDE
from ingest.imaging.hdr import LABELS, transfer_of
from ingest.imaging.letterbox import find_box
from ingest.imaging.modes import Everything, FilmDrawing, FilmView, MpdecimateMode, Picker
from ingest.imaging.planes import Box, ColourSpace, colour_space_of, full_luma, planes_rgb, rgb, shrink, thumbs
from ingest.imaging.seeking import seek_frame, seek_frames
from ingest.imaging.video import Limits, OpenVideo, TimedFrame, VideoInfo, open_video

U8 = NDArray[np.uint8]
TONE_MAPPED, AS_CODED = "tone_mapped", "as_coded"  # what is stored of a frame from an HDR film
# Bits of H.264 that give the quality of one bit of these codecs, as comparisons of encoders commonly find.
H264_BITS_FACTOR = {"hevc": 1.6, "vp9": 1.5, "av1": 2.0, "mpeg4": 0.6, "mpeg2video": 0.4, "vc1": 0.8}
MODES = ("drawings", "mpdecimate", "keyframes", "interval")


@dataclass(frozen=True)
class ExtractParams:
    """Which pictures to take and how. `every_s` (seconds, above 0) is for mode "interval"; `trim_bars` cuts off
    letterbox bars. Raises ValueError for an unknown mode or interval."""

    mode: str = "drawings"
    every_s: float = 0.5
    trim_bars: bool = False
    use_gpu: bool = False
    full_pictures: bool = True
    tone_map: bool = True  # HDR to standard dynamic range
    gate: GateParams = field(default_factory=GateParams)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode!r}; choose one of {', '.join(MODES)}")
        if not self.every_s > 0:
            raise ValueError("the interval must be more than 0 seconds")


@dataclass(kw_only=True)
class Extracted:
    """One distinct picture. `index` counts decoded frames from 0, `count` the frames of its run; `pts` is in ticks of
    the stream, times are in seconds.

    `image` and `preview` are uint8[h, w, 3] RGB; `image` is None for dropped pictures and when no full pictures were
    requested.
    """

    index: int
    pts: int
    time_s: float
    first_s: float
    end_s: float
    count: int
    shot: int
    state: str
    reason: str
    width: int
    height: int
    image: U8 | None
    preview: U8
    descriptor: U8
    measures: Measures


@dataclass
class ExtractSummary:
    """Results of an extraction as a whole. Filled while it runs, complete after the last picture."""

    info: VideoInfo | None = None
    decoded: int = 0
    kept_count: int = 0
    dropped_count: int = 0
    last_time_s: float = 0.0  # of the latest decoded frame
    duration_s: float = 0.0  # known at the end
    shot_starts: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    device: str = ""
    box: Box | None = None
    hdr: str = ""  # "pq" or "hlg" for an HDR film
    bits: float = 0.0  # log2 of the bits per picture, converted to H.264; 0 if unknown


def extract(
    path: Path | str,
    params: ExtractParams | None = None,
    *,
    summary: ExtractSummary | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Iterator[Extracted]:
    """Yield the distinct pictures of a film in order of time; two passes over the same file give the same result.

    `summary` is filled while pictures are yielded. `alive` is called for each decoded frame, since a still scene yields
    nothing for minutes; an exception that it raises ends the decoding. Raises UnreadableVideo.
    """
    params = params or ExtractParams()
    summary = summary if summary is not None else ExtractSummary()
    path = Path(path)
    box = find_box(path, params.limits) if params.trim_bars else None
    with open_video(path, limits=params.limits, use_gpu=params.use_gpu) as video:
        summary.info, summary.device, summary.box = video.info, video.device, box
        summary.bits = _log2_bits_per_picture(video)
        picker: Picker | None = None
        for timed_frame in video.frames(key_frames_only=params.mode == "keyframes"):
            if picker is None:
                colour_space = colour_space_of(timed_frame.frame, video.info.pixel_aspect, tone_map=params.tone_map)
                picker = _build_picker(params, colour_space)
                film = _Film(params, summary, box, video.info, colour_space)
                summary.shot_starts = picker.shot_starts
                summary.hdr = transfer_of(timed_frame.frame)
            alive()
            number, summary.decoded = summary.decoded, summary.decoded + 1
            summary.last_time_s = timed_frame.time_s
            for drawing in picker.add(_build_view(number, timed_frame, film)):
                yield _extract_picture(drawing, film)
        if picker is not None:
            for drawing in picker.finish():
                yield _extract_picture(drawing, film)
        summary.duration_s = summary.last_time_s + (1.0 / video.info.fps if video.info.fps > 0 else 0.0)
        summary.warnings = [*video.warnings, *_hdr_warnings(summary.hdr, tone_map=params.tone_map)]
        summary.device = video.device


@dataclass(frozen=True)
class FrameRequest:
    """A full picture to decode again as the extraction did: the one shown at `time_s` (seconds, `Extracted.time_s`),
    cut to `box` (left, top, right, bottom in coded pixels)."""

    time_s: float
    box: tuple[int, int, int, int] | None = None
    tone_map: bool = True


def decode_picture(path: Path | str, request: FrameRequest, *, limits: Limits | None = None) -> U8:
    """The requested picture, uint8[h, w, 3] RGB. Raises UnreadableVideo."""
    timed_frame, info = seek_frame(path, request.time_s, limits=limits)
    return _picture(timed_frame, info, request)


def decode_pictures(path: Path | str, requests: Sequence[FrameRequest]) -> Iterator[U8]:
    """Yield the pictures that `decode_picture` returns, in order; fast for increasing times that are close together.

    Raises UnreadableVideo at the picture that cannot be read.
    """
    for (timed_frame, info), request in zip(
        seek_frames(path, [item.time_s for item in requests]), requests, strict=True
    ):
        yield _picture(timed_frame, info, request)


def _picture(timed_frame: TimedFrame, info: VideoInfo, request: FrameRequest) -> U8:
    colour_space = colour_space_of(timed_frame.frame, info.pixel_aspect, tone_map=request.tone_map)
    return rgb(timed_frame.frame, colour_space, box=Box(*request.box) if request.box else None)


def _hdr_warnings(transfer: str, *, tone_map: bool) -> list[str]:
    if not transfer:
        return []
    if tone_map:
        return [f"{LABELS[transfer]}: pictures were tone-mapped to standard range."]
    return [f"{LABELS[transfer]}: pictures were not tone-mapped and look grey. Run again with tone mapping."]


def _build_picker(params: ExtractParams, colour_space: ColourSpace) -> Picker:
    full_range = colour_space.full_range
    if params.mode == "drawings":
        return Gate(params.gate, full_range=full_range)
    if params.mode == "mpdecimate":
        return MpdecimateMode(full_range=full_range)
    interval = Interval(params.every_s) if params.mode == "interval" else None
    return Everything(interval, full_range=full_range)


@dataclass(frozen=True, slots=True)
class _Film:
    """What all pictures of one extraction share."""

    params: ExtractParams
    summary: ExtractSummary
    box: Box | None
    info: VideoInfo
    colour_space: ColourSpace


def _build_view(number: int, timed_frame: TimedFrame, film: _Film) -> FilmView:
    planes = thumbs(timed_frame.frame, film.colour_space, film.box)
    return View(
        number, timed_frame.pts, timed_frame.time_s, planes.gate, planes.luma, planes.u, planes.v, timed_frame.frame
    )


def _extract_picture(drawing: FilmDrawing, film: _Film) -> Extracted:
    view, summary = drawing.best, film.summary
    is_kept = not drawing.reason
    image: U8 | None = None
    if is_kept and film.params.full_pictures and view.frame is not None:
        image = rgb(view.frame, film.colour_space, box=film.box)
        preview = shrink(image, PREVIEW_SIDE)
    else:
        preview = shrink(planes_rgb(view.luma, view.u, view.v, film.colour_space.for_thumbs()), PREVIEW_SIDE)
    height, width = image.shape[:2] if image is not None else (film.info.height, film.info.width)
    if is_kept:
        summary.kept_count += 1
    else:
        summary.dropped_count += 1
    return Extracted(
        index=view.number,
        pts=view.pts,
        time_s=view.time_s,
        first_s=drawing.first_s,
        end_s=drawing.last_s,
        count=drawing.count,
        shot=drawing.shot,
        state="kept" if is_kept else "dropped",
        reason=drawing.reason,
        width=width,
        height=height,
        image=image,
        preview=preview,
        descriptor=describe(view.luma, view.u, view.v),
        measures=_measure_view(view, film),
    )


def _measure_view(view: FilmView, film: _Film) -> Measures:
    """Measures of the full picture, or of the small one for a dropped picture whose frame was released."""
    bits = film.summary.bits
    if view.frame is None:
        return measure(view.gate, view.gate, bits=bits)
    luma, level = full_luma(view.frame, film.colour_space, film.box)
    return measure(luma, view.gate, pixel_aspect=float(film.colour_space.pixel_aspect), level=level, bits=bits)


def _log2_bits_per_picture(video: OpenVideo) -> float:
    rate = video.stream.bit_rate or video.container.bit_rate or 0
    if rate <= 0 or video.info.fps <= 0:
        return 0.0
    return math.log2(max(1.0, rate / video.info.fps * H264_BITS_FACTOR.get(video.info.codec, 1.0)))
