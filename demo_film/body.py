"""Necks, clothes, arms and legs, in the head's units: the shoulders lie near y = 1.8, the feet near y = 10.5."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from demo_film.canvas import Clip, Path, Pen, bend, ellipse, path, smooth
from demo_film.cast import Appearance, Pose
from demo_film.palette import CLOTH, SKIN, Colour, line, mix, shade, skin_shade

# Puts a front-view path on a body that is turned.
_Place = Callable[[Path], Path]


def _cloth(name: str) -> tuple[Colour, Colour, Colour]:
    base = CLOTH[name]
    return base, shade(base), line(base)


def _mirror(points: Path) -> Path:
    out: Path = points * np.array([-1.0, 1.0])
    return out


def draw_body(pen: Pen, appearance: Appearance, pose: Pose, *, yaw: float) -> None:
    """The body below the head for a view turned right by `yaw` (0 to 180)."""
    turn = float(np.sin(np.radians(yaw)))
    back = yaw >= 115
    # A turned body is narrower; the pen draws a front that is squeezed and moved behind the face.
    wide = 1 - 0.42 * turn**2
    shift = -0.16 * turn
    build = 1.16 if appearance.boy else 1.0

    def place(points: Path) -> Path:
        out: Path = points * np.array([wide * build, 1.0]) + np.array([shift, 0.0])
        return out

    legs(pen, appearance, place)
    far_arm = 1 if yaw < 90 else -1
    if turn < 0.85:
        _arm(pen, appearance, pose, place, far_arm, raised=pose.arms == "wave")
    _neck(pen, appearance, shift, turn)
    clip = _torso(pen, appearance, place)
    if not back:
        _front(pen, appearance, place, clip, turn)
    else:
        pen.taper(place(smooth([(0, 1.75), (0.02, 2.6), (0, 3.4)])), 0.022, line(CLOTH[appearance.outfit.main]))
        if appearance.outfit.kind == "sailor":
            collar = place(path((-0.85, 1.62), (0.85, 1.62), (0.8, 2.6), (-0.8, 2.6)))
            base, dark, edge = _cloth(appearance.outfit.second)
            pen.shape(collar, base, shade=dark, line=edge, w=0.03)
    _arm(pen, appearance, pose, place, -far_arm, raised=False, chest=pose.arms == "chest" and not back)
    if appearance.outfit.kind == "coat":
        _scarf(pen, appearance, shift, turn)


def _neck(pen: Pen, appearance: Appearance, shift: float, turn: float) -> None:
    skin = SKIN[appearance.skin]
    half = 0.27 if not appearance.boy else 0.34
    x = -0.05 * turn
    reach = 0.75 * (1 - 0.6 * turn**2)
    neck = smooth([(x - half, 0.6), (x - half * 0.95 + shift * 0.4, 1.15), (shift - half * 1.15, 1.5),
                   (shift - reach, 1.78),
                   (shift, 2.25), (shift + reach, 1.78), (shift + half * 1.15, 1.5), (x + half * 0.95 + shift * 0.4,
                   1.15),
                   (x + half, 0.6)])  # fmt: skip
    clip = pen.shape(neck, skin, line=mix(line(skin), (150, 80, 70), 0.3), w=0.026)
    under = ellipse(x + 0.1 * turn, 0.82, 0.72, 0.56)
    pen.flood(pen.within(clip, under), skin_shade(skin))


def _torso(pen: Pen, appearance: Appearance, place: _Place) -> Clip | None:
    base, dark, edge = _cloth(appearance.outfit.main)
    kind = appearance.outfit.kind
    dip = 1.98 if kind in ("dress", "tshirt", "sailor") else 1.86
    low = 4.6 if kind in ("hoodie", "coat", "cardigan", "gakuran", "blazer", "tshirt") else 3.9
    left = [(-0.40, 1.52), (-0.72, 1.62), (-1.10, 1.84), (-1.20, 2.5), (-0.98, 3.1), (-0.92, 3.6), (-1.08, low)]
    if kind in ("hoodie", "coat"):
        left = [(-0.40, 1.50), (-0.74, 1.58), (-1.18, 1.82), (-1.26, 2.5), (-1.16, 3.2), (-1.16, 3.7), (-1.28, low)]
    half = smooth(left)
    neckline = smooth([(0.40, 1.52), (0.2, dip - 0.05), (0, dip), (-0.2, dip - 0.05), (-0.40, 1.52)])
    outline = np.vstack([half, _mirror(half)[::-1], neckline])
    clip = pen.shape(place(outline), base, shade=dark, line=edge, w=0.034, light=(-0.18, -0.05))
    for s in (-1, 1):
        pen.taper(place(smooth([(s * 0.95, 2.55), (s * 0.72, 2.72), (s * 0.55, 2.76)])), 0.022, dark)
        pen.taper(place(smooth([(s * 0.90, 3.55), (s * 0.66, 3.45)])), 0.022, dark)
    return clip


def _front(pen: Pen, appearance: Appearance, place: _Place, clip: Clip | None, turn: float) -> None:
    """Collars, ties, buttons."""
    outfit = appearance.outfit
    base, dark, edge = _cloth(outfit.main)
    second, second_dark, second_edge = _cloth(outfit.second)
    accent, accent_dark, accent_edge = _cloth(outfit.accent)
    lead = 0.22 * turn

    def put(points: Path) -> Path:
        return place(points + np.array([lead, 0.0]))

    if outfit.kind == "sailor":
        for s in (-1, 1):
            collar = put(path((s * 0.42, 1.48), (s * 0.95, 1.68), (s * 0.92, 2.05), (0, 2.85), (s * 0.1, 2.3)))
            part = pen.shape(collar, second, shade=second_dark, line=second_edge, w=0.03, light=(-0.05, -0.05))
            stripe = put(path((s * 0.84, 1.70), (s * 0.82, 1.98), (s * 0.06, 2.62)))
            pen.stroke(stripe, 0.03, CLOTH["white"] if outfit.second != "white" else CLOTH["red"])
            del part
        for s in (-1, 1):
            tail = put(smooth([(0, 2.72), (s * 0.16, 2.95), (s * 0.30, 3.45), (s * 0.06, 3.35), (0, 2.9)]))
            pen.shape(tail, accent, shade=accent_dark, line=accent_edge, w=0.026, light=(-0.05, -0.03))
        pen.shape(put(ellipse(0, 2.76, 0.14, 0.11)), accent, shade=accent_dark, line=accent_edge, w=0.026)
    elif outfit.kind in ("blazer", "cardigan"):
        shirt = put(path((-0.40, 1.50), (0.40, 1.50), (0.34, 1.9), (0, 3.0), (-0.34, 1.9)))
        pen.shape(shirt, CLOTH["white"], shade=shade(CLOTH["white"], 0.6), line=line(CLOTH["grey"]), w=0.025)
        if outfit.kind == "blazer":
            for s in (-1, 1):
                lapel = put(
                    path(
                        (s * 0.40, 1.50), (s * 0.64, 1.9), (s * 0.50, 2.2), (s * 0.58, 2.3), (0, 3.05), (s * 0.32, 1.9)
                    )
                )
                pen.shape(lapel, base, shade=dark, line=edge, w=0.03, light=(-0.04, -0.03))
        for s in (-1, 1):
            pen.shape(put(path((s * 0.36, 1.42), (s * 0.46, 1.66), (s * 0.2, 2.0), (0.0, 1.86))), CLOTH["white"],
                      line=line(CLOTH["grey"]), w=0.025)  # fmt: skip
        if appearance.boy:
            tie = put(
                path((-0.1, 1.9), (0.1, 1.9), (0.06, 2.05), (0.14, 2.75), (0, 2.92), (-0.14, 2.75), (-0.06, 2.05))
            )
            pen.shape(tie, accent, shade=accent_dark, line=accent_edge, w=0.025, light=(-0.05, -0.02))
        else:
            for s in (-1, 1):
                wing = put(
                    smooth(
                        [(0, 1.98), (s * 0.22, 1.84), (s * 0.42, 1.88), (s * 0.40, 2.16), (s * 0.2, 2.14), (0, 2.02)]
                    )
                )
                pen.shape(wing, accent, shade=accent_dark, line=accent_edge, w=0.026, light=(-0.05, -0.04))
            pen.shape(put(ellipse(0, 2.0, 0.1, 0.1)), accent, line=accent_edge, w=0.024)
        for y in (3.25, 3.65):
            pen.fill(put(ellipse(0.05, y, 0.055, 0.055)), (232, 206, 120) if outfit.kind == "blazer" else second)
        pen.taper(put(path((0, 3.0), (-0.01, 4.5))), 0.024, edge)
    elif outfit.kind == "gakuran":
        pen.shape(
            put(path((-0.42, 1.40), (0.42, 1.40), (0.36, 1.80), (0, 1.95), (-0.36, 1.80))),
            base,
            shade=dark,
            line=edge,
            w=0.03,
        )
        pen.taper(put(path((0, 1.9), (0, 4.5))), 0.024, edge)
        for y in (2.2, 2.65, 3.1, 3.55, 4.0):
            pen.fill(put(ellipse(0.07, y, 0.06, 0.06)), (232, 206, 120))
    elif outfit.kind == "hoodie":
        hood = put(smooth([(-0.50, 1.35), (-0.86, 1.62), (-0.5, 2.02), (0, 2.16), (0.5, 2.02), (0.86, 1.62), (0.50,
                           1.35),
                           (0.34, 1.7), (0, 1.88), (-0.34, 1.7)], closed=True))  # fmt: skip
        pen.shape(hood, mix(base, second, 0.15), shade=dark, line=edge, w=0.03, light=(-0.06, -0.06))
        for s in (-1, 1):
            pen.stroke(put(bend((s * 0.2, 2.08), (s * 0.24, 2.75), 0.05)), 0.04, second)
        pocket = put(path((-0.5, 3.5), (0.5, 3.5), (0.72, 4.2), (-0.72, 4.2)))
        pen.stroke(pocket, 0.024, edge, closed=True)
    elif outfit.kind == "dress":
        pen.shape(put(smooth([(-0.44, 1.55), (-0.3, 1.95), (0, 2.08), (0.3, 1.95), (0.44, 1.55), (0.55, 1.75),
                              (0.3, 2.14),
                              (0, 2.26), (-0.3, 2.14), (-0.55, 1.75)], closed=True)), second, shade=second_dark,
                  line=second_edge, w=0.025)  # fmt: skip
        pen.flood(pen.within(clip, put(path((-2, 3.3), (2, 3.3), (2, 3.55), (-2, 3.55)))), accent)
    elif outfit.kind == "tshirt":
        pen.flood(pen.within(clip, put(path((-2, 2.55), (2, 2.55), (2, 2.85), (-2, 2.85)))), second)
        pen.stroke(put(smooth([(-0.40, 1.55), (-0.2, 1.95), (0, 2.0), (0.2, 1.95), (0.40, 1.55)])), 0.05, second_dark)
    elif outfit.kind == "coat":
        pen.taper(put(path((0.05, 2.0), (0.02, 4.6))), 0.026, edge)
        for y in (2.6, 3.1, 3.6):
            for s in (-1, 1):
                pen.fill(put(ellipse(s * 0.26, y, 0.06, 0.06)), second_dark)
    elif outfit.kind == "yukata":
        for s in (-1, 1):
            pen.shape(put(path((s * 0.46, 1.42), (s * 0.56, 1.6), (-s * 0.16, 3.2), (-s * 0.34, 3.0), (s * 0.3,
                      1.7))), second,
                      shade=second_dark, line=second_edge, w=0.025, light=(-0.04, -0.03))  # fmt: skip
        rng = np.random.default_rng(appearance.locks)
        for _ in range(16):
            x, y = float(rng.uniform(-1.0, 1.0)), float(rng.uniform(1.9, 4.4))
            pen.flood(
                pen.within(clip, put(ellipse(x, y, 0.1, 0.1)), put(ellipse(x + 0.1, y + 0.06, 0.07, 0.07))),
                second,
                opacity=0.55,
            )
        obi = pen.within(clip, put(path((-2, 3.0), (2, 3.0), (2, 3.75), (-2, 3.75))))
        pen.flood(obi, accent)
        pen.stroke(put(path((-0.88, 3.38), (0.66, 3.38))), 0.05, second)


def _arm(
    pen: Pen, appearance: Appearance, pose: Pose, place: _Place, s: int, *, raised: bool, chest: bool = False
) -> None:
    """One arm on the side `s`: hanging, waving, or with the hand before the chest."""
    skin = SKIN[appearance.skin]
    base, dark, edge = _cloth(appearance.outfit.main)
    bare = appearance.outfit.kind in ("tshirt", "dress")
    wide = 0.34 if appearance.outfit.kind in ("hoodie", "coat", "yukata") else 0.27
    if raised:
        spine = [(0.96, 1.98), (1.55, 2.75), (1.98, 2.0), (1.95, 1.2)]
    elif chest:
        spine = [(0.98, 2.0), (1.38, 3.0), (1.0, 3.5), (0.30, 2.95)]
    else:
        spine = [(0.94, 1.98), (1.22, 2.8), (1.30, 3.6), (1.36, 4.3)]
    points = smooth([(s * x, y) for x, y in spine], steps=6)
    d = np.gradient(points, axis=0)
    normal = np.stack([-d[:, 1], d[:, 0]], axis=1) / (np.hypot(d[:, 0], d[:, 1])[:, None] + 1e-9)
    width = (np.linspace(wide, wide * 0.74, len(points)) * np.minimum(1, 0.72 + np.arange(len(points)) * 0.06))[:, None]
    limb = np.vstack([points + normal * width, (points - normal * width)[::-1]])
    hand = points[-1] + (points[-1] - points[-3]) * 0.75
    skin_line = mix(line(skin), (150, 80, 70), 0.3)
    pen.shape(
        place(ellipse(float(hand[0]), float(hand[1]), 0.21, 0.25)),
        skin,
        shade=skin_shade(skin),
        line=skin_line,
        w=0.026,
    )
    if raised:
        for k in (-0.14, -0.02, 0.10):
            finger = path((float(hand[0]) + k, float(hand[1]) - 0.1), (float(hand[0]) + k * 1.5, float(hand[1]) - 0.42))
            pen.stroke(place(finger), 0.15, skin_line)
            pen.stroke(place(finger), 0.11, skin)
    if bare:
        pen.shape(place(limb), skin, shade=skin_shade(skin), line=skin_line, w=0.028, light=(-0.10, -0.02))
        n = len(points) // 3 - 1
        sleeve = np.vstack([(points + normal * width * 1.25)[: n + 1], (points - normal * width * 1.25)[n::-1]])
        pen.shape(place(sleeve), base, shade=dark, line=edge, w=0.03, light=(-0.10, -0.03))
    else:
        pen.shape(place(limb), base, shade=dark, light=(-0.12, -0.03))
        outer, inner = (points - normal * width * s), (points + normal * width * s)
        pen.taper(place(outer[1:]), 0.034, edge, ends=(0.2, 1.0))
        pen.taper(place(inner[len(inner) // 3 :]), 0.034, edge, ends=(0.2, 1.0))
        pen.stroke(place(np.vstack([outer[-1:], inner[-1:]])), 0.03, edge)
        if appearance.outfit.kind == "sailor":
            n = len(points) - 3
            cuff = np.vstack([(points + normal * width)[n:], (points - normal * width)[: n - 1 : -1]])
            pen.shape(place(cuff), CLOTH[appearance.outfit.second], line=line(CLOTH[appearance.outfit.second]), w=0.025)


def legs(pen: Pen, appearance: Appearance, place: _Place) -> None:
    """Legs with a skirt, a dress or trousers; off the picture in most shots and then nearly free."""
    height = pen.canvas.size[1]
    if pen.picture_points(path((0.0, 3.3)))[0][1] > height + 2:
        return
    outfit = appearance.outfit
    skin = SKIN[appearance.skin]
    skin_line = mix(line(skin), (150, 80, 70), 0.3)
    long = appearance.boy or outfit.kind in ("hoodie", "tshirt", "coat")
    for s in (-1, 1):
        leg = smooth([(s * 0.92, 4.2), (s * 0.94, 5.6), (s * 0.72, 7.4), (s * 0.66, 9.9), (s * 0.28, 9.9),
                      (s * 0.24, 7.4),
                      (s * 0.08, 5.4), (s * 0.02, 4.2)])  # fmt: skip
        if long:
            base, dark, edge = _cloth(outfit.second if outfit.second != "white" else "grey")
            pen.shape(place(leg * np.array([1.06, 1.0])), base, shade=dark, line=edge, w=0.032, light=(-0.12, 0))
        else:
            pen.shape(place(leg), skin, shade=skin_shade(skin), line=skin_line, w=0.03, light=(-0.12, 0))
            sock = smooth([(s * 0.74, 7.3), (s * 0.66, 9.9), (s * 0.28, 9.9), (s * 0.23, 7.3)])
            base, dark, edge = _cloth("white" if outfit.kind == "dress" else "black")
            pen.shape(place(sock), base, shade=dark, line=edge, w=0.03)
        shoe = smooth(
            [(s * 0.20, 9.75), (s * 0.18, 10.3), (s * 0.5, 10.45), (s * 0.86, 10.32), (s * 0.70, 9.75)], closed=True
        )
        base, dark, edge = _cloth("brown")
        pen.shape(place(shoe), base, shade=dark, line=edge, w=0.03)
    if outfit.kind == "yukata":
        robe = smooth([(-1.0, 3.6), (-1.12, 5.5), (-1.02, 9.2), (0, 9.35), (1.02, 9.2), (1.12, 5.5), (1.0, 3.6)])
        base, dark, edge = _cloth(outfit.main)
        pen.shape(place(robe), base, shade=dark, line=edge, w=0.034, light=(-0.2, 0))
        pen.taper(place(path((0.25, 3.7), (0.05, 9.3))), 0.026, edge)
    elif not long:
        base, dark, edge = _cloth(outfit.main if outfit.kind == "dress" else outfit.second)
        hem = 6.4 if outfit.kind == "dress" else 5.9
        edge_points = [(-1.62 + i * 0.36, hem + (0.06 if i % 2 else -0.06)) for i in range(10)]
        skirt = np.vstack([smooth([(-0.86, 3.4), (-1.2, 4.5), (-1.62, hem)]), path(*edge_points[1:]),
                           smooth([(1.62, hem), (1.2, 4.5), (0.86, 3.4)])])  # fmt: skip
        pen.shape(place(skirt), base, shade=dark, line=edge, w=0.034, light=(-0.2, -0.06))
        for i in range(1, 9):
            pen.taper(place(path((-0.86 + i * 0.19, 3.7), (-1.62 + i * 0.36, hem - 0.05))), 0.022, dark)


def _scarf(pen: Pen, appearance: Appearance, shift: float, turn: float) -> None:
    base, dark, edge = _cloth(appearance.outfit.accent)
    x = shift + 0.1 * turn
    for s in (-1, 1):
        tail = smooth(
            [(x + 0.30 * s, 1.8), (x + 0.42 * s, 2.6), (x + 0.36 * s, 3.2), (x + 0.1 * s, 3.2), (x + 0.1 * s, 2.0)]
        )
        if s == 1:
            pen.shape(tail, base, shade=dark, line=edge, w=0.03)
    wrap = smooth([(x - 0.62, 1.22), (x - 0.80, 1.62), (x - 0.42, 1.98), (x, 2.06), (x + 0.42, 1.98), (x + 0.80, 1.62),
                   (x + 0.62, 1.22), (x + 0.3, 1.40), (x, 1.46), (x - 0.3, 1.40)], closed=True)  # fmt: skip
    pen.shape(wrap, base, shade=dark, line=edge, w=0.032, light=(-0.08, -0.08))
    pen.taper(smooth([(x - 0.6, 1.62), (x, 1.80), (x + 0.55, 1.64)]), 0.024, edge)
