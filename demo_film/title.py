"""The title card and the bright grounds of the opening."""

from __future__ import annotations

import numpy as np

from demo_film.canvas import Canvas, Pen, Pixels, ellipse, path
from demo_film.cast import Appearance
from demo_film.palette import CLOTH, EYES, HAIR, Colour, lighten, mix


def stripes(rng: np.random.Generator, size: tuple[int, int], appearance: Appearance) -> Pixels:
    """Slanted bands and dots in a character's colours."""
    width, height = size
    canvas = Canvas(np.zeros((height, width, 3), dtype=np.uint8), ss=1)
    pen = Pen(canvas, x=0, y=0, unit=float(height))
    ratio = width / height
    base = lighten(mix(EYES[appearance.eyes], HAIR[appearance.hair], 0.35), 0.5)
    pen.gradient(pen.clip(path((-1, -1), (ratio + 1, -1), (ratio + 1, 2), (-1, 2))), lighten(base, 0.45), base, 0, 1)
    tones: list[Colour] = [
        lighten(base, 0.35),
        mix(base, CLOTH[appearance.accent], 0.45),
        lighten(base, 0.7),
        mix(base, EYES[appearance.eyes], 0.4),
    ]
    x = -0.8
    while x < ratio + 0.3:
        w = float(rng.uniform(0.04, 0.24))
        band = pen.clip(path((x, -0.02), (x + w, -0.02), (x + w + 0.45, 1.02), (x + 0.45, 1.02)))
        pen.flood(band, tones[int(rng.integers(len(tones)))], opacity=0.85)
        x += w + float(rng.uniform(0.03, 0.2))
    for _ in range(34):
        cx, cy, r = float(rng.uniform(0, ratio)), float(rng.uniform(0, 1)), float(rng.uniform(0.008, 0.045))
        pen.flood(pen.clip(ellipse(cx, cy, r, r)), (255, 255, 255), opacity=float(rng.uniform(0.25, 0.7)))
    return canvas.px


def title_card(picture: Pixels) -> Pixels:
    """Letters of light over a picture: the word Koma, drawn as strokes."""
    canvas = Canvas(picture)
    height, width = picture.shape[:2]
    unit = height * 0.16
    letters: list[list[tuple[float, float]]] = [
        [(0.0, -1.0), (0.0, 1.0)], [(0.95, -1.0), (0.06, 0.1), (1.0, 1.0)],
        [(2.7, -1.0), (2.7, 1.0)], [(2.7, -1.0)], [(2.7, -1.0), (3.3, 0.3), (3.9, -1.0), (3.9, 1.0)],
        [(4.4, 1.0), (5.0, -1.0), (5.6, 1.0)], [(4.6, 0.4), (5.4, 0.4)],
    ]  # fmt: skip
    left = width / 2 - unit * 2.8 * 0.82
    pen = Pen(canvas, x=left, y=height * 0.42, unit=unit * 0.82)
    strokes = [np.array(s, dtype=np.float64) for s in letters if len(s) > 1]
    strokes.append(np.vstack([ellipse(1.85, 0.0, 0.56, 0.98, steps=40), ellipse(1.85, 0.0, 0.56, 0.98, steps=40)[:1]]))
    for extra, colour in ((26, (86, 70, 150)), (14, (255, 255, 255)), (4, (238, 120, 160))):
        for s in strokes:
            px = max(round((0.16 * unit + extra * height / 720) * canvas.ss), 1)
            pen.stroke(s, 0, colour, px=px)
    return canvas.finish()
