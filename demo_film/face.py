"""Faces: contour, eyes, brows, nose, mouth and blush. Units: skull radius 1, its centre (0, 0), y downwards."""

from __future__ import annotations

import numpy as np

from demo_film.canvas import Clip, Path, Pen, bend, ellipse, path, smooth
from demo_film.cast import Appearance, Pose
from demo_film.palette import EYES, HAIR, SKIN, Colour, lighten, line, mix, shade, skin_shade

LASH: Colour = (48, 34, 44)
MOUTH_IN: Colour = (150, 62, 66)
TONGUE: Colour = (226, 122, 120)

_FRONT = path(
    (0.84, -0.30), (0.85, 0.10), (0.81, 0.42), (0.66, 0.74), (0.34, 1.01), (0.0, 1.14), (-0.34, 1.01), (-0.66, 0.74),
    (-0.81, 0.42), (-0.85, 0.10), (-0.84, -0.30), (0.0, -0.85),
)  # fmt: skip
_TURNED = path(
    (0.88, -0.30), (0.81, 0.08), (0.86, 0.40), (0.77, 0.72), (0.54, 1.00), (0.30, 1.13), (-0.04, 1.04), (-0.38, 0.78),
    (-0.56, 0.44), (-0.62, 0.10), (-0.64, -0.30), (0.1, -0.85),
)  # fmt: skip
_SIDE = path(
    (0.84, -0.55), (0.93, -0.25), (0.93, 0.02), (0.87, 0.21), (0.93, 0.40), (1.05, 0.55), (0.95, 0.63), (0.965, 0.71),
    (0.91, 0.775), (0.93, 0.84), (0.87, 0.91), (0.86, 1.03), (0.72, 1.11), (0.38, 0.99), (0.04, 0.76), (-0.12, 0.38),
    (-0.15, -0.30), (0.0, -0.85),
)  # fmt: skip


def contour(appearance: Appearance, yaw: float) -> Path:
    """The outline of a face turned to the right by `yaw` degrees (0 to 115)."""
    if yaw >= 65:
        return smooth(_SIDE, closed=True, steps=5)
    t = yaw / 40
    points = _FRONT * (1 - t) + _TURNED * t
    points = points.copy()
    points[4:7, 1] += appearance.chin
    points[3, 0] -= appearance.chin * 0.4
    points[7, 0] += appearance.chin * 0.4
    return smooth(points, closed=True)


def face_box(pen: Pen, yaw: float) -> tuple[float, float, float, float]:
    """The face's box in picture pixels (left, top, right, bottom): from the brow under the fringe to the chin."""
    if yaw >= 65:
        x, y, rx, ry = 0.43, 0.37, 0.66, 0.78
    else:
        t = yaw / 40
        x, y, rx, ry = 0.14 * t, 0.37, 0.82 - 0.06 * t, 0.79
    centre = pen.picture_points(path((x, y)))[0]
    a = np.radians(pen.turn)
    half_w = pen.unit * float(np.hypot(rx * np.cos(a), ry * np.sin(a)))
    half_h = pen.unit * float(np.hypot(rx * np.sin(a), ry * np.cos(a)))
    return (
        float(centre[0] - half_w), float(centre[1] - half_h), float(centre[0] + half_w), float(centre[1] + half_h)
    )  # fmt: skip


def _ear(pen: Pen, x: float, skin: Colour, outline: Colour) -> None:
    pen.shape(ellipse(x, 0.36, 0.15, 0.24), skin, line=outline, w=0.025)
    pen.taper(bend((x - 0.05, 0.24), (x + 0.02, 0.48), -0.2), 0.02, outline)


def draw_face(pen: Pen, appearance: Appearance, pose: Pose, *, yaw: float, fringe: tuple[Path, ...]) -> Clip | None:
    """Draws ears, skin and features for a head that looks to the right by `yaw` >= 0; `fringe` throws the shadow."""
    skin = SKIN[appearance.skin]
    outline = mix(line(skin), (150, 80, 70), 0.35)
    dark = skin_shade(skin)
    shape = contour(appearance, yaw)
    if yaw < 65:
        _ear(pen, -0.86 + 0.3 * yaw / 40, skin, outline)
        if yaw < 14:
            _ear(pen, 0.86, skin, outline)
    clip = pen.shape(shape, skin, line=outline, w=0.028)
    if clip is not None:
        pen.flood(clip.edge(*pen.shift(0.07, -0.02)), dark, opacity=0.55)
        dx, dy = 0.03, 0.13
        moved = [f + np.array([dx, dy]) for f in fringe]
        pen.flood(pen.within(clip, *moved), dark)
    nod = pose.nod * 0.09
    if yaw >= 65:
        _side_features(pen, appearance, pose, clip, nod, outline)
    else:
        _features(pen, appearance, pose, clip, yaw / 40, nod, outline)
    if yaw >= 65:
        _ear(pen, 0.02, skin, outline)
    return clip


def _features(
    pen: Pen, appearance: Appearance, pose: Pose, clip: Clip | None, t: float, nod: float, outline: Colour
) -> None:
    y = 0.335 + nod
    _blush(pen, pose, clip, [(-0.50 + 0.34 * t, 0.27), (0.50 + 0.17 * t, 0.27 - 0.08 * t)], y + 0.27)
    _eye(pen, appearance, pose, x=-0.405 + 0.345 * t, y=y, half=0.268 - 0.012 * t, outer=-1)
    _eye(pen, appearance, pose, x=0.405 + 0.205 * t, y=y, half=0.268 - 0.07 * t, outer=1)
    nx = 0.47 * t
    ny = 0.66 + nod
    if t > 0.4:
        pen.taper(smooth([(nx + 0.03, ny - 0.075), (nx + 0.055, ny), (nx - 0.01, ny + 0.02)]), 0.024, outline)
    else:
        pen.taper(bend((nx + 0.005, ny - 0.045), (nx + 0.03, ny + 0.02), 0.1), 0.026, outline)
    _mouth(pen, pose, x=0.345 * t, y=0.865 + nod * 0.8, squeeze=1 - 0.18 * t, outline=outline)


def _side_features(
    pen: Pen, appearance: Appearance, pose: Pose, clip: Clip | None, nod: float, outline: Colour
) -> None:
    y = 0.325 + nod * 0.5
    _blush(pen, pose, clip, [(0.52, 0.22)], y + 0.27)
    _eye(pen, appearance, pose, x=0.67, y=y, half=0.145, outer=-1)
    opened = pose.talk if pose.talk > 0 else {"open": 0.6, "laugh": 1.0, "grin": 0.7, "small": 0.4}.get(pose.mouth, 0)
    if opened > 0:
        reach = min(1.0, 10 / (0.2 * pen.unit)) if pose.talk > 0 else 1.0
        wide, high = 0.15 * reach, 0.11 * opened * reach
        inside = smooth([(0.93, 0.775), (0.93 - wide, 0.79), (0.93 - wide * 0.8, 0.79 + high), (0.92, 0.79 + high)])
        pen.shape(inside, MOUTH_IN, line=outline, w=0.02)
    else:
        lift = {"smile": -0.05, "frown": 0.04}.get(pose.mouth, 0.0)
        pen.taper(bend((0.925, 0.78), (0.76, 0.785 + lift), 0.08), 0.024, outline, ends=(0.6, 0.3))


def _blush(pen: Pen, pose: Pose, clip: Clip | None, spots: list[tuple[float, float]], y: float) -> None:
    if pose.blush <= 0:
        return
    for x, rx in spots:
        for k, share in ((1.0, 0.14), (0.78, 0.16), (0.52, 0.18)):
            pen.flood(
                pen.within(clip, ellipse(x, y, rx * k, 0.13 * k)), (250, 128, 128), opacity=share * pose.blush * 1.6
            )
        if pose.blush > 0.7:
            for i in (-1, 0, 1):
                pen.taper(
                    path((x + i * 0.09 + 0.03, y - 0.05), (x + i * 0.09 - 0.03, y + 0.05)), 0.018, (226, 104, 104)
                )


def _eye(pen: Pen, appearance: Appearance, pose: Pose, *, x: float, y: float, half: float, outer: int) -> None:
    """One eye; `outer` is the side (-1, 1) of its outer corner."""
    slant = {"sharp": -0.055, "droopy": 0.045}.get(appearance.eye_shape, -0.01)
    high = (0.228 if appearance.boy else 0.285) * (0.94 if appearance.eye_shape == "sharp" else 1.0)
    lash = mix(LASH, line(HAIR[appearance.hair]), 0.35)
    if pose.smiling_eyes or pose.eyes < 0.12:
        up = pose.smiling_eyes
        a, b = (x - half * 1.02, y + (0.09 if up else 0.05)), (x + half * 1.02, y + (0.09 if up else 0.05))
        pen.taper(bend(a, b, 0.21 if up else -0.17), 0.062, lash, ends=(0.35, 0.35))
        for k in (0.72, 0.98):
            px, py = x + outer * half * k, y + (0.06 if up else 0.10)
            pen.taper(path((px, py), (px + outer * 0.055, py + (0.05 if up else 0.055))), 0.03, lash, ends=(1, 0.2))
        return
    opened = min(pose.eyes, 1.1)
    top, low = y - high * opened, y + high * 0.86
    inner_corner = (x - outer * half, y + 0.035 - slant * 0.4 + (1 - opened) * 0.04)
    outer_corner = (x + outer * half, y + 0.0 + slant + (1 - opened) * 0.06)
    upper = smooth(
        [inner_corner, (x - outer * half * 0.55, top + high * 0.17), (x + outer * half * 0.1, top),
         (x + outer * half * 0.72, top + high * 0.24 + slant * 0.4), outer_corner]
    )  # fmt: skip
    lower = smooth(
        [outer_corner, (x + outer * half * 0.74, low - high * 0.24), (x, low), (x - outer * half * 0.7,
         low - high * 0.2),
         inner_corner]
    )  # fmt: skip
    white = np.vstack([upper, lower])
    pen.fill(white, (252, 250, 252))
    clip = pen.clip(white)
    _iris(pen, appearance, pose, clip, x + pose.gaze[0] * half * 0.26, y + 0.005 + pose.gaze[1] * 0.06, half, high)
    pen.flood(
        pen.within(clip, np.vstack([upper, (upper + np.array([0.0, high * 0.22]))[::-1]])),
        (120, 106, 150),
        opacity=0.32,
    )
    thick = 0.075 * (0.7 if appearance.boy else 1.0)
    wing = (outer_corner[0] + outer * 0.075, outer_corner[1] - 0.025 + slant * 0.6)
    crest = upper + np.array([0.0, -thick]) * np.linspace(0.15, 1.25, len(upper))[:, None]
    pen.fill(np.vstack([upper, path((outer_corner[0], outer_corner[1] + 0.045), wing), crest[::-1]]), lash)
    pen.taper(lower[2:16], 0.026, mix(lash, SKIN[appearance.skin], 0.25), ends=(1.0, 0.2))
    crease = upper[6:-4] + np.array([outer * 0.01, -thick - 0.055])
    pen.taper(crease, 0.018, mix(line(SKIN[appearance.skin]), SKIN[appearance.skin], 0.35))


def _iris(
    pen: Pen, appearance: Appearance, pose: Pose, clip: Clip | None, x: float, y: float, half: float, high: float
) -> None:
    colour = EYES[appearance.eyes]
    rx, ry = half * (0.70 if half > 0.16 else 0.62), high * 0.97
    rim: Colour = (colour[0] * 0.28, colour[1] * 0.24, colour[2] * 0.34)
    disc = ellipse(x, y, rx, ry)
    pen.flood(pen.within(clip, disc), rim)
    inner = pen.within(clip, ellipse(x, y, rx * 0.88, ry * 0.9))
    pen.gradient(inner, mix(rim, colour, 0.25), lighten(colour, 0.30), y - ry * 0.7, y + ry * 0.8)
    glow = pen.within(inner, ellipse(x, y + ry * 0.52, rx * 0.66, ry * 0.36)) if inner is not None else None
    pen.flood(glow, lighten(colour, 0.55), opacity=0.75)
    pen.flood(pen.within(clip, ellipse(x, y - ry * 0.05, rx * 0.40, ry * 0.46)), mix(rim, (20, 14, 30), 0.5))
    spark = -1.0 if not pen.flip else 1.0  # the light comes from the left of the picture in every view
    pen.flood(pen.within(clip, ellipse(x + spark * rx * 0.36, y - ry * 0.42, rx * 0.34, ry * 0.25)), (255, 255, 255))
    pen.flood(pen.within(clip, ellipse(x - spark * rx * 0.42, y + ry * 0.40, rx * 0.17, ry * 0.12)), (255, 255, 255))


def _mouth(pen: Pen, pose: Pose, *, x: float, y: float, squeeze: float, outline: Colour) -> None:
    if pose.talk > 0:
        # A lip flap stays under 12 pixels across in the finished picture.
        rx = min(0.12 * squeeze, 4.4 / pen.unit)
        ry = min(0.10, 4.4 / pen.unit) * pose.talk
        pen.shape(ellipse(x, y, rx, ry), MOUTH_IN, line=outline, w=0.02)
        return
    k = squeeze
    if pose.mouth in ("closed", "smile", "frown"):
        wide = {"closed": 0.11, "smile": 0.17, "frown": 0.12}[pose.mouth] * k
        bow = {"closed": -0.10, "smile": -0.22, "frown": 0.20}[pose.mouth]
        pen.taper(bend((x - wide, y), (x + wide, y), bow), 0.028, outline, ends=(0.5, 0.5))
        return
    if pose.mouth == "small":
        pen.shape(ellipse(x, y, 0.065 * k, 0.055), MOUTH_IN, line=outline, w=0.022)
        return
    wide, deep = {"open": (0.16, 0.16), "laugh": (0.24, 0.25), "grin": (0.23, 0.15)}[pose.mouth]
    wide *= k
    lip = bend((x - wide, y - 0.05), (x + wide, y - 0.05), -0.09)
    jaw = smooth([(x + wide, y - 0.05), (x + wide * 0.72, y + deep * 0.5), (x, y + deep * 0.78),
                  (x - wide * 0.72, y + deep * 0.5), (x - wide, y - 0.05)])  # fmt: skip
    mouth = np.vstack([lip, jaw])
    clip = pen.shape(mouth, MOUTH_IN)
    if pose.mouth == "grin":
        pen.flood(pen.within(clip, np.vstack([lip, (lip + np.array([0.0, 0.075]))[::-1]])), (255, 252, 250))
    else:
        pen.flood(pen.within(clip, ellipse(x, y + deep * 0.72, wide * 0.62, deep * 0.34)), TONGUE)
        pen.flood(pen.within(clip, np.vstack([lip, (lip + np.array([0.0, 0.035]))[::-1]])), (255, 250, 250))
    pen.stroke(mouth, 0.024, outline, closed=True)


def draw_brows(pen: Pen, appearance: Appearance, pose: Pose, *, yaw: float) -> None:
    """The brows, drawn last, since by convention they are visible through the fringe."""
    colour = mix(line(HAIR[appearance.hair]), shade(HAIR[appearance.hair]), 0.35)
    t = min(yaw / 40, 1.3)
    y = -0.115 + pose.nod * 0.09 - (0.07 if pose.brows == "raised" else 0.0)
    tip = {"angry": 0.10, "sad": -0.09}.get(pose.brows, 0.0)
    thick = 0.052 if appearance.boy else 0.036
    eyes = [(0.67, 0.13, -1)] if yaw >= 65 else [(-0.41 + 0.345 * t, 0.23, -1), (0.41 + 0.205 * t, 0.23 - 0.06 * t, 1)]
    for x, half, outer in eyes:
        a = (x - outer * half * 0.9, y + tip)
        b = (x + outer * half * 1.1, y + 0.02 - tip * 0.4)
        pen.taper(bend(a, b, outer * 0.13), thick, colour, ends=(0.9, 0.25))
