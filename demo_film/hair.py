"""Hair: a cap with locks by longitude around the skull, so that a style can be drawn from every side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo_film.canvas import Clip, Path, Pen, ellipse, path, smooth
from demo_film.cast import Appearance
from demo_film.palette import CLOTH, HAIR, Colour, lighten, line, mix, shade

# Style: root longitude, tip longitude (degrees, 0 = nose, + = the person's left as we see it), tip height, half width.
_Lock = tuple[float, float, float, float]
_FRINGE: dict[str, list[_Lock]] = {
    "straight": [(-50, -54, 0.16, 12), (-34, -37, 0.06, 11), (-17, -18, 0.03, 11), (0, 1, 0.05, 11),
                 (17, 19, 0.02, 11), (34, 37, 0.06, 11), (50, 54, 0.16, 12)],
    "swept": [(40, 60, 0.22, 15), (30, 48, 0.02, 12), (22, -4, -0.02, 13), (10, -24, 0.03, 14), (-6, -42, 0.08, 14),
              (-24, -58, 0.22, 14)],
    "curtain": [(6, 36, -0.08, 12), (18, 50, 0.08, 13), (34, 62, 0.34, 14), (-6, -36, -0.08, 12), (-18, -50, 0.08, 13),
                (-34, -62, 0.34, 14)],
    "spiky": [(-52, -60, 0.28, 13), (-36, -36, -0.02, 12), (-20, -12, 0.24, 13), (-2, 6, 0.10, 12), (16, 20, -0.04, 12),
              (32, 38, 0.06, 12), (50, 60, 0.28, 13)],
    "messy": [(-50, -64, 0.20, 14), (-34, -44, 0.05, 11), (-22, -20, 0.15, 12), (-6, -12, -0.03, 12), (6, 14, 0.20, 12),
              (22, 26, 0.02, 12), (36, 46, 0.10, 13), (50, 63, 0.24, 13)],
}  # fmt: skip
_PANEL = {"short": 0.66, "bob": 1.16, "medium": 1.62, "long": 1.9, "double_bun": 0.62}
_MASS = {"short": 0.80, "bob": 1.22, "medium": 1.9, "long": 4.3, "double_bun": 0.72}
_TEMPLE = {"short": 0.50, "bob": 1.02, "medium": 1.45, "long": 1.75, "double_bun": 1.0}


@dataclass(frozen=True)
class Hair:
    """The shapes of one person's hair seen from one side."""

    cap: Path
    locks: tuple[Path, ...]
    fringe: tuple[Path, ...]
    far: tuple[Path, ...]
    strands: tuple[Path, ...]


def _x(lon: float, yaw: float, r: float = 1.06) -> float:
    return r * float(np.sin(np.radians(lon + yaw)))


def _depth(lon: float, yaw: float) -> float:
    return float(np.cos(np.radians(lon + yaw)))


def _lock(root: tuple[float, float], mid: tuple[float, float], tip: tuple[float, float], w0: float, w1: float) -> Path:
    left = smooth([(root[0] - w0, root[1]), (mid[0] - w1, mid[1]), tip], steps=6)
    right = smooth([tip, (mid[0] + w1, mid[1]), (root[0] + w0, root[1])], steps=6)
    return np.vstack([left, right])


def _edges(lock: Path) -> list[Path]:
    """The visible inner edges of a lock: its lower halves, from the tip upwards."""
    n = len(lock) // 2
    return [lock[n // 2 - 2 : n][::-1], lock[n : len(lock) - n // 2 + 2]]


def make_hair(appearance: Appearance, yaw: float, *, flip: bool) -> Hair:
    """The hair of a head that is turned right by `yaw` (0 to 180); `flip`: the drawing will be mirrored."""
    rng = np.random.default_rng(appearance.locks)
    sign = -1.0 if flip else 1.0
    side = float(np.sin(np.radians(min(yaw, 180))))
    cx, rx = -0.07 * side, 1.13 + 0.03 * side
    top = 1.10 + (0.06 if appearance.fringe == "messy" else 0.0)
    hairline = [(_x(a, yaw), h) for a, h in ((-74, 0.05), (-52, -0.28), (0, -0.42), (52, -0.28), (74, 0.05))
                if _depth(a, yaw) > 0.02]  # fmt: skip
    turned = min(yaw, 90) / 90
    arc = ellipse(cx, -0.15, rx, top, start=170, end=370 - 38 * turned**0.7, steps=40)
    if yaw >= 115:
        cap = np.vstack(
            [ellipse(cx, -0.15, rx, top, start=160, end=380, steps=40), smooth([(0.95, 0.5), (0, 0.8), (-0.95, 0.5)])]
        )
    elif hairline:
        cap = np.vstack([arc, smooth(list(reversed(hairline)))])
    else:
        cap = arc
    fringe: list[Path] = []
    far: list[Path] = []
    strands: list[Path] = []
    for root, tip, height, half in _FRINGE[appearance.fringe]:
        root, tip = root * sign, tip * sign
        jitter = float(rng.uniform(-0.05, 0.05))
        height = height - 0.03 + jitter + (0.05 if appearance.boy else 0.0)
        half = half * float(rng.uniform(0.9, 1.15))
        if yaw >= 115 or (_depth(root, yaw) < 0.05 and _depth(tip, yaw) < 0.05):
            continue
        mid = root * 0.45 + tip * 0.55
        w = half * np.pi / 180
        squeeze0, squeeze1 = max(_depth(root, yaw), 0.3), max(_depth(mid, yaw), 0.3)
        lock = _lock(
            (_x(root * 0.8, yaw, 0.80), -0.72), (_x(mid, yaw, 1.03), (-0.36 + height) / 2), (_x(tip, yaw, 0.98),
            height),
            w * squeeze0 * 1.1, w * squeeze1,
        )  # fmt: skip
        fringe.append(lock)
        strands += _edges(lock)
    locks: list[Path] = []
    panel = _PANEL.get(appearance.back, 0.46)
    temple = _TEMPLE.get(appearance.back, 1.12)
    if appearance.boy:
        temple = 0.42
    for s in (-1, 1):
        _temple_and_panel(appearance, yaw, s, panel, temple, rng, locks, far, strands)
    if yaw >= 115:
        _back_of_head(panel, rng, locks, strands)
    crown = (cx + 0.35 * side - 0.04, -1.15)
    if yaw < 115:
        for a in (-58, -24, 12, 46):
            if _depth(a, yaw) > 0.25:
                ends = [(crown[0] + _x(a, yaw) * 0.25, -1.02), (_x(a, yaw, 0.72), -0.86), (_x(a, yaw, 0.90), -0.62)]
                strands.append(smooth(ends))
    return Hair(cap, tuple(locks), tuple(fringe), tuple(far), tuple(strands))


def _temple_and_panel(
    appearance: Appearance, yaw: float, s: int, panel: float, temple: float, rng: np.random.Generator,
    locks: list[Path], far: list[Path], strands: list[Path],
) -> None:  # fmt: skip
    """The lock before one ear and the hair behind it, as far as they can be seen."""
    for lon, end, half in (
        (70, temple, 9),
        (92, panel, 15),
        (114, panel + 0.06, 15),
        (138, panel + 0.04, 15),
        (162, panel, 15),
    ):
        a = lon * s
        depth = _depth(a, yaw)
        jitter = float(rng.uniform(-0.07, 0.07))
        if lon == 70 and yaw >= 115:
            continue
        if depth < -0.35 or (yaw < 60 and lon > 120):
            continue
        w = half * np.pi / 180 * max(abs(depth), 0.42)
        x0 = _x(a, yaw, 1.0)
        flare = 0.10 * np.sign(x0) * (1 - max(depth, 0)) if end > 0.8 else -0.05 * np.sign(x0)
        r = 1.07 if lon == 70 else 1.04
        lock = _lock((_x(a * 0.96, yaw, 0.86), -0.50), (_x(a, yaw, r) + flare * 0.7, (end - 0.1) * 0.5),
                     (_x(a, yaw, r) + flare, end + jitter), w * 0.8, w)  # fmt: skip
        if depth < 0.02 and lon == 70 and 14 < yaw < 115:
            far.append(lock)
        else:
            locks.append(lock)
            strands += _edges(lock)


def _back_of_head(panel: float, rng: np.random.Generator, locks: list[Path], strands: list[Path]) -> None:
    for x in (-0.82, -0.5, -0.18, 0.16, 0.5, 0.8):
        tip = (x * 1.02, panel + 0.1 + float(rng.uniform(-0.08, 0.08)))
        lock = _lock((x * 0.6, -0.6), (x * 1.03, panel * 0.3), tip, 0.22, 0.24)
        locks.append(lock)
        strands += [e[: len(e) - 3] for e in _edges(lock)]


def _mass(appearance: Appearance, yaw: float, rng: np.random.Generator) -> tuple[list[Path], list[Path]]:
    """The hair behind the neck: a body and the locks of its lower edge."""
    end = _MASS.get(appearance.back, 0.62)
    side = float(np.sin(np.radians(yaw)))
    left, right = -1.10 - 0.08 * side, 1.10 - 0.98 * side
    wide = 1.0 if end < 1.5 else 1.14
    centre = (left + right) / 2 - 0.06 * side
    shapes: list[Path] = []
    n = 6 if end > 1.5 else 5
    span = (right - left) / n
    body = path((left * 0.9, -0.35), (right * 0.9, -0.35), (centre + (right - centre) * wide, end * 0.72), (centre,
                end * 0.8),
                (centre + (left - centre) * wide, end * 0.72))  # fmt: skip
    shapes.append(np.vstack([smooth(body[[0, 4]]), smooth(body[[3, 2]]), smooth(body[[2, 1]])]))
    strands: list[Path] = []
    for i in range(n):
        x = left + span * (i + 0.5)
        bottom = centre + (x - centre) * wide * (1.0 if end < 3 else 0.92)
        tip = (
            bottom + float(rng.uniform(-0.08, 0.08)) - 0.05 * side,
            end + float(rng.uniform(-0.1, 0.08)) * (1 + 0.5 * (end > 3)),
        )
        lock = _lock((x, -0.3), (centre + (x - centre) * wide, end * 0.62), tip, span * 0.45, span * 0.66 * wide)
        shapes.append(lock)
        strands += _edges(lock)
    return shapes, strands


def _tail(anchor: tuple[float, float], s: float, length: float, fat: float, swing: float) -> list[Path]:
    """A bound tail from its anchor: `s` the side to which it falls, `fat` its half width."""
    ax, ay = anchor
    spine = [(ax, ay), (ax + s * 0.26 * swing, ay + 0.07 * length), (ax + s * 0.50 * swing, ay + 0.28 * length),
             (ax + s * 0.50 * swing, ay + 0.52 * length), (ax + s * 0.36 * swing, ay + 0.78 * length),
             (ax + s * 0.56 * swing, ay + length)]  # fmt: skip
    widths = [0.10, fat * 0.66, fat * 0.98, fat, fat * 0.62, 0.0]
    left = smooth([(x - w, y) for (x, y), w in zip(spine, widths, strict=True)])
    right = smooth([(x + w, y) for (x, y), w in zip(spine, widths, strict=True)])
    outline = np.vstack([left, right[::-1]])
    wisp = _lock((ax + s * 0.4 * swing, ay + 0.3 * length), (ax + s * 0.30 * swing, ay + 0.6 * length),
                 (ax + s * 0.20 * swing, ay + 0.88 * length), fat * 0.5, fat * 0.5)  # fmt: skip
    return [outline, wisp]


def _tails(appearance: Appearance, yaw: float, *, flip: bool) -> list[tuple[list[Path], float, tuple[float, float]]]:
    """Each tail as its shapes, its depth (> 0 before the head) and its anchor."""
    out: list[tuple[list[Path], float, tuple[float, float]]] = []
    if appearance.back in ("twintails", "low_twintails"):
        high = appearance.back == "twintails"
        for s in (-1, 1):
            lon = (104 if high else 112) * s
            anchor = (_x(lon, yaw, 1.04), -0.62 if high else 0.72)
            depth = _depth(lon, yaw)
            direction = float(np.sign(anchor[0])) if abs(anchor[0]) > 0.25 else -1.0
            swing = 0.45 + 0.75 * abs(anchor[0])
            shapes = _tail(
                anchor, direction, 3.5 if high else 2.5, 0.36 if high else 0.27, swing * (1.0 if high else 0.45)
            )
            out.append((shapes, depth if high else depth + 0.5, anchor))
    elif appearance.back == "ponytail":
        anchor = (_x(180, yaw, 0.98), -0.72)
        # From the front the tail swings out next to the head, or it would be invisible.
        direction = -1.0 if yaw > 20 else (1.0 if flip else -1.0)
        swing = 1.15 if 40 < yaw < 130 else (2.3 if yaw <= 40 else 0.35)
        out.append((_tail(anchor, direction, 3.4, 0.40, swing), -1.0 if yaw < 100 else 1.0, anchor))
    elif appearance.back == "side_ponytail":
        lon = -98 if flip else 98
        anchor = (_x(lon, yaw, 1.04), -0.15)
        direction = float(np.sign(anchor[0])) if abs(anchor[0]) > 0.25 else -1.0
        out.append((_tail(anchor, direction, 2.9, 0.36, 0.8), _depth(lon, yaw) + 0.2, anchor))
    return out


def _paint_tail(pen: Pen, shapes: list[Path], colour: Colour) -> None:
    """A tail with two long strands in it."""
    outline = shapes[0]
    n = len(outline) // 2
    left, right = outline[:n], outline[: n - 1 : -1]
    strands = [(left * (1 - k) + right * k)[b:e][::-1] for k, b, e in ((0.34, n // 3, n - 3), (0.64, n // 5, n - 8))]
    _paint(pen, shapes, strands, colour, lit=True, y1=3.0)


def _paint(pen: Pen, shapes: list[Path], strands: list[Path], colour: Colour, *, lit: bool, y1: float) -> Clip | None:
    outline = line(colour)
    for shape in shapes:
        pen.stroke(shape, 0.05, outline, closed=True)
    for shape in shapes:
        pen.fill(shape, colour)
    clip = pen.clip(*shapes)
    if clip is None:
        return None
    dark = shade(colour)
    if lit:
        pen.gradient(clip, mix(colour, dark, 0.10), lighten(colour, 0.16), -0.7, y1)
    else:
        pen.gradient(clip, mix(colour, dark, 0.75), mix(colour, dark, 0.45), 0.2, y1)
    pen.flood(clip.edge(*pen.shift(-0.10, -0.05)), dark, opacity=0.85)
    pen.flood(clip.edge(*pen.shift(0.035, 0.03)), lighten(colour, 0.5), opacity=0.5 if lit else 0.2)
    for strand in strands:
        pen.taper(strand, 0.022, mix(outline, dark, 0.5), ends=(1.0, 0.15))
    return clip


def draw_back_hair(pen: Pen, appearance: Appearance, hair: Hair, *, yaw: float, flip: bool) -> None:
    """The hair behind neck and body (in front of them when the person is seen from behind)."""
    colour = HAIR[appearance.hair]
    rng = np.random.default_rng(appearance.locks + 1)
    for shapes, depth, anchor in _tails(appearance, yaw, flip=flip):
        if depth <= 0.25 and yaw < 115:
            _paint_tail(pen, shapes, colour)
            _band(pen, appearance, anchor)
    if appearance.back == "double_bun" and yaw < 115:
        _buns(pen, appearance, yaw)
    shapes, strands = _mass(appearance, yaw, rng)
    _paint(pen, [*shapes, *hair.far], strands, colour, lit=yaw >= 115, y1=_MASS.get(appearance.back, 0.7))
    del hair


def _buns(pen: Pen, appearance: Appearance, yaw: float) -> None:
    for s in (-1, 1):
        x = _x(108 * s, yaw, 0.92)
        clip = _paint(pen, [ellipse(x, -1.0, 0.42, 0.40)], [], HAIR[appearance.hair], lit=True, y1=0.5)
        pen.taper(ellipse(x - 0.03, -0.98, 0.22, 0.2, start=190, end=420, steps=20), 0.02, shade(HAIR[appearance.hair]))
        del clip


def _band(pen: Pen, appearance: Appearance, anchor: tuple[float, float]) -> None:
    accent = CLOTH[appearance.accent]
    pen.shape(ellipse(anchor[0], anchor[1], 0.17, 0.15), accent, shade=shade(accent), line=line(accent), w=0.025)


def draw_front_hair(pen: Pen, appearance: Appearance, hair: Hair, *, yaw: float, flip: bool) -> None:
    """Cap, fringe, temples, tails that hang before, the light on them."""
    colour = HAIR[appearance.hair]
    clip = _paint(pen, [hair.cap, *hair.locks, *hair.fringe], list(hair.strands), colour, lit=True, y1=1.3)
    _halo(pen, clip, colour, yaw)
    if appearance.back == "double_bun" and yaw >= 115:
        _buns(pen, appearance, yaw)
    for shapes, depth, anchor in _tails(appearance, yaw, flip=flip):
        if depth > 0.25 or yaw >= 115:
            _paint_tail(pen, shapes, colour)
            _band(pen, appearance, anchor)


def _halo(pen: Pen, clip: Clip | None, colour: Colour, yaw: float) -> None:
    """The ring of light round the crown, broken into strokes."""
    glow = lighten(colour, 0.62 if max(colour) > 120 else 0.38)
    shift = 0.12 * float(np.sin(np.radians(yaw)))
    teeth: list[Path] = []
    for x0, x1, n in ((-0.90, -0.36, 5), (-0.28, -0.18, 1), (0.22, 0.66, 4), (0.74, 0.86, 1)):
        xs = np.linspace(x0, x1, 2 * n + 1)
        ys = -0.62 + 0.30 * xs**2
        low = ys + np.where(np.arange(len(xs)) % 2 == 1, 0.15, 0.035) + 0.02 * np.sin(xs * 40)
        high = ys - np.where(np.arange(len(xs)) % 2 == 1, 0.05, 0.015)
        upper, under = np.stack([xs + shift, high], axis=1), np.stack([xs * 0.99 + shift, low], axis=1)
        teeth.append(np.vstack([smooth(upper, steps=4), smooth(under[::-1], steps=4)]))
    pen.flood(pen.within(clip, *teeth), glow, opacity=0.72)
