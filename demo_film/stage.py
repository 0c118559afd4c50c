"""One shot on the animation stand: its ground painted once, each of its drawings once, and a camera over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from demo_film.backgrounds import PLACES, soften
from demo_film.canvas import Canvas, Pixels
from demo_film.cast import Pose
from demo_film.characters import Box, Light, draw_person
from demo_film.script import Plan
from demo_film.title import stripes, title_card

_ROOM = 1.3  # how much larger a drawing is than the picture when the camera moves over it
_GROUNDS: dict[tuple[str, int, int, int], Pixels] = {}


@dataclass(frozen=True)
class Cel:
    """A finished drawing, uint8 RGB, with the face boxes of its actors in its pixels (None where none is seen)."""

    picture: Pixels
    faces: tuple[Box | None, ...]
    raw: Pixels


class Stage:
    """Draws the distinct drawings of a shot, each once."""

    def __init__(self, plan: Plan, size: tuple[int, int]) -> None:
        self.plan = plan
        scale = _ROOM if plan.camera != "still" else 1.0
        self.size = (round(size[0] * scale), round(size[1] * scale))
        place = PLACES.get(plan.place)
        self.tags = place.tags if place is not None else ("simple_background",)
        self._light = Light(place.tint) if place is not None else Light()
        self._poses: list[tuple[Pose, ...]] = []
        self._order: list[tuple[int, int]] = []
        for poses, length in plan.beats:
            if poses not in self._poses:
                self._poses.append(poses)
            self._order.append((self._poses.index(poses), length))
        self._cels: dict[int, Cel] = {}
        self._ground: Canvas | None = None

    def beats(self) -> Iterator[tuple[int, int]]:
        """The drawings in their order: number and how many frames it is held."""
        yield from self._order

    def views(self, cel: int) -> list[str]:
        """From which side each actor is seen."""
        return [p.view for p in self._poses[cel]]

    def draw(self, cel: int) -> Cel:
        """The finished drawing."""
        if cel not in self._cels:
            self._cels[cel] = self._draw(cel)
        return self._cels[cel]

    def _paint_ground(self) -> Canvas:
        plan, (width, height) = self.plan, self.size
        if plan.place == "stripes":
            who = plan.actors[0]
            picture = stripes(np.random.default_rng(plan.ground), self.size, who.person.appearances[who.costume])
        else:
            # Close people stand in front of an enlarged part of the place, blurred as by a lens.
            nearest = max((a.unit for a in plan.actors), default=0.0)
            zoom = 1.0 + 1.1 * min(nearest / 0.3, 1.0)
            big = (round(width * zoom), round(height * zoom))
            key = (plan.place, plan.ground, *big)
            if key not in _GROUNDS:
                if len(_GROUNDS) > 6:
                    _GROUNDS.pop(next(iter(_GROUNDS)))
                _GROUNDS[key] = PLACES[plan.place].paint(np.random.default_rng(plan.ground), big)
            ground = _GROUNDS[key]
            x = int((big[0] - width) * (0.5 if not plan.actors else 1 - plan.actors[0].x))
            y = int((big[1] - height) * 0.55)
            picture = np.ascontiguousarray(ground[y : y + height, x : x + width])
            if plan.blur > 0:
                picture = soften(picture, plan.blur * height)
        if plan.title:
            picture = title_card(picture)
        return Canvas(picture)

    def _draw(self, cel: int) -> Cel:
        if self._ground is None:
            self._ground = self._paint_ground()
        ground = self._ground
        poses = self._poses[cel]
        nearest = self._nearest_cel(cel)
        if nearest is None:
            canvas = ground.copy()
            faces = self._people(canvas, poses, 0, 0)
            raw = canvas.finish()
        else:
            base, who, (x0, y0, x1, y1) = nearest
            ss = ground.ss
            part = Canvas.__new__(Canvas)
            part.ss, part.size = ss, (x1 - x0, y1 - y0)
            part.px = ground.px[y0 * ss : y1 * ss, x0 * ss : x1 * ss].copy()
            faces = self._people(part, poses, x0, y0)
            raw = base.raw.copy()
            x, y, unit = self._place(who)
            inner = 1.2 * unit  # the area outside is equal in both, and the edges of the cut are shaded differently
            left, top = max(int(x - inner), 0), max(int(y - inner), 0)
            right, low = min(int(x + inner), self.size[0]), min(int(y + inner * 1.1), self.size[1])
            raw[top:low, left:right] = part.finish()[top - y0 : low - y0, left - x0 : right - x0]
        return Cel(_soften(raw), faces, raw)

    def _nearest_cel(self, cel: int) -> tuple[Cel, int, tuple[int, int, int, int]] | None:
        """A drawing of this shot that differs in one face only, the actor, and a rectangle around that head."""
        poses = self._poses[cel]
        for other, base in self._cels.items():
            differ = [i for i, (a, b) in enumerate(zip(poses, self._poses[other], strict=True)) if a != b]
            if len(differ) != 1:
                continue
            a, b = poses[differ[0]], self._poses[other][differ[0]]
            if replace(a, talk=0.0, eyes=1.0, mouth="") != replace(b, talk=0.0, eyes=1.0, mouth=""):
                continue
            x, y, unit = self._place(differ[0])
            reach = 1.6 * unit
            box = (int(x - reach), int(y - reach), int(x + reach), int(y + reach * 1.1))
            x0, y0 = max(box[0], 0), max(box[1], 0)
            x1, y1 = min(box[2], self.size[0]), min(box[3], self.size[1])
            if x1 > x0 and y1 > y0:
                return base, differ[0], (x0, y0, x1, y1)
        return None

    def _place(self, actor: int) -> tuple[float, float, float]:
        a = self.plan.actors[actor]
        return a.x * self.size[0], a.y * self.size[1], a.unit * self.size[1]

    def _people(self, canvas: Canvas, poses: tuple[Pose, ...], x0: int, y0: int) -> tuple[Box | None, ...]:
        faces: list[Box | None] = []
        for i, (actor, pose) in enumerate(zip(self.plan.actors, poses, strict=True)):
            x, y, unit = self._place(i)
            appearance = actor.person.appearances[actor.costume]
            drawn = draw_person(canvas, appearance, pose, x=x - x0, y=y - y0, unit=unit, light=self._light)
            f = drawn.face
            faces.append(None if f is None else (f[0] + x0, f[1] + y0, f[2] + x0, f[3] + y0))
        return tuple(faces)


def _soften(picture: Pixels) -> Pixels:
    """The glow of a diffusion filter: a little of the blurred picture, added to it."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), height / 180)
    glow = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.addWeighted(picture, 0.86, glow, 0.17, 0), dtype=np.uint8)


class Camera:
    """What part of a drawing a frame shows."""

    def __init__(self, plan: Plan, size: tuple[int, int]) -> None:
        self.moves = plan.camera != "still"
        self.kind = "zoom" if plan.camera.startswith("zoom") else "pan" if self.moves else "held"
        self._camera, self._size = plan.camera, size
        self._frames = max(plan.frames - 1, 1)

    def _window(self, frame: int) -> tuple[float, float, float]:
        """Left, top and scale (drawing pixels per picture pixel) of the visible part."""
        width, height = self._size
        spare_x, spare_y = width * (_ROOM - 1), height * (_ROOM - 1)
        t = frame / self._frames
        ease = t * t * (3 - 2 * t)
        if self.kind == "zoom":
            k = ease if self._camera == "zoom_in" else 1 - ease
            scale = _ROOM + (1.0 - _ROOM) * k
            return (width * _ROOM - width * scale) / 2, (height * _ROOM - height * scale) * 0.42, scale
        x = {"pan_left": 1 - ease, "pan_right": ease}.get(self._camera, 0.5)
        y = {"pan_up": 1 - ease}.get(self._camera, 0.42)
        return spare_x * x, spare_y * y, 1.0

    def appearance(self, picture: Pixels, frame: int) -> Pixels:
        """The frame uint8 RGB cut from a drawing."""
        if not self.moves:
            return picture
        x, y, scale = self._window(frame)
        matrix = np.array([[scale, 0, x + (scale - 1) / 2], [0, scale, y + (scale - 1) / 2]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(picture, matrix, self._size, flags=flags), dtype=np.uint8)

    def box(self, face: Box, frame: int) -> Box | None:
        """A face's box in 0..1 of the frame, cut at its edges; None if less than half of it can be seen."""
        x, y, scale = self._window(frame) if self.moves else (0.0, 0.0, 1.0)
        width, height = self._size
        left, top = (face[0] - x) / scale / width, (face[1] - y) / scale / height
        right, bottom = (face[2] - x) / scale / width, (face[3] - y) / scale / height
        cut = (max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0))
        seen = max(cut[2] - cut[0], 0.0) * max(cut[3] - cut[1], 0.0)
        return cut if seen >= 0.5 * (right - left) * (bottom - top) else None
