"""Draws one person into a picture, from the back hair to the brows, and returns the position of the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo_film.body import draw_body
from demo_film.canvas import Canvas, Pen, bend, ellipse, path, smooth
from demo_film.cast import Appearance, Pose
from demo_film.face import draw_brows, draw_face, face_box
from demo_film.hair import draw_back_hair, draw_front_hair, make_hair
from demo_film.palette import CLOTH, Colour, line, mix, shade

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Light:
    """The light of a place: a factor per channel, and a haze for distant people."""

    tint: Colour = (1.0, 1.0, 1.0)
    haze: tuple[Colour, float] | None = None


@dataclass(frozen=True)
class Drawn:
    """A person's face box in picture pixels (None from behind) and its view."""

    face: Box | None
    view: str
    head: Box


def draw_person(
    canvas: Canvas, appearance: Appearance, pose: Pose, *, x: float, y: float, unit: float, light: Light | None = None
) -> Drawn:
    """Draws a person whose skull's centre is (x, y) and radius is `unit`, all in picture pixels."""
    lit = light or Light()
    flip = pose.yaw < 0
    yaw = min(abs(pose.yaw), 180.0)
    pen = Pen(canvas, x=x, y=y, unit=unit, flip=flip, light=lit.tint, haze=lit.haze)
    # A head tilts around its neck, not its centre.
    head = pen.turned(-pose.tilt if flip else pose.tilt, (-0.05, 1.25))
    hair = make_hair(appearance, yaw, flip=flip)
    back = yaw >= 115
    body = Pen(canvas, x=x, y=y - 0.13 * unit, unit=unit, flip=flip, light=lit.tint, haze=lit.haze)
    if back:
        draw_body(body, appearance, pose, yaw=yaw)
        draw_back_hair(head, appearance, hair, yaw=yaw, flip=flip)
    else:
        draw_back_hair(head, appearance, hair, yaw=yaw, flip=flip)
        draw_body(body, appearance, pose, yaw=yaw)
        draw_face(head, appearance, pose, yaw=yaw, fringe=(*hair.fringe, hair.cap))
    draw_front_hair(head, appearance, hair, yaw=yaw, flip=flip)
    if not back:
        draw_brows(head, appearance, pose, yaw=yaw)
        if appearance.accessory == "glasses":
            _glasses(head, appearance, yaw)
    _accessory(head, appearance, yaw, flip=flip)
    centre = head.picture_points(path((0.0, -0.05)))[0]
    reach = 1.3 * unit
    around = (float(centre[0] - reach), float(centre[1] - reach), float(centre[0] + reach), float(centre[1] + reach))
    return Drawn(None if back else face_box(head, yaw), pose.view, around)


def _glasses(pen: Pen, appearance: Appearance, yaw: float) -> None:
    frame = line(CLOTH[appearance.accent])
    t = min(yaw / 40, 1.3)
    y = 0.34
    if yaw >= 65:
        pen.stroke(ellipse(0.72, y, 0.19, 0.27), 0.035, frame, closed=True)
        pen.stroke(path((0.53, y - 0.06), (0.05, y - 0.02)), 0.03, frame)
        return
    near_eye, far_eye = -0.405 + 0.345 * t, 0.41 + 0.185 * t
    half = 0.33
    pen.stroke(ellipse(near_eye, y, half, 0.30), 0.035, frame, closed=True)
    pen.stroke(ellipse(far_eye, y, half * (1 - 0.25 * t), 0.30), 0.035, frame, closed=True)
    pen.stroke(bend((near_eye + half, y - 0.04), (far_eye - half * (1 - 0.25 * t), y - 0.04), 0.2), 0.03, frame)
    pen.stroke(path((near_eye - half, y - 0.05), (near_eye - half - 0.14, y - 0.08)), 0.03, frame)


def _accessory(pen: Pen, appearance: Appearance, yaw: float, *, flip: bool) -> None:
    accent = CLOTH[appearance.accent]
    edge = line(accent)
    lon = (-44.0 if not flip else 44.0) + yaw
    x, depth = 1.05 * float(np.sin(np.radians(lon))), float(np.cos(np.radians(lon)))
    if appearance.accessory == "headband" and yaw < 115:
        a = 0.35 * float(np.sin(np.radians(yaw)))
        band = np.vstack([smooth([(-1.08, -0.42 + a * 0.2), (-0.6 - a, -0.92), (0.0 - a, -1.06), (0.62 - a * 0.4,
                                  -0.90),
                                  (1.06, -0.42)]),
                          smooth([(1.02, -0.30), (0.56 - a * 0.4, -0.74), (0.0 - a, -0.88), (-0.56 - a, -0.75),
                                  (-1.06, -0.27 + a * 0.2)])])  # fmt: skip
        pen.shape(band, accent, shade=shade(accent), line=edge, w=0.028, light=(-0.05, -0.05))
    if depth < 0.1:
        return
    if appearance.accessory == "hairclip":
        s = max(depth, 0.4)
        for dy in (0.0, 0.15):
            clip = path(
                (x - 0.17 * s, -0.30 + dy),
                (x + 0.15 * s, -0.38 + dy),
                (x + 0.17 * s, -0.30 + dy),
                (x - 0.15 * s, -0.22 + dy),
            )
            pen.shape(clip, accent, shade=shade(accent), line=edge, w=0.025, light=(-0.03, -0.02))
    elif appearance.accessory == "flower":
        cx, cy = x * 1.0, -0.42
        for k in range(5):
            a = np.radians(90 + 72 * k)
            petal = ellipse(cx + 0.15 * float(np.cos(a)), cy - 0.15 * float(np.sin(a)), 0.13, 0.13, steps=18)
            pen.shape(petal, accent, shade=shade(accent), line=edge, w=0.024, light=(-0.04, -0.03))
        pen.shape(ellipse(cx, cy, 0.075, 0.075, steps=16), (250, 222, 110), line=mix(edge, (160, 120, 40), 0.5), w=0.02)
    elif appearance.accessory == "ribbon":
        cx, cy = x * 0.95, -0.70
        for s in (-1, 1):
            wing = smooth([(cx, cy), (cx + s * 0.30, cy - 0.24), (cx + s * 0.46, cy - 0.10), (cx + s * 0.40, cy + 0.18),
                           (cx + s * 0.18, cy + 0.10)], closed=True)  # fmt: skip
            pen.shape(wing, accent, shade=shade(accent), line=edge, w=0.028, light=(-0.06, -0.05))
        pen.shape(ellipse(cx, cy, 0.09, 0.10, steps=18), accent, line=edge, w=0.026)
