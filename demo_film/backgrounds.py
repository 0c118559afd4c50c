"""Painted outdoor places, the list of all places, and random backgrounds for training pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_film.canvas import Canvas, Pen, Pixels, ellipse, path, smooth
from demo_film.palette import Colour, lighten, mix, shade
from demo_film.rooms import bedroom, classroom, corridor, train

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """A kind of place: its painter, its light, and its Danbooru tags."""

    name: str
    paint: Callable[[np.random.Generator, tuple[int, int]], Pixels]
    tint: Colour
    tags: tuple[str, ...]
    floor: float = 0.82


def clouds_noise(rng: np.random.Generator, size: tuple[int, int], *, cell: float, octaves: int = 4) -> Floats:
    """Smooth noise float32[h,w] of mean 0 and deviation about 1: sums of enlarged random grids."""
    width, height = size
    out = np.zeros((height, width), dtype=np.float32)
    for k in range(octaves):
        step = max(cell / 2**k, 2)
        grid = rng.standard_normal((int(height / step) + 3, int(width / step) + 3)).astype(np.float32)
        big = cv2.resize(grid, (int(grid.shape[1] * step), int(grid.shape[0] * step)), interpolation=cv2.INTER_CUBIC)
        out += big[:height, :width] * 0.6**k
    return out / float(out.std() + 1e-6)


def vertical(size: tuple[int, int], stops: list[tuple[float, Colour]]) -> Pixels:
    """A vertical gradient; stops are (height 0..1, colour)."""
    width, height = size
    t = np.linspace(0, 1, height)
    column = np.stack([np.interp(t, [s for s, _ in stops], [c[i] for _, c in stops]) for i in range(3)], axis=1)
    return np.repeat(np.rint(column).astype(np.uint8)[:, None, :], width, axis=1)


def blend(picture: Pixels, colour: Colour, alpha: Floats) -> Pixels:
    """Lays a colour over a picture by alpha float32[h,w] in 0..1."""
    return lay(picture, between(colour, colour, np.zeros((2, 2), dtype=np.float32)), alpha)


def lay(picture: Pixels, paint: Floats, alpha: Floats) -> Pixels:
    """Lays a soft layer, made at any size, over a picture: paint float32[h,w,3] by alpha float32[h,w]."""
    size = (picture.shape[1], picture.shape[0])
    a = cv2.resize(np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
    top = cv2.resize(np.clip(paint, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
    a3 = cv2.merge([a, a, a])
    under = cv2.multiply(picture, cv2.bitwise_not(a3), scale=1 / 255)
    return np.asarray(cv2.add(under, cv2.multiply(top, a3, scale=1 / 255)), dtype=np.uint8)


def between(low: Colour, high: Colour, t: Floats) -> Floats:
    """Colours float32[h,w,3] from `low` (t = 0) to `high` (t = 1)."""
    return np.stack([low[i] + (high[i] - low[i]) * t for i in range(3)], axis=2).astype(np.float32)


def glow(size: tuple[int, int], x: float, y: float, radius: float) -> Floats:
    """Light around a point float32[h,w], 1 at its centre; all in heights of the picture."""
    width, height = size
    across = np.exp(-(((np.arange(width, dtype=np.float32) / height - x) / radius) ** 2))
    down = np.exp(-(((np.arange(height, dtype=np.float32) / height - y) / radius) ** 2))
    return np.outer(down, across).astype(np.float32)


def soften(picture: Pixels, sigma: float) -> Pixels:
    """A Gaussian blur; wide ones are computed on a reduced picture."""
    step = max(min(int(sigma / 2), 8), 1)
    if step == 1:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.3)), dtype=np.uint8)
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(width // step, 1), max(height // step, 1)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def add_clouds(rng: np.random.Generator, picture: Pixels, *, colour: Colour, dark: Colour, horizon: float) -> Pixels:
    """Cumulus banks over the lower sky and thin streaks over the upper; made at half size, they are soft."""
    height, width = (max(v // 2, 8) for v in picture.shape[:2])
    size = (width, height)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    puffs = clouds_noise(rng, size, cell=height * 0.34)
    detail = clouds_noise(rng, size, cell=height * 0.09)
    band = np.exp(-(((y - horizon * 0.62) / 0.22) ** 2)).astype(np.float32)
    body = puffs + detail * 0.35 + band * 1.5 - 1.25
    narrow = clouds_noise(rng, (max(width // 7, 2), height), cell=height * 0.09)
    streak = np.clip(cv2.resize(narrow, size, interpolation=cv2.INTER_CUBIC) * 0.5 - 0.45, 0, 0.55) * (1 - y)
    picture = lay(picture, between(colour, colour, streak), streak.astype(np.float32))
    above = np.roll(cv2.GaussianBlur(body, (0, 0), height * 0.012), int(height * 0.045), axis=0)
    lit = np.clip((cv2.GaussianBlur(body, (0, 0), height * 0.008) - above) * 0.55 + 0.55, 0, 1)
    return lay(picture, between(dark, colour, lit), np.clip(body * 2.2, 0, 1))


def foliage(rng: np.random.Generator, picture: Pixels, *, top: float, base: Colour, cell: float) -> Pixels:
    """A bank of leaves below the height `top` (0..1): clumps that the sun strikes from above, ragged at the edge."""
    height, width = (max(v // 2, 8) for v in picture.shape[:2])
    size = (width, height)
    clumps = clouds_noise(rng, size, cell=height * cell, octaves=3)
    leaves = clouds_noise(rng, size, cell=height * 0.035, octaves=2)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    alpha = np.clip(((y - top) * 9 + clumps * 0.75 + leaves * 0.35) * 3, 0, 1)
    above = np.roll(cv2.GaussianBlur(clumps, (0, 0), height * 0.01), int(height * cell * 0.3), axis=0)
    sun = (clumps - above) * 0.55 + leaves * 0.42 - (y - top) * 1.6 + 0.35
    stops = [-1.2, -0.4, 0.3, 1.0, 1.7]
    dark = shade(shade(base))
    tones = [shade(dark, 0.7), dark, base, lighten(base, 0.3), mix(lighten(base, 0.5), (240, 255, 180), 0.4)]
    paint = np.stack([np.interp(sun, stops, [t[i] for t in tones]) for i in range(3)], axis=2)
    return lay(picture, paint.astype(np.float32), alpha)


def sky(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A high blue sky over green hills."""
    picture = vertical(
        size, [(0, (62, 134, 220)), (0.45, (132, 192, 240)), (0.75, (206, 232, 246)), (1, (226, 240, 246))]
    )
    picture = add_clouds(rng, picture, colour=(255, 255, 255), dark=(178, 204, 232), horizon=0.8)
    return _hills(rng, picture, [((120, 172, 190), 0.70), ((98, 168, 128), 0.76), ((78, 150, 86), 0.84)])


def _hills(rng: np.random.Generator, picture: Pixels, layers: list[tuple[Colour, float]]) -> Pixels:
    canvas = Canvas(picture, ss=1)
    height, width = picture.shape[:2]
    ratio = width / height
    pen = Pen(canvas, x=0, y=0, unit=float(height))
    for colour, level in layers:
        xs = np.linspace(-0.1, ratio + 0.1, 12)
        ys = level + rng.normal(0, 0.022, 12) + 0.03 * np.sin(xs * 2 + float(rng.uniform(0, 6)))
        ridge = smooth(np.stack([xs, ys], axis=1))
        shape = np.vstack([ridge, path((ratio + 0.2, 1.2), (-0.2, 1.2))])
        clip = pen.clip(shape)
        pen.gradient(clip, lighten(colour, 0.2), shade(colour, 0.45), level - 0.05, level + 0.2)
        for _ in range(26):
            x = float(rng.uniform(0, ratio))
            y = level + float(rng.uniform(0.02, 0.16))
            pen.flood(pen.within(clip, ellipse(x, y, 0.05, 0.012)), shade(colour, 0.6), opacity=0.5)
    return canvas.px


def garden(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """Trees and light between leaves, as behind people out of doors."""
    picture = vertical(size, [(0, (112, 178, 236)), (0.4, (190, 226, 244)), (1, (190, 226, 190))])
    picture = add_clouds(rng, picture, colour=(255, 255, 255), dark=(190, 212, 234), horizon=0.5)
    picture = foliage(rng, picture, top=0.42, base=(126, 190, 110), cell=0.22)
    height = size[1]
    picture = soften(picture, height * 0.006)
    picture = foliage(rng, picture, top=0.68, base=(78, 158, 84), cell=0.15)
    return picture


def _town(
    rng: np.random.Generator, picture: Pixels, *, far_colour: Colour, near_colour: Colour, lit: Colour, share: float
) -> Pixels:
    canvas = Canvas(picture, ss=1)
    height, width = picture.shape[:2]
    ratio = width / height
    pen = Pen(canvas, x=0, y=0, unit=float(height))
    for layer, (colour, base) in enumerate(
        ((mix(far_colour, near_colour, 0.0), 0.58), (mix(far_colour, near_colour, 0.45), 0.68), (near_colour, 0.82))
    ):
        x = -0.1
        while x < ratio + 0.1:
            w = float(rng.uniform(0.08, 0.20)) * (1 + 0.5 * layer)
            top = base - float(rng.uniform(0.02, 0.22)) * (1 if layer < 2 else 0.7)
            tone = mix(colour, lighten(colour, 0.3), float(rng.uniform(0, 0.5)))
            pen.fill(path((x, top), (x + w, top), (x + w, 1.1), (x, 1.1)), tone)
            pen.fill(path((x + w * 0.72, top), (x + w, top), (x + w, 1.1), (x + w * 0.72, 1.1)), shade(tone, 0.5))
            if layer == 2 and rng.random() < 0.5:
                roof = path((x - 0.02, top), (x + w / 2, top - 0.08), (x + w + 0.02, top))
                pen.fill(roof, shade(mix(tone, (150, 80, 70), 0.4)))
            step = 0.028 + 0.012 * layer
            for wy in np.arange(top + step, 0.98, step * 1.4):
                for wx in np.arange(x + step * 0.6, x + w - step * 0.8, step * 1.25):
                    if rng.random() < 0.72:
                        glow = lit if rng.random() < share else shade(tone, 0.8)
                        pen.fill(
                            path(
                                (wx, wy),
                                (wx + step * 0.6, wy),
                                (wx + step * 0.6, wy + step * 0.7),
                                (wx, wy + step * 0.7),
                            ),
                            glow,
                        )
            x += w + float(rng.uniform(-0.01, 0.04))
    return canvas.px


def dusk_town(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A town under an evening sky."""
    picture = vertical(
        size,
        [
            (0, (70, 74, 150)),
            (0.28, (168, 112, 168)),
            (0.5, (250, 156, 128)),
            (0.66, (255, 214, 150)),
            (1, (255, 220, 170)),
        ],
    )
    picture = add_clouds(rng, picture, colour=(255, 190, 160), dark=(150, 96, 150), horizon=0.55)
    height, width = picture.shape[:2]
    sun = width * float(rng.uniform(0.25, 0.75)) / height
    across, down = np.arange(width) / height - sun, np.arange(height) / height - 0.5
    disc = (across**2)[None, :] + (down**2)[:, None] < 0.05**2
    picture = blend(picture, (255, 240, 190), np.minimum(glow(size, sun, 0.5, 0.22) * 0.8 + disc * np.float32(0.6), 1))
    picture = _town(
        rng, picture, far_colour=(206, 130, 140), near_colour=(88, 60, 104), lit=(255, 224, 140), share=0.35
    )
    return blend(picture, (255, 170, 120), np.full((height, width), 0.10, dtype=np.float32))


def night_street(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A street at night with lit windows, lamps and a moon."""
    picture = vertical(size, [(0, (18, 22, 58)), (0.5, (42, 50, 104)), (1, (70, 72, 128))])
    height, width = picture.shape[:2]
    ratio = width / height
    canvas = Canvas(picture, ss=1)
    pen = Pen(canvas, x=0, y=0, unit=float(height))
    for _ in range(90):
        x, y = float(rng.uniform(0, ratio)), float(rng.uniform(0, 0.5))
        pen.fill(ellipse(x, y, 0.0012 + 0.0015 * float(rng.random()), 0.0018, steps=8), (230, 232, 255))
    mx = float(rng.uniform(0.2, 0.8)) * ratio
    pen.fill(ellipse(mx, 0.15, 0.055, 0.055), (250, 244, 214))
    picture = _town(rng, canvas.px, far_colour=(54, 60, 112), near_colour=(26, 28, 60), lit=(255, 214, 120), share=0.5)
    canvas = Canvas(picture, ss=1)
    pen = Pen(canvas, x=0, y=0, unit=float(height))
    pen.gradient(
        pen.clip(path((0, 0.86), (ratio, 0.86), (ratio, 1.01), (0, 1.01))), (58, 58, 92), (34, 34, 60), 0.86, 1.0
    )
    light = 0.25 * glow(size, mx, 0.15, 0.2)
    for k in range(3):
        lx = ratio * (0.15 + 0.36 * k) + float(rng.uniform(-0.05, 0.05))
        pen.stroke(path((lx, 0.95), (lx, 0.45), (lx + 0.06, 0.42)), 0.012, (22, 22, 44))
        pen.fill(ellipse(lx + 0.07, 0.43, 0.022, 0.014), (255, 240, 190))
        light += 0.5 * glow(size, lx + 0.07, 0.43, 0.16)
    return blend(canvas.px, (255, 226, 160), np.minimum(light, 0.8))


PLACES: dict[str, Place] = {
    p.name: p
    for p in (
        Place("hill", sky, (1.0, 1.0, 1.0), ("outdoors", "sky", "cloud", "blue_sky", "day", "hill")),
        Place("garden", garden, (1.0, 1.0, 0.99), ("outdoors", "tree", "day", "nature")),
        Place("town", dusk_town, (1.0, 0.87, 0.80), ("outdoors", "cityscape", "sunset", "orange_sky")),
        Place("street", night_street, (0.70, 0.73, 0.95), ("outdoors", "night", "street", "city_lights")),
        Place("classroom", classroom, (1.0, 0.985, 0.95), ("indoors", "classroom", "chalkboard", "desk", "window")),
        Place("bedroom", bedroom, (1.0, 0.95, 0.90), ("indoors", "bedroom", "bed", "window")),
        Place("corridor", corridor, (0.98, 0.97, 0.95), ("indoors", "hallway", "school", "window")),
        Place("train", train, (0.99, 0.94, 0.90), ("indoors", "train_interior", "window")),
    )
}


def random_background(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A random background: plain, a gradient, cloudy, or one of the places, sharp or blurred."""
    kind = rng.random()
    width, height = size
    a: Colour = tuple(float(v) for v in rng.uniform(40, 255, 3))  # type: ignore[assignment]
    b: Colour = tuple(float(v) for v in rng.uniform(40, 255, 3))  # type: ignore[assignment]
    if kind < 0.10:
        return vertical(size, [(0, a), (1, a)])
    if kind < 0.25:
        return vertical(size, [(0, a), (1, b)])
    if kind < 0.40:
        noise = clouds_noise(rng, size, cell=max(height, 16) * float(rng.uniform(0.1, 0.6)))
        return blend(vertical(size, [(0, a), (1, a)]), b, np.clip(noise * 0.5 + 0.5, 0, 1))
    place = PLACES[str(rng.choice(list(PLACES)))]
    scale = float(rng.uniform(1.0, 2.2)) * max(1.0, 96 / height)
    big = place.paint(rng, (int(width * scale) + 1, int(height * scale) + 1))
    x, y = int(rng.integers(big.shape[1] - width + 1)), int(rng.integers(big.shape[0] - height + 1))
    out = np.ascontiguousarray(big[y : y + height, x : x + width])
    if rng.random() < 0.4:
        out = soften(out, height * float(rng.uniform(0.003, 0.02)))
    return out
