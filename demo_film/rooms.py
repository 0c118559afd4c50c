"""Painted rooms: a classroom, a bedroom, a corridor and the inside of a train."""

from __future__ import annotations

import cv2
import numpy as np

from demo_film.canvas import Canvas, Path, Pen, Pixels, ellipse, path, smooth
from demo_film.palette import Colour, lighten, line, mix, shade


def _ground(size: tuple[int, int], top: Colour, low: Colour, floor: Colour, level: float) -> tuple[Canvas, Pen, float]:
    width, height = size
    canvas = Canvas(np.zeros((height, width, 3), dtype=np.uint8), ss=1)
    pen = Pen(canvas, x=0, y=0, unit=float(height))
    ratio = width / height
    pen.gradient(
        pen.clip(path((-0.1, -0.1), (ratio + 0.1, -0.1), (ratio + 0.1, level), (-0.1, level))), top, low, 0, level
    )
    pen.gradient(
        pen.clip(path((-0.1, level), (ratio + 0.1, level), (ratio + 0.1, 1.1), (-0.1, 1.1))),
        floor,
        shade(floor, 0.7),
        level,
        1,
    )
    return canvas, pen, ratio


def _window(
    pen: Pen, x: float, y: float, w: float, h: float, frame: Colour, top: Colour, low: Colour, rng: np.random.Generator
) -> None:
    pane = path((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    clip = pen.clip(pane)
    pen.gradient(clip, top, low, y, y + h)
    for _ in range(5):
        cx, cy = x + float(rng.uniform(0, w)), y + h * float(rng.uniform(0.15, 0.6))
        r = h * float(rng.uniform(0.05, 0.12))
        pen.flood(
            pen.within(clip, ellipse(cx, cy, r * 1.8, r), ellipse(cx + r, cy - r * 0.5, r, r * 0.9)),
            (255, 255, 255),
            opacity=0.65,
        )
    for k in range(7):
        tx = x + w * (k + 0.5) / 7
        r = h * float(rng.uniform(0.10, 0.18))
        pen.flood(pen.within(clip, ellipse(tx, y + h * 1.0, r, r)), mix((96, 162, 104), low, 0.2))
    glint = path((x + w * 0.1, y), (x + w * 0.35, y), (x + w * 0.05, y + h), (x - w * 0.2, y + h))
    pen.flood(pen.within(clip, glint), (255, 255, 255), opacity=0.22)
    pen.stroke(pane, 0.018, frame, closed=True)
    pen.stroke(path((x + w / 2, y), (x + w / 2, y + h)), 0.012, frame)
    pen.stroke(path((x, y + h * 0.4), (x + w, y + h * 0.4)), 0.010, frame)


def _curtain(x: float, half: float, low: float) -> Path:
    """A curtain that hangs in three folds."""
    left = smooth([(x - half * 0.8, 0.04), (x - half, 0.3), (x - half * 1.1, low)])
    hem = smooth(
        [(x - half * 0.7, low + 0.012), (x - half * 0.3, low), (x + half * 0.2, low + 0.014), (x + half * 0.7, low)]
    )
    right = smooth([(x + half * 1.1, low + 0.006), (x + half, 0.3), (x + half * 0.8, 0.04)])
    return np.vstack([left, hem, right])


def classroom(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A classroom by day: windows to one side, a board, desks."""
    canvas, pen, ratio = _ground(size, (238, 230, 208), (250, 240, 216), (206, 166, 118), 0.74)
    board = ratio * float(rng.uniform(0.50, 0.58))
    wall: Colour = (222, 206, 176)
    pen.fill(path((0, 0.62), (ratio, 0.62), (ratio, 0.74), (0, 0.74)), wall)
    pen.stroke(path((0, 0.62), (ratio, 0.62)), 0.006, shade(wall))
    pen.stroke(path((0, 0.742), (ratio, 0.742)), 0.01, shade(shade(wall)))
    for k in range(3):
        _window(pen, 0.05 + k * 0.31, 0.08, 0.27, 0.47, (246, 246, 250), (132, 194, 244), (214, 238, 250), rng)
    for k in range(4):
        curtain = _curtain(k * 0.31, 0.03, 0.58)
        pen.shape(curtain, (252, 246, 232), shade=(226, 210, 200), line=(190, 170, 160), w=0.003, light=(-0.02, 0))
        pen.taper(path((k * 0.31, 0.06), (k * 0.31 - 0.006, 0.56)), 0.005, (214, 198, 190))
    width = ratio - board - 0.06
    pen.shape(
        path((board, 0.14), (board + width, 0.14), (board + width, 0.54), (board, 0.54)),
        (56, 98, 84),
        line=(150, 112, 80),
        w=0.016,
    )
    for _ in range(5):
        y, x = float(rng.uniform(0.2, 0.48)), board + float(rng.uniform(0.04, width * 0.5))
        squiggle = smooth([(x + i * 0.022, y + float(rng.normal(0, 0.006))) for i in range(int(rng.integers(4, 11)))])
        pen.stroke(squiggle, 0.004, (206, 222, 212))
    light = path((0.1, 0.74), (0.8, 0.74), (1.3, 1.1), (0.4, 1.1))
    pen.flood(pen.clip(light), (255, 238, 196), opacity=0.35)
    wood: Colour = (222, 178, 122)
    for row in range(2):
        for k in range(6):
            s = 0.13 + 0.07 * row
            x, y = -0.1 + k * (0.30 + 0.12 * row) + 0.1 * row, 0.80 + 0.11 * row
            for lx in (0.02, s - 0.02):
                pen.stroke(path((x + lx, y), (x + lx, y + 0.16)), 0.007, (120, 116, 122))
            pen.shape(
                path((x + 0.02, y - 0.035), (x + s + 0.02, y - 0.035), (x + s, y), (x, y)),
                lighten(wood, 0.25),
                line=line(wood),
                w=0.003,
            )
            pen.shape(path((x, y), (x + s, y), (x + s, y + 0.035), (x, y + 0.035)), wood, line=line(wood), w=0.003)
    return canvas.px


def bedroom(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A bedroom in the evening: a window, a bed, shelves, a lamp."""
    wall = [(244, 218, 222), (220, 228, 246), (236, 230, 212), (222, 238, 226)][int(rng.integers(4))]
    colour: Colour = (float(wall[0]), float(wall[1]), float(wall[2]))
    canvas, pen, ratio = _ground(size, shade(colour, 0.22), colour, (196, 152, 122), 0.78)
    pen.stroke(path((0, 0.785), (ratio, 0.785)), 0.014, lighten(colour, 0.5))
    _window(pen, ratio * 0.08, 0.10, 0.42, 0.42, (250, 246, 240), (96, 96, 178), (250, 172, 140), rng)
    for s in (0, 1):
        x = ratio * 0.08 - 0.05 + s * 0.47
        curtain = _curtain(x - 0.01, 0.07, 0.64)
        pen.shape(curtain, (250, 190, 180), shade=(220, 150, 160), line=(180, 110, 120), w=0.004, light=(-0.02, 0))
        for fold in (-0.03, 0.025):
            pen.taper(path((x - 0.01 + fold * 0.7, 0.07), (x - 0.01 + fold, 0.62)), 0.006, (222, 150, 156))
    sx = ratio * 0.62
    for shelf in range(3):
        y = 0.18 + 0.17 * shelf
        x = sx
        while x < sx + 0.42:
            w, h = float(rng.uniform(0.016, 0.036)), float(rng.uniform(0.07, 0.12))
            book = [(206, 96, 96), (96, 134, 196), (240, 206, 120), (120, 176, 130), (236, 232, 224), (150, 116, 176)][
                int(rng.integers(6))
            ]
            pen.shape(
                path((x, y - h), (x + w, y - h), (x + w, y), (x, y)),
                (float(book[0]), float(book[1]), float(book[2])),
                line=(90, 70, 80),
                w=0.003,
            )
            x += w + (0.03 if rng.random() < 0.15 else 0.002)
        pen.shape(
            path((sx - 0.03, y), (sx + 0.46, y), (sx + 0.46, y + 0.022), (sx - 0.03, y + 0.022)),
            (182, 134, 98),
            line=(100, 66, 50),
            w=0.003,
        )
    quilt: Colour = (168, 190, 232)
    bed = smooth(
        [(ratio * 0.40, 0.74), (ratio * 0.7, 0.70), (ratio + 0.1, 0.72), (ratio + 0.1, 1.05), (ratio * 0.36, 1.05)]
    )
    clip = pen.shape(bed, quilt, shade=shade(quilt), line=line(quilt), w=0.005, light=(0.03, 0.03))
    for k in range(12):
        for j in range(5):
            pen.flood(
                pen.within(clip, ellipse(ratio * 0.4 + k * 0.1 + 0.05 * (j % 2), 0.76 + j * 0.07, 0.014, 0.014)),
                (240, 244, 255),
                opacity=0.8,
            )
    pen.shape(smooth([(ratio - 0.34, 0.70), (ratio - 0.06, 0.62), (ratio + 0.1, 0.66), (ratio + 0.1, 0.78),
              (ratio - 0.3, 0.80)], closed=True),
              (250, 248, 252), shade=(214, 206, 226), line=(130, 120, 150), w=0.004, light=(-0.02, -0.02))  # fmt: skip
    height, width = size[1], size[0]
    across = np.exp(-(((np.arange(width, dtype=np.float32) / height - ratio * 0.56) / 0.5) ** 2))
    down = np.exp(-(((np.arange(height, dtype=np.float32) / height - 0.5) / 0.5) ** 2))
    lamp = np.rint(np.outer(down, across) * (0.30 * 255)).astype(np.uint8)
    a = cv2.merge([lamp, lamp, lamp])
    glow = cv2.merge([lamp, *(cv2.convertScaleAbs(lamp, alpha=part / 255) for part in (232, 180))])
    return np.asarray(cv2.add(cv2.multiply(canvas.px, cv2.bitwise_not(a), scale=1 / 255), glow), dtype=np.uint8)


def corridor(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A school corridor in perspective with light falling through its windows."""
    canvas, pen, ratio = _ground(size, (232, 226, 214), (244, 238, 224), (196, 178, 150), 0.62)
    vx, vy = ratio * float(rng.uniform(0.4, 0.6)), 0.46
    pen.fill(path((-0.1, -0.1), (ratio + 0.1, -0.1), (vx + 0.2, vy - 0.2), (vx - 0.2, vy - 0.2)), (246, 244, 238))
    pen.fill(path((-0.1, 1.1), (ratio + 0.1, 1.1), (vx + 0.2, vy + 0.2), (vx - 0.2, vy + 0.2)), (206, 176, 138))
    pen.fill(path((ratio + 0.1, -0.1), (ratio + 0.1, 1.1), (vx + 0.2, vy + 0.2), (vx + 0.2, vy - 0.2)), (224, 212, 192))
    pen.fill(
        path((vx - 0.2, vy - 0.2), (vx + 0.2, vy - 0.2), (vx + 0.2, vy + 0.2), (vx - 0.2, vy + 0.2)), (236, 228, 206)
    )

    def on_wall(u: float, v: float, s: int) -> tuple[float, float]:
        # u: 0 at the end of the corridor, 1 at the picture's edge; v: 0 ceiling, 1 floor
        k = u * u
        edge = -0.1 if s < 0 else ratio + 0.1
        x = vx + s * 0.2 + (edge - vx - s * 0.2) * k
        top = vy - 0.2 + (-0.1 - vy + 0.2) * k
        low = vy + 0.2 + (1.1 - vy - 0.2) * k
        return x, top + (low - top) * v

    for k in range(5):
        u0, u1 = 0.12 + k * 0.19, 0.27 + k * 0.19
        pane = path(on_wall(u0, 0.22, -1), on_wall(u1, 0.22, -1), on_wall(u1, 0.60, -1), on_wall(u0, 0.60, -1))
        pen.gradient(pen.clip(pane), (150, 208, 250), (224, 242, 252), 0.1, 0.6)
        pen.stroke(pane, 0.010, (250, 250, 252), closed=True)
        a, b = on_wall(u0, 1, -1), on_wall(u1, 1, -1)
        beam = path(a, b, (b[0] + 0.5 * (u1 + 0.2), b[1]), (a[0] + 0.5 * (u0 + 0.2), a[1]))
        pen.flood(pen.clip(beam), (255, 240, 200), opacity=0.45)
        door = path(on_wall(u0, 0.22, 1), on_wall(u1, 0.22, 1), on_wall(u1, 1.0, 1), on_wall(u0, 1.0, 1))
        if k % 2:
            pen.shape(door, (198, 162, 120), line=(120, 90, 70), w=0.004)
        else:
            pen.shape(
                path(on_wall(u0, 0.2, 1), on_wall(u1, 0.2, 1), on_wall(u1, 0.5, 1), on_wall(u0, 0.5, 1)),
                (186, 206, 204),
                line=(150, 140, 130),
                w=0.006,
            )
    return canvas.px


def train(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """The inside of a train: windows over seats, straps, and the evening outside."""
    canvas, pen, ratio = _ground(size, (226, 228, 234), (212, 214, 222), (132, 126, 140), 0.86)
    dusk = bool(rng.random() < 0.5)
    top, low = ((250, 150, 120), (255, 220, 160)) if dusk else ((120, 190, 244), (214, 238, 250))
    for k in range(int(ratio / 0.62) + 2):
        x = -0.2 + k * 0.62
        _window(pen, x, 0.16, 0.52, 0.36, (176, 182, 196), top, low, rng)
        seat: Colour = (86, 120, 176)
        pen.shape(smooth([(x + 0.0, 0.60), (x + 0.26, 0.585), (x + 0.52, 0.60), (x + 0.53, 0.80), (x - 0.01,
                  0.80)], closed=True), seat,
                  shade=shade(seat), line=line(seat), w=0.004, light=(-0.02, -0.03))  # fmt: skip
        pen.shape(
            path((x - 0.02, 0.78), (x + 0.54, 0.78), (x + 0.55, 0.86), (x - 0.03, 0.86)),
            lighten(seat, 0.12),
            line=line(seat),
            w=0.004,
        )
        pen.stroke(path((x + 0.57, 0.05), (x + 0.57, 0.88)), 0.013, (196, 200, 210))
    pen.stroke(path((-0.1, 0.075), (ratio + 0.1, 0.075)), 0.012, (150, 154, 168))
    for k in range(int(ratio / 0.16) + 2):
        x = k * 0.16 + 0.03
        pen.stroke(path((x, 0.075), (x + 0.004, 0.15)), 0.006, (238, 238, 240))
        pen.stroke(ellipse(x + 0.004, 0.178, 0.026, 0.028), 0.009, (244, 240, 226), closed=True)
    height, width = size[1], size[0]
    tint = np.array((255, 196, 150) if dusk else (255, 255, 250), dtype=np.float32)
    fall = np.linspace(0.28, 0.05, width, dtype=np.float32)[None, :, None]
    rows = np.broadcast_to(tint * fall, canvas.px.shape).reshape(height, -1)
    out = cv2.multiply(
        canvas.px.reshape(height, -1), np.broadcast_to(1 - fall, canvas.px.shape).reshape(height, -1), dtype=cv2.CV_32F
    )
    out = cv2.add(out, rows, dtype=cv2.CV_8U).reshape(canvas.px.shape)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), 0.6), dtype=np.uint8)
