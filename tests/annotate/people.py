"""Simple coloured heads for tests: flat hair, skin, eyes and collar, slightly different each time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Looks:
    hair: Colour
    eyes: Colour
    collar: Colour
    skin: Colour = (250, 222, 204)


ANNA = Looks(hair=(236, 206, 120), eyes=(60, 120, 210), collar=(40, 60, 130))
BETH = Looks(hair=(60, 56, 70), eyes=(200, 50, 64), collar=(240, 240, 244))
CARA = Looks(hair=(110, 172, 124), eyes=(140, 88, 56), collar=(220, 150, 60))


def scenery(width: int = 480, height: int = 270, *, seed: int = 0) -> NDArray[np.uint8]:
    """A soft background without people."""
    random = np.random.default_rng(seed)
    small = random.integers(90, 200, (4, 6, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def add_head(
    picture: NDArray[np.uint8], looks: Looks, *, x: float, y: float, face: float, seed: int = 0
) -> tuple[float, float, float, float]:
    """Paint a head; middle x, y (0..1) and height `face` (0..1) of its face box, which is returned, relative."""
    random = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    side = face * height
    cx, cy = x * width, y * height

    def oval(dx: float, dy: float, rx: float, ry: float, colour: Colour) -> None:
        noisy = tuple(int(np.clip(value + random.integers(-5, 6), 0, 255)) for value in colour)
        centre = (round(cx + dx * side), round(cy + dy * side))
        cv2.ellipse(picture, centre, (max(1, round(rx * side)), max(1, round(ry * side))), 0, 0, 360, noisy, -1)

    oval(0, 0.95, 0.75, 0.45, looks.collar)
    oval(0, 0.45, 0.16, 0.3, looks.skin)
    oval(0, -0.22, 0.74, 0.74, looks.hair)
    oval(0, 0.12, 0.46, 0.42, looks.skin)
    oval(0, -0.36, 0.5, 0.22, looks.hair)
    for eye in (-0.22, 0.22):
        oval(eye, 0.02, 0.12, 0.11, (255, 255, 255))
        oval(eye, 0.02, 0.08, 0.1, looks.eyes)
    oval(0, 0.32, 0.06, 0.03, (200, 90, 90))
    half_w, half_h = side / 2 / width, face / 2
    return (max(0.0, x - half_w), max(0.0, y - half_h), min(1.0, x + half_w), min(1.0, y + half_h))
