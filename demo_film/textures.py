"""Pictures without flat areas: foliage, screentone, hatching, stripes, rain, weaves, dithering, pixel art."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Texture = Callable[[np.random.Generator, int, int], U8]
SIZE = (1280, 960)


def _foliage(rng: np.random.Generator, width: int, height: int) -> U8:
    picture = np.full((height, width, 3), (40, 80, 45), np.uint8)
    for _ in range(width * height // 60):
        position = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(3, 9)), int(rng.integers(2, 4)))
        green = int(rng.integers(60, 200))
        colour = (green // 2, green, green // 3)
        cv2.ellipse(picture, position, axes, float(rng.integers(180)), 0, 360, colour, -1, cv2.LINE_AA)
    return picture


def _screentone(rng: np.random.Generator, width: int, height: int, *, pitch: float) -> U8:
    """Dots in a grid at 45 degrees whose radius follows a slow shade, as manga is printed."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = 2 * np.pi / pitch / np.sqrt(2)
    wave = (np.cos((x + y) * turn) + np.cos((x - y) * turn)) / 2
    shade = 0.35 * np.sin(x / width * 5 + rng.uniform(0, 6)) * np.cos(y / height * 4 + rng.uniform(0, 6))
    grey = np.clip((wave - shade) * pitch / 2, -0.5, 0.5) + 0.5
    return np.repeat(np.asarray(30 + 215 * grey, np.uint8)[..., None], 3, axis=2)


def _lines(rng: np.random.Generator, width: int, height: int, *, pitch: int) -> U8:
    """Upright lines a pixel wide, not smoothed."""
    picture = np.full((height, width, 3), (200, 220, 240), np.uint8)
    picture[:, int(rng.integers(pitch)) :: pitch] = 20
    return picture


def _stripes(rng: np.random.Generator, width: int, height: int, *, pitch: int) -> U8:
    y, x = np.mgrid[0:height, 0:width]
    on = (x + y // 2 + int(rng.integers(pitch))) // (pitch // 2) % 2
    return np.asarray(np.where(on[..., None] == 1, (225, 190, 200), (120, 60, 90)), np.uint8)


def _hatching(rng: np.random.Generator, width: int, height: int) -> U8:
    picture = np.full((height, width, 3), 240, np.uint8)
    for step, lean in ((7, 0.6), (9, -0.8)):
        for start in range(-width, 2 * width, step):
            bend = int(rng.integers(-3, 4))
            end = (start + int(lean * height) + bend, height)
            cv2.line(picture, (start + bend, 0), end, (60, 60, 70), 1, cv2.LINE_AA)
    return picture


def _rain(rng: np.random.Generator, width: int, height: int) -> U8:
    picture = np.full((height, width, 3), (70, 80, 100), np.uint8)
    for _ in range(width * height // 120):
        x, y, length = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(15, 50))
        bright = int(rng.integers(110, 220))
        cv2.line(picture, (x, y), (x - length // 5, y + length), (bright, bright, bright), 1, cv2.LINE_AA)
    return picture


def _dithered(rng: np.random.Generator, width: int, height: int) -> U8:
    """A slow shade in four colours by a 4 x 4 Bayer matrix."""
    bayer = np.asarray([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16
    y, x = np.mgrid[0:height, 0:width]
    shade = (x / width + y / height) * 1.5 + rng.uniform(0, 0.5)
    step = np.floor(shade + bayer[y % 4, x % 4]) % 4
    return np.repeat(np.asarray(40 + 55 * step, np.uint8)[..., None], 3, axis=2)


def _pixel_art(rng: np.random.Generator, width: int, height: int) -> U8:
    colours = rng.integers(20, 236, (12, 3), np.uint8)
    cells = colours[rng.integers(0, 12, (height // 4 + 1, width // 4 + 1))]
    return np.ascontiguousarray(cells.repeat(4, axis=0).repeat(4, axis=1)[:height, :width])


TEXTURES: dict[str, Texture] = {
    "foliage": _foliage,
    **{f"screentone, {pitch} px": partial(_screentone, pitch=pitch) for pitch in (4, 6, 10, 16)},
    **{f"lines, {pitch} px": partial(_lines, pitch=pitch) for pitch in (8, 16, 37)},
    "stripes, 8 px": partial(_stripes, pitch=8),
    "stripes, 20 px": partial(_stripes, pitch=20),
    "hatching": _hatching,
    "rain": _rain,
    "dithering": _dithered,
    "pixel art": _pixel_art,
}


def textured(name: str, seed: int, size: tuple[int, int] = SIZE) -> U8:
    """A picture uint8 [h, w, 3] of `size` (width, height) all under one of TEXTURES, with a few shapes beneath it."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture = TEXTURES[name](rng, width, height)
    tint = np.full_like(picture, 255)
    for _ in range(7):
        corner = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        far = (corner[0] + int(rng.integers(150, 600)), corner[1] + int(rng.integers(150, 500)))
        colour = [int(value) for value in rng.integers(90, 256, 3)]
        cv2.rectangle(tint, corner, far, colour, -1)
    return np.asarray(picture.astype(np.uint16) * tint // 255, np.uint8)
