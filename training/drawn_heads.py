"""Draws simple heads in the manner of animation, turned from the front to profile and away, to train a detector.

The drawings teach what aligned front-view crops cannot: profiles, closed or empty eyes, sharp lines at every size,
necks and shoulders below the face, and heads from behind, which are not faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
SHIFT = 4  # fixed-point bits of cv2's sub-pixel drawing


@dataclass(frozen=True, slots=True)
class DrawnHead:
    """A head on transparent ground: `image` uint8 [s, s, 3], `alpha` float32 [s, s], face centre and side in pixels.

    `side` is 0 for a head without a visible face.
    """

    image: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    centre: tuple[float, float]
    side: float


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    pixel = np.array([[[hue % 180, np.clip(saturation, 0, 255), np.clip(value, 0, 255)]]], dtype=np.uint8)
    red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return (float(red), float(green), float(blue))


def _darker(colour: Colour, factor: float) -> Colour:
    return (min(255.0, colour[0] * factor), min(255.0, colour[1] * factor), min(255.0, colour[2] * factor))


class _Pen:
    """Draws filled outlines in units of the face side round the face centre, on colour and alpha at once."""

    def __init__(self, size: int, unit: float, line: Colour, width: int) -> None:
        self.image = np.zeros((size, size, 3), np.uint8)
        self.alpha = np.zeros((size, size), np.uint8)
        self.unit = unit
        self.origin = size / 2
        self.line = line
        self.width = width

    def _points(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        return np.round((points * self.unit + self.origin) * (1 << SHIFT)).astype(np.int32)

    def shape(self, points: NDArray[np.float64], fill: Colour, *, outline: bool = True) -> None:
        corners = self._points(points)
        cv2.fillPoly(self.image, [corners], fill, cv2.LINE_AA, SHIFT)
        cv2.fillPoly(self.alpha, [corners], (255,), cv2.LINE_AA, SHIFT)
        if outline and self.width:
            self.stroke(np.vstack([points, points[:1]]), self.line, self.width)

    def stroke(self, points: NDArray[np.float64], colour: Colour, width: int) -> None:
        corners = self._points(points)
        cv2.polylines(self.image, [corners], False, colour, max(1, width), cv2.LINE_AA, SHIFT)
        cv2.polylines(self.alpha, [corners], False, (255,), max(1, width), cv2.LINE_AA, SHIFT)


def _smooth(points: list[tuple[float, float]], steps: int = 6) -> NDArray[np.float64]:
    """Closed Catmull-Rom curve through the points: float64 [len(points) * steps, 2]."""
    corner = np.array(points)
    before, after, beyond = np.roll(corner, 1, 0), np.roll(corner, -1, 0), np.roll(corner, -2, 0)
    parts = []
    for step in range(steps):
        t = step / steps
        parts.append(
            0.5 * (2 * corner + (after - before) * t + (2 * before - 5 * corner + 4 * after - beyond) * t**2)
            + 0.5 * (3 * corner - before - 3 * after + beyond) * t**3
        )
    return np.stack(parts, 1).reshape(-1, 2)


def _ellipse(
    x: float, y: float, width: float, height: float, start: float = 0, end: float = 360
) -> NDArray[np.float64]:
    angles = np.radians(np.linspace(start, end, 25))
    return np.stack([x + width * np.cos(angles), y + height * np.sin(angles)], 1)


def _outline(turn: float) -> NDArray[np.float64]:
    """Skin outline, from the front (turn 0) to a profile that looks right (turn 1)."""
    front = np.array(
        [
            (-0.47, -0.45), (0.0, -0.62), (0.47, -0.45), (0.5, 0.0), (0.4, 0.24), (0.2, 0.42),
            (0.03, 0.5), (-0.03, 0.5), (-0.2, 0.42), (-0.4, 0.24), (-0.5, 0.0),
        ]
    )  # fmt: skip
    side = np.array(
        [
            (-0.35, -0.45), (0.05, -0.62), (0.36, -0.4), (0.38, -0.06), (0.5, 0.12), (0.4, 0.22),
            (0.4, 0.38), (0.3, 0.49), (0.12, 0.42), (-0.16, 0.26), (-0.3, 0.0),
        ]
    )  # fmt: skip
    return (1 - turn) * front + turn * side


def _eye(
    pen: _Pen, rng: np.random.Generator, x: float, y: float, width: float, height: float, eye_state: str, iris: Colour
) -> None:
    lash = _darker(pen.line, 0.6)
    thick = max(1, round(pen.unit * rng.uniform(0.02, 0.045)))
    if eye_state == "closed":
        pen.stroke(_ellipse(x, y, width, height * 0.4, 15, 165), lash, thick)
        return
    if eye_state == "happy":
        pen.stroke(_ellipse(x, y + height * 0.3, width, height * 0.6, 195, 345), lash, thick)
        return
    pen.shape(_ellipse(x, y, width, height), (250, 248, 250), outline=False)
    if eye_state == "empty":
        pen.stroke(_ellipse(x, y, width, height), lash, max(1, thick // 2))
        pen.shape(_ellipse(x + width * 0.3, y, width * 0.12, width * 0.12), lash, outline=False)
    else:
        pen.shape(_ellipse(x, y + height * 0.08, width * 0.72, height * 0.88), iris, outline=False)
        pen.shape(_ellipse(x, y, width * 0.36, height * 0.5), _darker(iris, 0.35), outline=False)
        pen.shape(
            _ellipse(x - width * 0.25, y - height * 0.4, width * 0.22, height * 0.2), (255, 255, 255), outline=False
        )
    pen.stroke(_ellipse(x, y, width * 1.1, height, 190, 350), lash, thick)


def _features(pen: _Pen, rng: np.random.Generator, turn: float, skin: Colour, hair: Colour) -> None:
    """Eyes, brows, nose, mouth and blush; the far eye narrows with the turn and vanishes in profile."""
    eye_state = str(rng.choice(["open", "open", "open", "closed", "happy", "empty"]))
    iris = _hsv(rng.uniform(0, 180), rng.uniform(60, 220), rng.uniform(90, 230))
    height = rng.uniform(0.09, 0.19)
    width = height * rng.uniform(0.65, 1.0)
    level = rng.uniform(0.0, 0.1)
    gap = rng.uniform(0.2, 0.26)
    centre = 0.24 * turn
    near_eye = (centre - gap * (1 - 0.35 * turn), width * (1 - 0.3 * turn))
    far_eye = (centre + gap * (1 - 0.75 * turn), width * (1 - 0.75 * turn))
    if turn > 0.75:
        near_eye = (rng.uniform(0.14, 0.24), width * 0.6)
        far_eye = (0.0, 0.0)
    brow = _darker(hair, 0.6)
    for x, wide in (near_eye, far_eye):
        if wide < 0.015:
            continue
        _eye(pen, rng, x, level, wide, height, eye_state, iris)
        lift = level - height - rng.uniform(0.02, 0.08)
        pen.stroke(np.array([(x - wide, lift + 0.01), (x + wide, lift - 0.01)]), brow, max(1, round(pen.unit * 0.018)))
    if rng.random() < 0.4:
        flush = (skin[0], skin[1] * 0.85, skin[2] * 0.85)
        for x, wide in (near_eye, far_eye):
            if wide >= 0.03:
                pen.shape(_ellipse(x - 0.02, level + height + 0.08, wide * 0.9, 0.04), flush, outline=False)
    mouth_x = centre * 1.1 if turn <= 0.75 else 0.34
    mouth_y = rng.uniform(0.28, 0.36)
    mouth_w = rng.uniform(0.03, 0.13) * (1 - 0.5 * turn)
    if turn <= 0.75:
        pen.stroke(np.array([(mouth_x + 0.01, 0.18), (mouth_x + 0.03, 0.2)]), _darker(skin, 0.7), 1)
    if rng.random() < 0.4:
        pen.shape(_ellipse(mouth_x, mouth_y, mouth_w, rng.uniform(0.02, 0.09)), (200, 90, 90))
    else:
        pen.stroke(_ellipse(mouth_x, mouth_y - 0.02, mouth_w, 0.03, 20, 160), _darker(skin, 0.5), max(1, pen.width))


def _fringe(rng: np.random.Generator, turn: float) -> NDArray[np.float64]:
    """Zigzag of hair over the forehead, closed above."""
    teeth = int(rng.integers(3, 9))
    left, right = -0.56, 0.56 - 0.14 * turn
    across = np.linspace(left, right, teeth * 2 + 1)
    depth = rng.uniform(-0.3, -0.05)
    down = np.where(
        np.arange(across.size) % 2 == 0, depth + rng.uniform(-0.1, 0.12, across.size), depth - rng.uniform(0.1, 0.25)
    )
    if rng.random() < 0.25:
        down[:] = depth
    lower = np.stack([across + rng.uniform(-0.04, 0.04, across.size), down], 1)
    upper = _ellipse(0.0, -0.3, 0.6, rng.uniform(0.42, 0.55), 360, 180)
    return np.vstack([lower, upper[::-1]])


def _body(pen: _Pen, rng: np.random.Generator, skin: Colour) -> None:
    shirt = _hsv(rng.uniform(0, 180), rng.uniform(0, 200), rng.uniform(40, 255))
    width = rng.uniform(0.7, 1.1)
    lean = rng.uniform(-0.15, 0.15)
    pen.shape(np.array([(-0.15, 0.3), (0.15, 0.3), (0.17 + lean, 0.75), (-0.17 + lean, 0.75)]), _darker(skin, 0.9))
    half = [(0.2 + lean, 0.62), (width + lean, 0.9), (width * 1.1 + lean, 3.0)]
    mirrored = [(2 * lean - x, y) for x, y in reversed(half)]
    pen.shape(np.array(half + mirrored), shirt)
    if rng.random() < 0.6:
        trim = _hsv(rng.uniform(0, 180), rng.uniform(0, 255), rng.uniform(60, 255))
        pen.shape(np.array([(-0.22 + lean, 0.62), (lean, 1.0), (0.22 + lean, 0.62), (lean, 0.74)]), (245, 245, 245))
        pen.shape(np.array([(lean - 0.02, 0.86), (lean - 0.24, 0.74), (lean - 0.24, 1.0)]), trim)
        pen.shape(np.array([(lean + 0.02, 0.86), (lean + 0.24, 0.74), (lean + 0.24, 1.0)]), trim)


def draw_head(rng: np.random.Generator, unit: float) -> DrawnHead:
    """One random head whose face is `unit` pixels wide, on a square of 4 units with the face in the middle.

    One head in twelve is seen from behind (side 0).
    """
    scale = 2 if unit < 60 else 1
    size = round(unit * 4) * scale
    hair = _hsv(rng.uniform(0, 180), rng.uniform(0, 190), rng.uniform(30, 250))
    skin = _hsv(
        rng.uniform(4, 18),
        rng.uniform(10, 110),
        rng.uniform(200, 255) if rng.random() < 0.85 else rng.uniform(110, 200),
    )
    line = _darker(hair, 0.4) if rng.random() < 0.5 else (40.0, 30.0, 35.0)
    pen = _Pen(size, unit * scale, line, int(max(0, round(unit * scale * rng.uniform(0.0, 0.028)))))
    pick = rng.random()
    turn = 0.0 if pick < 0.1 else rng.uniform(0.2, 0.75) if pick < 0.42 else rng.uniform(0.78, 1.0)
    behind = rng.random() < 1 / 12
    length = float(rng.choice([0.5, 0.75, 1.2, 2.0]))
    back = -turn * rng.uniform(0.14, 0.45)
    if length > 0.9:
        _long_hair(pen, rng, back, length, hair)
    _body(pen, rng, skin)
    if length <= 0.9:
        _long_hair(pen, rng, back, length, hair)
    if not behind:
        pen.shape(_smooth_outline(_outline(turn), rng), skin)
        _features(pen, rng, turn, skin, hair)
        if turn > 0.3:
            _side_hair(pen, rng, turn, length, hair)
        if rng.random() < 0.93:
            pen.shape(_fringe(rng, turn), hair)
        for edge in (-1.0, 1.0):
            if rng.random() < 0.6 and not (turn > 0.6 and edge > 0):
                _lock(pen, rng, edge * (0.5 - 0.12 * turn), hair)
    else:
        pen.shape(_ellipse(0, -0.05, 0.62, 0.62), hair)
        for _ in range(int(rng.integers(2, 7))):
            x = rng.uniform(-0.4, 0.4)
            pen.stroke(np.array([(x * 0.4, -0.5), (x, rng.uniform(0, 0.5))]), _darker(hair, 0.7), pen.width)
    image: NDArray[Any] = pen.image
    alpha: NDArray[Any] = pen.alpha
    if rng.random() < 0.4:
        gloss = np.clip(
            image.astype(np.float32) * np.linspace(1.15, 0.85, size, dtype=np.float32)[:, None, None], 0, 255
        )
        image = gloss.astype(np.uint8)
    if scale == 2:
        half = (size // 2, size // 2)
        image, alpha = (
            cv2.resize(image, half, interpolation=cv2.INTER_AREA),
            cv2.resize(alpha, half, interpolation=cv2.INTER_AREA),
        )
    middle = image.shape[0] / 2
    # The box follows the crops' convention: brow to chin, cheek to cheek; in profile it is centred on the visible skin.
    shift = 0.08 * turn * unit
    centre = (middle + shift, middle - 0.02 * unit)
    if rng.random() < 0.5:
        image, alpha, centre = image[:, ::-1], alpha[:, ::-1], (image.shape[0] - centre[0], centre[1])
    return DrawnHead(
        np.ascontiguousarray(image),
        (alpha / 255.0).astype(np.float32),
        centre,
        0.0 if behind else unit * (1.0 - 0.06 * turn),
    )


def _smooth_outline(points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    jitter = points * np.array([rng.uniform(0.92, 1.05), rng.uniform(0.92, 1.06)])
    return _smooth([(float(x), float(y)) for x, y in jitter], 5)


def _long_hair(pen: _Pen, rng: np.random.Generator, back: float, length: float, hair: Colour) -> None:
    wide = rng.uniform(0.6, 1.0)
    crown = _ellipse(back, -0.15, wide, rng.uniform(0.58, 1.1), 180, 360)
    ends = np.array([(back + wide * rng.uniform(0.8, 1.3), length), (back - wide * rng.uniform(0.8, 1.3), length)])
    pen.shape(np.vstack([crown, ends]), hair)


def _side_hair(pen: _Pen, rng: np.random.Generator, turn: float, length: float, hair: Colour) -> None:
    """Hair that covers the near cheek and the ear once the head turns."""
    edge = -0.42 + turn * rng.uniform(0.2, 0.66)  # up to a narrow strip of face behind a curtain of hair
    low = min(length, rng.uniform(0.35, 0.7))
    pen.shape(
        np.array(
            [
                (-0.8, -0.2),
                (-0.3, -0.62),
                (0.1, -0.6),
                (edge + 0.1, -0.25),
                (edge, 0.1),
                (edge - 0.05, low),
                (-0.75, low),
            ]
        ),
        hair,
    )
    for _ in range(int(rng.integers(0, 7))):  # strands
        x = rng.uniform(-0.7, edge)
        bend = x + rng.uniform(-0.06, 0.06)
        pen.stroke(
            np.array([(x * 0.6, -0.55), (x, -0.1), (bend, low)]), _darker(hair, rng.uniform(0.7, 1.25)), pen.width
        )


def _lock(pen: _Pen, rng: np.random.Generator, x: float, hair: Colour) -> None:
    low = rng.uniform(0.2, 0.9)
    pen.shape(
        np.array(
            [(x - 0.1, -0.45), (x + 0.08, -0.45), (x + 0.06, 0.1), (x + rng.uniform(-0.1, 0.1), low), (x - 0.09, 0.1)]
        ),
        hair,
    )
