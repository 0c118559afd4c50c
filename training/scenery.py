"""Generates pictures without faces: skies, foliage, rooms, streets, patterns, lettering, mosaics of face-free crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]  # uint8 [h, w, 3] RGB; OpenCV's types are less specific
Colour = tuple[int, int, int]


def random_colour(rng: np.random.Generator) -> Colour:
    """Any RGB colour, muted ones more often than loud ones."""
    hue, saturation, value = rng.uniform(0, 180), 255 * rng.beta(1.3, 2.2), 255 * rng.beta(2.0, 1.3)
    pixel = np.array([[[hue, saturation, value]]], dtype=np.uint8)
    red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return (int(red), int(green), int(blue))


def noise(
    rng: np.random.Generator, size: int, coarsest: int = 3, octaves: int = 5, fall: float = 0.55
) -> NDArray[np.float32]:
    """Smooth fractal noise, float32 [size, size] in 0..1."""
    total = np.zeros((size, size), np.float32)
    weight = 1.0
    for octave in range(octaves):
        cells = min(size, coarsest * 2**octave + 1)
        grid = rng.random((cells, cells), dtype=np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        weight *= fall
    low, high = float(total.min()), float(total.max())
    return np.asarray(np.clip((total - low) / (high - low + 1e-6), 0, 1), np.float32)


def _blend(mask: NDArray[np.float32], first: Colour, second: Colour) -> NDArray[np.float32]:
    weight = mask[..., None]
    return np.asarray(weight * np.array(first, np.float32) + (1 - weight) * np.array(second, np.float32), np.float32)


def flat(rng: np.random.Generator, size: int) -> Picture:
    """One colour or a gradient."""
    ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None] * np.ones((1, size), np.float32)
    if rng.random() < 0.5:
        ramp = np.ascontiguousarray(ramp.T)
    if rng.random() < 0.3:
        ramp = np.zeros_like(ramp)
    first = (255, 255, 255) if rng.random() < 0.35 else random_colour(rng)
    return _blend(ramp, random_colour(rng), first).astype(np.uint8)


def sky(rng: np.random.Generator, size: int) -> Picture:
    """Clouds over a blue, grey or evening gradient."""
    blue = (int(rng.integers(80, 180)), int(rng.integers(140, 220)), int(rng.integers(190, 256)))
    ground = blue if rng.random() < 0.6 else random_colour(rng)
    ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None] * np.ones((1, size), np.float32)
    base = _blend(ramp, (240, 240, 245), ground)
    cloud = np.clip((noise(rng, size) - rng.uniform(0.3, 0.6)) * rng.uniform(2, 8), 0, 1)[..., None]
    return np.asarray(base * (1 - cloud) + 250 * cloud, np.uint8)


def foliage(rng: np.random.Generator, size: int) -> Picture:
    """Layers of leaves, petals or pebbles of related colours over noise."""
    base = (
        random_colour(rng)
        if rng.random() < 0.4
        else (int(rng.integers(20, 120)), int(rng.integers(90, 200)), int(rng.integers(20, 110)))
    )
    dark = tuple(int(c * rng.uniform(0.2, 0.7)) for c in base)
    picture = _blend(noise(rng, size, 4), base, (dark[0], dark[1], dark[2])).astype(np.uint8)
    small = rng.uniform(0.008, 0.06) * size
    for _ in range(int(rng.integers(30, 260))):
        light = rng.uniform(0.3, 1.45)
        colour = tuple(int(min(255, c * light)) for c in base)
        axes = (int(small * rng.uniform(0.5, 1.6)) + 1, int(small * rng.uniform(0.3, 1.2)) + 1)
        position = (int(rng.integers(0, size)), int(rng.integers(0, size)))
        cv2.ellipse(picture, position, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    return picture


def _quad(picture: Picture, corners: NDArray[np.float64], colour: Colour, line: int = 0) -> None:
    points = corners.astype(np.int32)
    if line:
        cv2.polylines(picture, [points], True, colour, line, cv2.LINE_AA)
    else:
        cv2.fillPoly(picture, [points], colour, cv2.LINE_AA)


def room(rng: np.random.Generator, size: int) -> Picture:
    """Walls in perspective with windows, boards, shelves, lamps, framed pictures, tables."""
    picture = flat(rng, size)
    vanish = np.array([rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.6)]) * size
    depth = rng.uniform(0.2, 0.6)
    box = np.array([[0.0, 0.0], [size, 0.0], [size, size], [0.0, size]])
    inner = vanish + (box - vanish) * depth
    for side in range(4):
        other = (side + 1) % 4
        _quad(picture, np.array([box[side], box[other], inner[other], inner[side]]), random_colour(rng))
    _quad(picture, inner, random_colour(rng))
    for _ in range(int(rng.integers(3, 16))):
        position, extent = rng.uniform(0, 0.95, 2) * size, rng.uniform(0.03, 0.4, 2) * size
        shear = rng.uniform(-0.25, 0.25) * extent[1]
        corners = np.array(
            [
                position,
                np.add(position, (extent[0], shear)),
                np.add(position, (extent[0], extent[1] + shear)),
                np.add(position, (0, extent[1])),
            ]
        )
        _quad(picture, corners, random_colour(rng))
        _quad(picture, corners, random_colour(rng), int(rng.integers(1, 4)))
        if rng.random() < 0.5:
            columns, rows = rng.integers(2, 7, 2)
            frame = random_colour(rng)
            for x in np.linspace(0, 1, columns)[1:-1]:
                ends = (corners[0] * (1 - x) + corners[1] * x, corners[3] * (1 - x) + corners[2] * x)
                _quad(picture, np.array(ends), frame, int(rng.integers(1, 4)))
            for y in np.linspace(0, 1, rows)[1:-1]:
                ends = (corners[0] * (1 - y) + corners[3] * y, corners[1] * (1 - y) + corners[2] * y)
                _quad(picture, np.array(ends), frame, int(rng.integers(1, 4)))
    return picture


def street(rng: np.random.Generator, size: int) -> Picture:
    """House fronts with rows of windows, signs, poles, wires and railings."""
    picture = sky(rng, size)
    left = -0.1 * size
    while left < size:
        width, top = rng.uniform(0.08, 0.5) * size, rng.uniform(0.0, 0.8) * size
        wall = random_colour(rng)
        cv2.rectangle(picture, (int(left), int(top)), (int(left + width), size), wall, -1)
        step_x, step_y = rng.uniform(0.015, 0.1, 2) * size
        fill = rng.uniform(0.3, 0.8)
        glass = random_colour(rng)
        for y in np.arange(top + step_y * 0.5, size, step_y):
            for x in np.arange(left + step_x * 0.3, left + width - step_x * 0.6, step_x):
                if rng.random() < 0.93:
                    cv2.rectangle(
                        picture, (int(x), int(y)), (int(x + step_x * fill), int(y + step_y * fill)), glass, -1
                    )
            if rng.random() < 0.05:
                glass = random_colour(rng)
        left += width
    for _ in range(int(rng.integers(0, 8))):
        ends = rng.uniform(-0.1, 1.1, (2, 2)) * size
        cv2.line(
            picture,
            ends[0].astype(int).tolist(),
            ends[1].astype(int).tolist(),
            random_colour(rng),
            int(rng.integers(1, 4)),
            cv2.LINE_AA,
        )
    return lettering(rng, size, picture) if rng.random() < 0.3 else picture


def pattern(rng: np.random.Generator, size: int) -> Picture:
    """Stripes, checks, dots or plaid."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(0.02, 0.3) * size
    u = (np.cos(angle) * columns + np.sin(angle) * rows) / period * 2 * np.pi
    v = (-np.sin(angle) * columns + np.cos(angle) * rows) / period * 2 * np.pi
    wave = rng.choice([0, 1, 2, 3])
    mask = [
        np.sin(u),
        np.sin(u) * np.sin(v),
        np.cos(u) + np.cos(v) - rng.uniform(0, 1.5),
        np.maximum(np.sin(u), np.sin(v)),
    ][int(wave)]
    return _blend(
        np.clip(mask * rng.uniform(1, 12) + 0.5, 0, 1).astype(np.float32), random_colour(rng), random_colour(rng)
    ).astype(np.uint8)


def lettering(rng: np.random.Generator, size: int, ground: Picture | None = None) -> Picture:
    """Letters and signs in any place, size and colour."""
    picture = flat(rng, size) if ground is None else ground
    letters = np.array(list("ABCDEFGHKMNOPQRSTXYZabdeghkmnopqs0123456789@#&%:;)(!?=+-"))
    for _ in range(int(rng.integers(1, 8))):
        text = "".join(rng.choice(letters, int(rng.integers(1, 9))).tolist())
        position = (int(rng.integers(-20, size)), int(rng.integers(0, size + 20)))
        scale = float(rng.uniform(0.004, 0.02) * size)
        font = int(
            rng.choice(
                [
                    cv2.FONT_HERSHEY_SIMPLEX,
                    cv2.FONT_HERSHEY_COMPLEX,
                    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
                    cv2.FONT_HERSHEY_TRIPLEX,
                ]
            )
        )
        cv2.putText(picture, text, position, font, scale, random_colour(rng), int(rng.integers(1, 7)), cv2.LINE_AA)
    return picture


def shapes(rng: np.random.Generator, size: int) -> Picture:
    """Discs, rings, blobs and strokes, often in pairs as eyes would be: wheels, lamps, clocks, hills, strands."""
    picture = (
        flat(rng, size)
        if rng.random() < 0.5
        else _blend(noise(rng, size), random_colour(rng), random_colour(rng)).astype(np.uint8)
    )
    for _ in range(int(rng.integers(4, 30))):
        position, radius = rng.uniform(0, size, 2), rng.uniform(0.01, 0.25) * size
        colour = random_colour(rng)
        axes = (int(radius), int(radius * rng.uniform(0.4, 1.2)))
        turn, line = float(rng.uniform(0, 180)), -1 if rng.random() < 0.6 else int(rng.integers(1, 5))
        for place in (
            (position, np.add(position, (radius * rng.uniform(2.1, 4), 0))) if rng.random() < 0.3 else (position,)
        ):
            cv2.ellipse(picture, place.astype(int).tolist(), axes, turn, 0, 360, colour, line, cv2.LINE_AA)
            if rng.random() < 0.3:
                cv2.circle(
                    picture, place.astype(int).tolist(), max(1, int(radius * 0.4)), random_colour(rng), -1, cv2.LINE_AA
                )
    for _ in range(int(rng.integers(0, 10))):
        walk = rng.uniform(0, size, 2) + np.cumsum(rng.normal(0, 0.05 * size, (12, 2)), 0)
        cv2.polylines(
            picture,
            [walk.astype(np.int32)],
            bool(rng.random() < 0.2),
            random_colour(rng),
            int(rng.integers(1, 8)),
            cv2.LINE_AA,
        )
    return picture


def mosaic(rng: np.random.Generator, size: int, crops: Sequence[Picture]) -> Picture:
    """Face-free crops at random sizes and places, edges sharp or feathered."""
    picture = cv2.resize(crops[int(rng.integers(len(crops)))], (size, size), interpolation=cv2.INTER_LINEAR)
    dense = rng.random() < 0.5
    for _ in range(int(rng.integers(20, 70)) if dense else int(rng.integers(1, 10))):
        crop = crops[int(rng.integers(len(crops)))]
        extent = rng.uniform(0.06, 0.3, 2) if dense else rng.uniform(0.15, 0.8, 2)
        width, height = np.maximum(extent * size, 6).astype(int).tolist()
        left, top = (
            int(rng.integers(-width // 2, size - width // 2)),
            int(rng.integers(-height // 2, size - height // 2)),
        )
        tile = cv2.resize(
            crop, (width, height), interpolation=cv2.INTER_AREA if crop.shape[0] > height else cv2.INTER_LINEAR
        )
        mask = np.ones((height, width), np.float32)
        if rng.random() < 0.5:
            edge = 2 * int(min(width, height) * 0.12) + 1
            mask = cv2.blur(
                cv2.copyMakeBorder(mask[2:-2, 2:-2], 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0), (edge, edge)
            )
        paste(picture, tile, mask, left, top)
    return picture


def paste(picture: Picture, tile: Picture, mask: NDArray[np.float32], left: int, top: int) -> None:
    """Blends tile [h, w, 3] with weight mask [h, w] onto picture in place; parts outside are cut off."""
    height, width = tile.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(picture.shape[1], left + width), min(picture.shape[0], top + height)
    if x0 >= x1 or y0 >= y1:
        return
    part = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    weight = mask[part][..., None]
    old = picture[y0:y1, x0:x1].astype(np.float32)
    picture[y0:y1, x0:x1] = (old + weight * (tile[part].astype(np.float32) - old)).astype(np.uint8)


KINDS: tuple[Callable[[np.random.Generator, int], Picture], ...] = (
    flat,
    sky,
    foliage,
    room,
    street,
    pattern,
    lettering,
    shapes,
)


def scene(rng: np.random.Generator, size: int, crops: Sequence[Picture]) -> Picture:
    """One face-free picture, uint8 [size, size, 3]; `crops` (may be empty) are photographs or art without faces.

    A third are made larger and scaled down, which gives the small, sharp clutter of painted backgrounds.
    """
    if rng.random() < 0.35:
        large = _scene(rng, int(size * rng.uniform(1.5, 3.0)), crops)
        return np.asarray(cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    return _scene(rng, size, crops)


def _scene(rng: np.random.Generator, size: int, crops: Sequence[Picture]) -> Picture:
    if crops and rng.random() < 0.45:
        picture = mosaic(rng, size, crops)
        if rng.random() < 0.25:
            other = KINDS[int(rng.integers(len(KINDS)))](rng, size)
            weight = np.clip((noise(rng, size, 2) - 0.5) * 8 + 0.5, 0, 1)
            paste(picture, other, weight, 0, 0)
    else:
        picture = KINDS[int(rng.integers(len(KINDS)))](rng, size)
    if rng.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 3.0)))
    if rng.random() < 0.2:
        shade = (noise(rng, size, 2, 2) * 0.8 + 0.5)[..., None]
        picture = np.clip(picture * shade, 0, 255).astype(np.uint8)
    return picture
