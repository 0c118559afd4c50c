"""Adds hair around a pasted face and a body below it in matching colours, so that it does not end at its edge."""

from __future__ import annotations

import cv2
import numpy as np

from training.pasted_faces import hair_of, mask, skin_of
from training.scenery import Picture, paste, random_colour


def _weave(
    rng: np.random.Generator, picture: Picture, others: list[Picture], x: float, top: float, half: float
) -> None:
    """Patterned cloth: face-free crops laid over a body whose middle is x, from `top` down."""
    for _ in range(int(rng.integers(1, 7))):
        width, height = (rng.uniform(0.3, 1.6, 2) * half).astype(int).tolist()
        tile = cv2.resize(
            others[int(rng.integers(len(others)))], (max(4, width), max(4, height)), interpolation=cv2.INTER_AREA
        )
        left = round(x + rng.uniform(-1, 1) * half - width / 2)
        paste(picture, tile, mask(rng, max(tile.shape[:2]))[: tile.shape[0], : tile.shape[1]], left,
              round(top + rng.uniform(0, 1.5) * half))  # fmt: skip


def surroundings(
    rng: np.random.Generator,
    picture: Picture,
    crop: Picture,
    others: list[Picture],
    *,
    x: float,
    y: float,
    side: float,
    looks: int,
) -> None:
    """Hair around and a body below a face to be pasted, in its own colours, so that it does not end at its edge."""
    hair, skin = hair_of(crop), skin_of(crop)

    def polygon(points: list[tuple[float, float]], colour: tuple[int, ...]) -> None:
        points_px = np.array([(x + side * a, y + side * b) for a, b in points]).astype(np.int32)
        cv2.fillPoly(picture, [points_px], colour, cv2.LINE_AA)
        if line:
            cv2.polylines(picture, [points_px], True, (40, 32, 36), line, cv2.LINE_AA)

    line = int(rng.integers(0, 3))
    if rng.random() < 0.75:
        # In profile the hair is behind the face.
        back = -looks * rng.uniform(0.3, 0.6)
        axes = (int(side * rng.uniform(0.7, 1.0)), int(side * rng.uniform(0.7, 1.0)))
        cv2.ellipse(picture, (int(x + back * side), int(y - 0.3 * side)), axes, 0, 0, 360, hair, -1, cv2.LINE_AA)
        length = rng.uniform(0.5, 2.5)
        if rng.random() < 0.6:
            ends = rng.uniform(0.5, 1.2, 2) if looks == 0 else rng.uniform(0.1, 0.6, 2)
            top = 0.75 if looks == 0 else 0.4
            curtain = [
                (back - 0.75, -0.2),
                (back + top, -0.2),
                (back + ends[0], length),
                (back - 0.1 - ends[1], length),
            ]
            polygon([(a if looks >= 0 else 2 * back - a, b) for a, b in curtain], hair)
    if rng.random() < 0.85:
        shirt, wide, lean = random_colour(rng), rng.uniform(0.6, 1.3), rng.uniform(-0.3, 0.3)
        polygon([(-0.2, 0.3), (0.2, 0.3), (0.25 + lean, 0.9), (-0.25 + lean, 0.9)], skin)
        polygon(
            [
                (-0.25 + lean, 0.7),
                (0.25 + lean, 0.7),
                (wide + lean, 1.0),
                (wide * 1.2 + lean, 4.0),
                (-wide * 1.2 + lean, 4.0),
                (-wide + lean, 1.0),
            ],
            shirt,
        )
        if others and rng.random() < 0.5:
            _weave(rng, picture, others, x + side * lean, y + side * 0.95, side * wide)
        for _ in range(int(rng.integers(0, 5))):
            a, b, reach = rng.uniform(-0.7, 0.7) + lean, rng.uniform(0.8, 2.5), rng.uniform(0.1, 0.4)
            polygon(
                [(a, b), (a + reach, b + rng.uniform(-0.3, 0.3)), (a + rng.uniform(-0.2, 0.4), b + reach)],
                random_colour(rng) if rng.random() < 0.7 else skin,
            )
