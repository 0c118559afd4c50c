"""Draws an episode frame by frame and encodes it, with its ground truth next to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from demo_film.canvas import Pixels
from demo_film.cast import Person
from demo_film.script import Plan, make_script
from demo_film.stage import Camera, Stage
from demo_film.truth import Drawing, Seen, Shot, Transition, Truth, read_truth, truth_path

FPS = Fraction(24000, 1001)
_GRAIN = 0.95  # standard deviation of the film grain in steps of luma
_STEP = 24  # frames between two reports
_AHEAD = 24  # frames that are painted before they are encoded: at most so many pictures are in memory
# RGB to YCbCr of BT.709 in the range 16..235, rows Y, Cb, Cr with their offsets.
_BT709 = np.array(
    [
        [0.18259, 0.61423, 0.06201, 16.0],
        [-0.10064, -0.33857, 0.43922, 128.0],
        [0.43922, -0.39894, -0.04027, 128.0],
    ]
)


def draw_episode(
    path: Path,
    *,
    seed: int,
    seconds: float = 75,
    size: tuple[int, int] = (1280, 720),
    grain: bool = True,
) -> Truth:
    """Draws an episode of its own cast to an MP4 (H.264, 23.976 fps) and its truth to NAME.truth.json next to it.

    The same arguments give the same bytes on the same machine. `size` is (width, height), both even. Without `grain`
    the frames of a held drawing are equal, which takes a third of the encoder's time. Raises ValueError for a size or
    length that cannot be encoded.
    """
    for _ in draw_in_steps(path, seed=seed, seconds=seconds, size=size, grain=grain):
        pass
    return read_truth(truth_path(path))


def frame_count(seconds: float) -> int:
    """Frames of a film of this length."""
    return round(seconds * FPS)


def draw_in_steps(
    path: Path, *, seed: int, seconds: float, size: tuple[int, int], grain: bool = True
) -> Generator[int]:
    """`draw_episode` in steps of a second; yields the frames drawn so far. The files are written before the last step.

    Painting and encoding run in two threads. Abandoned, it leaves no file.
    """
    width, height = size
    if width % 2 or height % 2 or width < 64 or height < 64:
        raise ValueError(f"A film cannot be {width}x{height}: both sides must be even and at least 64.")
    if not 2 <= seconds <= 3600:
        raise ValueError(f"A film must last 2 to 3600 seconds, not {seconds}.")
    frames = frame_count(seconds)
    plans, cast, extras = make_script(seed, frames)
    truth = Truth(seed, size, frames, _people(cast), _people(extras), [], [], [])
    part = path.with_name(path.name + ".part")
    try:
        with _Encoder(part, size, seed, grain=grain) as encoder, ThreadPoolExecutor(1) as thread:
            waiting: deque[Future[None]] = deque()
            for count, picture in enumerate(_frames(plans, truth, size), 1):
                waiting.append(thread.submit(encoder.add, picture))
                if len(waiting) >= _AHEAD:
                    waiting.popleft().result()
                if count % _STEP == 0 and count < frames:
                    yield count
            for future in waiting:
                future.result()
        truth.write(truth_path(path))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    yield frames


def draw_small(path: Path, *, seed: int, seconds: float = 6, size: tuple[int, int] = (320, 180)) -> Truth:
    """A short, small episode for tests."""
    return draw_episode(path, seed=seed, seconds=seconds, size=size)


def _people(people: list[Person]) -> list[dict[str, Any]]:
    return [
        {
            "key": p.key,
            "name": p.name,
            "tag": p.tag,
            "costumes": [
                {
                    "name": name,
                    "hair": f"{appearance.hair}_hair",
                    "eyes": f"{appearance.eyes}_eyes",
                    "boy": appearance.boy,
                    "tags": appearance.tags,
                }
                for name, appearance in p.appearances.items()
            ],
        }
        for p in people
    ]


def _frames(plans: list[Plan], truth: Truth, size: tuple[int, int]) -> Iterator[Pixels]:
    """Yield each frame as uint8 RGB (the same array while a drawing is held) and fill the truth."""
    black = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    before: Pixels = black
    position = 0
    first_of: dict[Plan, int] = {}
    for index, plan in enumerate(plans):
        stage = Stage(plan, size)
        camera = Camera(plan, size)
        key = replace(plan, part="")
        shot = Shot(
            index, position, position + plan.frames, plan.kind, plan.place, list(stage.tags), plan.part,
            transition_in="fade" if plan.fade_in else "cross" if plan.cross else "cut",
            transition_out="fade" if plan.fade_out else "cut", repeats=first_of.get(key),
        )  # fmt: skip
        first_of.setdefault(key, index)
        truth.shots.append(shot)
        lead = plan.fade_in or plan.cross
        if lead:
            truth.transitions.append(Transition("fade_in" if plan.fade_in else "cross", position, position + lead))
        if plan.fade_out:
            truth.transitions.append(
                Transition("fade_out", position + plan.frames - plan.fade_out, position + plan.frames)
            )
        drawings: dict[int, Drawing] = {}
        frame = 0
        picture = black
        for cel, length in stage.beats():
            drawn = stage.draw(cel)
            for k in range(length):
                if camera.moves or k == 0:
                    picture = camera.appearance(drawn.picture, frame)
                clean = lead <= frame < plan.frames - plan.fade_out
                if clean:
                    _note(truth, drawings, shot, cel, position + frame, stage, camera, frame)
                    yield picture
                else:
                    yield _transition(plan, before if plan.cross else black, picture, frame)
                frame += 1
        _finish(truth, drawings)
        before = picture
        position += plan.frames


def _transition(plan: Plan, other: Pixels, picture: Pixels, frame: int) -> Pixels:
    lead = plan.fade_in or plan.cross
    if frame < lead:
        t = (frame + 0.5) / lead
    else:
        t = (plan.frames - frame - 0.5) / plan.fade_out
        other = np.zeros_like(picture)
    return np.asarray(cv2.addWeighted(picture, t, other, 1 - t, 0), dtype=np.uint8)


def _note(
    truth: Truth,
    drawings: dict[int, Drawing],
    shot: Shot,
    cel: int,
    position: int,
    stage: Stage,
    camera: Camera,
    frame: int,
) -> None:
    """Record one clean frame of a drawing."""
    drawing = drawings.get(cel)
    if drawing is None:
        people = [
            Seen(a.person.key, a.person.name, view, a.costume, list(a.person.appearances[a.costume].tags), None)
            for a, view in zip(stage.plan.actors, stage.views(cel), strict=True)
        ]
        repeats = None
        if shot.repeats is not None:
            shot_drawings = [d for d in truth.drawings if d.shot == shot.repeats]
            repeats = shot_drawings[len(drawings)].id if len(drawings) < len(shot_drawings) else None
        drawing = Drawing(len(truth.drawings), shot.index, [], camera.kind, people, repeats)
        drawings[cel] = drawing
        truth.drawings.append(drawing)
    if drawing.runs and drawing.runs[-1][1] == position:
        drawing.runs[-1] = (drawing.runs[-1][0], position + 1)
    else:
        drawing.runs.append((position, position + 1))
    if camera.moves or not drawing.people or not drawing.people[0].boxes:
        for seen, face in zip(drawing.people, stage.draw(cel).faces, strict=True):
            seen.boxes.append(None if face is None else camera.box(face, frame))


def _finish(truth: Truth, drawings: dict[int, Drawing]) -> None:
    for drawing in drawings.values():
        for seen in drawing.people:
            seen.box = seen.boxes[len(seen.boxes) // 2]
            if drawing.motion == "held":
                seen.boxes = []


class _Encoder:
    """Writes frames; everything that could vary (threads, noise) is fixed. With `grain` each frame has its own."""

    def __init__(self, path: Path, size: tuple[int, int], seed: int, *, grain: bool) -> None:
        self._count = 0
        self._size = size
        self._rng = np.random.default_rng([seed, 41])
        width, height = size
        self._noise = self._make_noise() if grain else None
        self._last: Pixels | None = None
        self._planes: Pixels | None = None
        self._frame: av.VideoFrame | None = None
        self._box = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        stream = self._box.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # Slower presets take much time without a visible gain. No mbtree, which makes the bytes of two runs differ.
        tools = "mbtree=0" + (":cabac=1:deblock=0,0:bframes=2:b-adapt=0:aq-mode=1" if grain else "")
        stream.options = {"crf": "21", "preset": "ultrafast", "threads": "2", "g": "120", "x264-params": tools}
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
        context.time_base = 1 / FPS
        self._stream = stream

    def _make_noise(self) -> NDArray[np.int16]:
        width, height = self._size
        noise = self._rng.standard_normal((height + 128, width + 128)).astype(np.float32)
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.7), dtype=np.float32)
        return np.asarray(np.rint(noise / noise.std() * _GRAIN), dtype=np.int16)

    def __enter__(self) -> _Encoder:
        return self

    def add(self, picture: Pixels) -> None:
        """Encodes one frame uint8 RGB."""
        width, height = self._size
        if self._planes is None or picture is not self._last:
            luma, *chroma = cv2.split(cv2.transform(picture, _BT709))
            half = [cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for plane in chroma]
            planes = np.concatenate([plane.ravel() for plane in (luma, *half)])
            self._planes = planes.reshape(-1, width)
            self._last, self._frame = picture, None
        if self._noise is not None:
            x, y = (int(v) for v in self._rng.integers(0, 128, 2))
            luma = cv2.add(self._planes[:height], self._noise[y : y + height, x : x + width], dtype=cv2.CV_8U)
            self._frame = av.VideoFrame.from_ndarray(np.vstack([luma, self._planes[height:]]), format="yuv420p")
        elif self._frame is None:
            self._frame = av.VideoFrame.from_ndarray(self._planes, format="yuv420p")
        assert self._frame is not None
        self._frame.pts = self._count
        self._frame.time_base = 1 / FPS
        self._count += 1
        for packet in self._stream.encode(self._frame):
            self._box.mux(packet)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                for packet in self._stream.encode(None):
                    self._box.mux(packet)
        finally:
            self._box.close()
