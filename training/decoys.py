"""Decoys that resemble faces: shuffled and half faces, hair, hands, skin with folds, mined false alarms."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.pasted_faces import CROP_FACE, mask, recolour
from training.scenery import Picture, paste, random_colour, shapes


def skin_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """A drawn skin's colour, light ones more often."""
    light = rng.uniform(0.55, 1.0) ** 0.5
    return (int(255 * light), int(rng.uniform(200, 232) * light), int(rng.uniform(170, 215) * light))


def _curve(picture: Picture, points: NDArray[np.float64], colour: tuple[int, ...], width: int) -> None:
    cv2.polylines(picture, [np.round(points * 16).astype(np.int32)], False, colour, max(1, width), cv2.LINE_AA, 4)


def draw_hand(rng: np.random.Generator, picture: Picture, x: float, y: float, size: float) -> None:
    """A palm with up to five fingers and an arm, `size` pixels from wrist to tip, drawn onto the picture."""
    skin = skin_colour(rng)
    line = tuple(int(c * rng.uniform(0.3, 0.7)) for c in skin)
    turn = rng.uniform(0, 2 * np.pi)
    width = max(2, round(size * rng.uniform(0.1, 0.16)))
    border = width + max(1, round(size * 0.05))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def placed(points: list[tuple[float, float]]) -> NDArray[np.float64]:
        return np.asarray(np.array(points) @ matrix.T * size + np.array([x, y]), np.float64)

    strokes = [placed([(0.0, 0.1), (rng.uniform(-0.2, 0.2), 1.4)])]  # the arm
    curl = rng.uniform(0.2, 1.0)
    for finger in range(int(rng.integers(3, 6))):
        spread = (finger - 2) * rng.uniform(0.08, 0.16)
        bend = rng.normal(0, 0.08)
        strokes.append(
            placed([(spread * 0.6, -0.1), (spread * 1.1, -0.35 * curl - 0.1), (spread + bend, -0.6 * curl - 0.1)])
        )
    palm = placed([(-0.2, 0.15), (-0.24, -0.15), (0.24, -0.15), (0.2, 0.15)])
    for stroke in strokes:
        _curve(picture, stroke, line, border)
    cv2.fillPoly(picture, [np.round(palm * 16).astype(np.int32)], skin, cv2.LINE_AA, 4)
    for stroke in strokes:
        _curve(picture, stroke, skin, width)


def draw_skin(rng: np.random.Generator, picture: Picture, x: float, y: float, size: float) -> None:
    """A shoulder, knee or belly: a skin-coloured blob with a fold, a shadow or a strap, `size` pixels across."""
    skin = skin_colour(rng)
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    reach = size * rng.uniform(0.35, 0.65, 14)
    reach = (reach + np.roll(reach, 1) + np.roll(reach, -1)) / 3
    outline = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles) * rng.uniform(0.6, 1.6)], 1)
    cv2.fillPoly(picture, [np.round(outline * 16).astype(np.int32)], skin, cv2.LINE_AA, 4)
    dark = tuple(int(c * rng.uniform(0.5, 0.85)) for c in skin)
    for _ in range(int(rng.integers(0, 4))):
        start, end = rng.uniform(-0.3, 0.3, (2, 2)) * size + (x, y)
        middle = (start + end) / 2 + rng.normal(0, 0.08, 2) * size
        _curve(picture, np.stack([start, middle, end]), dark, round(size * rng.uniform(0.01, 0.06)))
    if rng.random() < 0.4:
        start, end = rng.uniform(-0.5, 0.5, (2, 2)) * size + (x, y)
        _curve(picture, np.stack([start, end]), random_colour(rng), round(size * rng.uniform(0.03, 0.15)))


def _tile(rng: np.random.Generator, faces: list[Picture]) -> Picture:
    """A part of a face that is not a face: shuffled quarters, forehead and hair, a side, a chin and collar."""
    crop = recolour(rng, faces[int(rng.integers(len(faces)))])
    half = crop.shape[0] // 2
    quarter = half // 2
    pick = rng.random()
    if pick < 0.4:
        parts = [crop[:half, :half], crop[:half, half:], crop[half:, :half], crop[half:, half:]]
        order = rng.permutation(4)
        if (order == np.arange(4)).all():
            order = order[::-1]
        return np.vstack([np.hstack([parts[order[0]], parts[order[1]]]), np.hstack([parts[order[2]], parts[order[3]]])])
    if pick < 0.6:
        return crop[: quarter + 2]
    if pick < 0.8:
        return crop[:, :quarter]
    return crop[half + quarter :]


def add_decoy(
    rng: np.random.Generator,
    picture: Picture,
    *,
    faces: list[Picture],
    hard: list[Picture],
    x: float,
    y: float,
    side: float,
) -> None:
    """Draw or paste one decoy of the size of a face of `side` pixels; `hard` are mined false alarms (may be empty)."""
    pick = rng.random()
    if pick < 0.12:
        draw_hand(rng, picture, x, y, side * rng.uniform(0.5, 1.3))
        return
    if pick < 0.24:
        draw_skin(rng, picture, x, y, side * rng.uniform(0.7, 1.8))
        return
    if hard and pick < 0.5:
        seen = hard[int(rng.integers(len(hard)))]
        tile = seen[seen.shape[0] // 4 : -(seen.shape[0] // 4), seen.shape[1] // 4 : -(seen.shape[1] // 4)]
    else:
        tile = _tile(rng, faces) if faces else shapes(rng, 48)
    size = max(8, round(side / CROP_FACE))
    tile = cv2.resize(np.ascontiguousarray(tile), (size, size), interpolation=cv2.INTER_AREA)
    paste(picture, tile, mask(rng, size), round(x - size / 2), round(y - size / 2))
