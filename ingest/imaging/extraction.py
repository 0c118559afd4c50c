"""From a film to its distinct pictures in one decoding pass: full picture, preview, descriptor, measures, shot, run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.descriptors import describe
from ingest.algorithms.gate import Drawing, Gate, GateParams, View
from ingest.algorithms.quality import Measures, measure
from ingest.algorithms.sampling import Interval
from ingest.imaging.encode import PREVIEW_SIDE
from ingest.imaging.hdr import LABELS, transfer_of
from ingest.imaging.letterbox import find_box
from ingest.imaging.modes import Everything, MpdecimateMode, Picker
from ingest.imaging.planes import Box, Look, look_of, planes_rgb, rgb, small, thumbs, whole_luma
from ingest.imaging.seeking import frame_at, frames_at
from ingest.imaging.video import Limits, OpenVideo, TimedFrame, VideoInfo, open_video

U8 = NDArray[np.uint8]
TONE_MAPPED, AS_CODED = "tone_mapped", "as_coded"  # what is stored of a frame from an HDR film
# How many bits of H.264 are worth one of these codecs: what comparisons of encoders commonly find.
WORTH = {"hevc": 1.6, "vp9": 1.5, "av1": 2.0, "mpeg4": 0.6, "mpeg2video": 0.4, "vc1": 0.8}
MODES = ("drawings", "mpdecimate", "keyframes", "interval")


@dataclass(frozen=True)
class ExtractParams:
    """What to take. `every_s` seconds is for mode interval; `trim_bars` cuts letterbox bars off."""

    mode: str = "drawings"
    every_s: float = 0.5
    trim_bars: bool = False
    use_gpu: bool = False
    full_pictures: bool = True
    tone_map: bool = True  # HDR to standard range
    gate: GateParams = field(default_factory=GateParams)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode!r}; choose one of {', '.join(MODES)}")
        if not self.every_s > 0:
            raise ValueError("the interval must be more than 0 seconds")


@dataclass
class Extracted:
    """One distinct picture. `index` counts decoded frames from 0; `pts` in ticks of the stream; times in seconds.

    `image` uint8[h, w, 3] RGB is there for kept ones only, `preview` for all.
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
    """What a finished extraction says. Filled while it runs; whole after the last item."""

    info: VideoInfo | None = None
    decoded: int = 0
    kept: int = 0
    dropped: int = 0
    duration_s: float = 0.0
    shot_starts: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    device: str = ""
    box: Box | None = None
    hdr: str = ""  # "pq" or "hlg" where the film is HDR
    bits: float = 0.0  # log2 of those that the film spends on a picture, as of H.264; 0: no telling


def extract(
    path: Path | str,
    params: ExtractParams | None = None,
    *,
    summary: ExtractSummary | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Iterator[Extracted]:
    """Yields the film's distinct pictures in order of time. Two passes over the same file give the same.

    `summary` is filled on the way and whole at the end. `alive` is called with each decoded frame, since a still scene
    yields nothing for minutes, and ends the decoding by what it raises. Raises UnreadableVideo.
    """
    params = params or ExtractParams()
    summary = summary if summary is not None else ExtractSummary()
    path = Path(path)
    box = find_box(path, params.limits) if params.trim_bars else None
    with open_video(path, limits=params.limits, use_gpu=params.use_gpu) as video:
        summary.info, summary.device, summary.box = video.info, video.device, box
        summary.bits = _bits(video)
        picker: Picker | None = None
        last_end = 0.0
        for timed in video.frames(key_frames_only=params.mode == "keyframes"):
            if picker is None:
                look = look_of(timed.frame, video.info.pixel_aspect, tone_map=params.tone_map)
                picker = _picker(params, look)
                summary.shot_starts = picker.shot_starts
                summary.hdr = transfer_of(timed.frame)
            alive()
            number, summary.decoded = summary.decoded, summary.decoded + 1
            summary.duration_s = last_end = timed.time_s
            for drawing in picker.add(_view(number, timed, box, look)):
                yield _extracted(drawing, params, summary, box, video.info)
        if picker is not None:
            for drawing in picker.finish():
                yield _extracted(drawing, params, summary, box, video.info)
        summary.duration_s = last_end + (1.0 / video.info.fps if video.info.fps > 0 else 0.0)
        summary.warnings = [*video.warnings, *_hdr_words(summary.hdr, tone_map=params.tone_map)]
        summary.device = video.device


@dataclass(frozen=True)
class Wanted:
    """A full picture to decode again: the one on show at `time_s` (`Extracted.time_s`), as the extraction took it."""

    time_s: float
    box: tuple[int, int, int, int] | None = None
    tone_map: bool = True


def picture_at(path: Path | str, wanted: Wanted, *, limits: Limits | None = None) -> U8:
    """uint8[h, w, 3] RGB. Raises UnreadableVideo."""
    timed, info = frame_at(path, wanted.time_s, limits=limits)
    return _picture(timed, info, wanted)


def pictures_at(path: Path | str, wanted: Sequence[Wanted]) -> Iterator[U8]:
    """The pictures that `picture_at` gives, in order; quick where rising times lie near each other."""
    for (timed, info), item in zip(frames_at(path, [item.time_s for item in wanted]), wanted, strict=True):
        yield _picture(timed, info, item)


def _picture(timed: TimedFrame, info: VideoInfo, wanted: Wanted) -> U8:
    look = look_of(timed.frame, info.pixel_aspect, tone_map=wanted.tone_map)
    return rgb(timed.frame, look, box=Box(*wanted.box) if wanted.box else None)


def _hdr_words(transfer: str, *, tone_map: bool) -> list[str]:
    if not transfer:
        return []
    if tone_map:
        return [f"{LABELS[transfer]}: its pictures were tone-mapped to standard range."]
    return [f"{LABELS[transfer]}: its pictures are as coded, so they look grey; run again with tone mapping."]


def _picker(params: ExtractParams, look: Look) -> Picker:
    full_range = look.full_range
    if params.mode == "drawings":
        return Gate(params.gate, full_range=full_range)
    if params.mode == "mpdecimate":
        return MpdecimateMode(full_range=full_range)
    interval = Interval(params.every_s) if params.mode == "interval" else None
    return Everything(interval, full_range=full_range)


def _view(number: int, timed: TimedFrame, box: Box | None, look: Look) -> View:
    planes = thumbs(timed.frame, look, box)
    return View(number, timed.pts, timed.time_s, planes.gate, planes.luma, planes.u, planes.v, timed.frame, look)


def _extracted(
    drawing: Drawing, params: ExtractParams, summary: ExtractSummary, box: Box | None, info: VideoInfo
) -> Extracted:
    view = drawing.best
    kept = not drawing.reason
    image: U8 | None = None
    if kept and params.full_pictures and view.token is not None:
        image = rgb(view.token, view.look, box=box)
        preview = small(image, PREVIEW_SIDE)
    else:
        preview = small(planes_rgb(view.luma, view.u, view.v, view.look.of_thumbs()), PREVIEW_SIDE)
    height, width = image.shape[:2] if image is not None else (info.height, info.width)
    if kept:
        summary.kept += 1
    else:
        summary.dropped += 1
    return Extracted(
        index=view.number,
        pts=view.pts,
        time_s=view.time_s,
        first_s=drawing.first_s,
        end_s=drawing.last_s,
        count=drawing.count,
        shot=drawing.shot,
        state="kept" if kept else "dropped",
        reason=drawing.reason,
        width=width,
        height=height,
        image=image,
        preview=preview,
        descriptor=describe(view.luma, view.u, view.v),
        measures=_measured(view, box, summary.bits),
    )


def _measured(view: View, box: Box | None, bits: float) -> Measures:
    """Of the whole picture where it is still there; of the small one for a picture that is dropped anyway."""
    if view.token is None:
        return measure(view.gate, view.gate, bits=bits)
    luma, level = whole_luma(view.token, view.look, box)
    return measure(luma, view.gate, pixel_aspect=float(view.look.pixel_aspect), level=level, bits=bits)


def _bits(video: OpenVideo) -> float:
    rate = video.stream.bit_rate or video.container.bit_rate or 0
    if rate <= 0 or video.info.fps <= 0:
        return 0.0
    return math.log2(max(1.0, rate / video.info.fps * WORTH.get(video.info.codec, 1.0)))
