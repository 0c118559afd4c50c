"""Faces that aligned crops of young heroines lack: narrow eyes, lined and dark faces, shadows, spectacles, two inks."""

from __future__ import annotations

import cv2
import numpy as np

from training.pasted_faces import CROP_EYES, hair_of
from training.scenery import Picture, random_colour


def matured(rng: np.random.Generator, crop: Picture) -> Picture:
    """An aligned crop with narrow eyes and a longer lower face, perhaps with brows, furrows and a beard."""
    size = crop.shape[0]
    brow, low_lid, chin = 0.27, 0.53, 0.82
    drop, opening = rng.uniform(-0.02, 0.1), rng.uniform(0.3, 0.85)
    to = np.array([0, brow + drop, brow + drop + opening * (low_lid - brow), chin, 1.0])
    rows = np.interp((np.arange(size) + 0.5) / size, to, [0, brow, low_lid, chin, 1.0]) * size - 0.5
    columns = np.tile(np.arange(size, dtype=np.float32), (size, 1))
    grid = np.tile(rows.astype(np.float32)[:, None], (1, size))
    changed = np.asarray(cv2.remap(crop, columns, grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    dark = tuple(int(c * rng.uniform(0.2, 0.7)) for c in hair_of(crop)) if rng.random() < 0.6 else (40, 32, 36)
    brow_y, lid_y = to[1] + 0.01, to[2]

    def stroke(points: list[tuple[float, float]], width: int) -> None:
        corners = np.round(np.array(points) * size * 16).astype(np.int32)
        cv2.polylines(changed, [corners], False, dark, width, cv2.LINE_AA, 4)

    if rng.random() < 0.5:
        slant, reach = rng.uniform(-0.02, 0.08), rng.uniform(0.1, 0.15)
        for (x, _), side in zip(CROP_EYES, (-1, 1), strict=True):
            stroke([(x + side * reach, brow_y - slant), (x - side * reach, brow_y + slant)], int(rng.integers(1, 5)))
    if rng.random() < 0.4:
        for side in (-1, 1):
            x = 0.5 + side * rng.uniform(0.08, 0.12)
            stroke([(x, 0.6), (x + side * rng.uniform(0.02, 0.08), 0.72)], 1)
    if rng.random() < 0.2:
        for (x, _), side in zip(CROP_EYES, (-1, 1), strict=True):
            stroke([(x - side * 0.1, lid_y + 0.03), (x + side * 0.08, lid_y + 0.05)], 1)
    if rng.random() < 0.15:
        half, top = rng.uniform(0.08, 0.2), rng.uniform(0.64, 0.68)
        hair = tuple(int(c) for c in hair_of(crop))
        edge = [(0.5 - half, top + 0.04), (0.5, top), (0.5 + half, top + 0.04), (0.5 + 0.7 * half, top + 0.09)]
        if rng.random() < 0.5:
            edge += [(0.5 + half, 0.85), (0.5, 0.95), (0.5 - half, 0.85)]
        edge.append((0.5 - 0.7 * half, top + 0.09))
        cv2.fillPoly(changed, [np.round(np.array(edge) * size * 16).astype(np.int32)], hair, cv2.LINE_AA, 4)
    return changed


def shaded(rng: np.random.Generator, crop: Picture) -> Picture:
    """A crop that is dark as a whole (skin or light), or in a shadow with a hard edge."""
    size = crop.shape[0]
    light = np.array([0.6, 0.42, 0.34] if rng.random() < 0.5 else [0.45, 0.5, 0.65]) * rng.uniform(0.7, 1.3)
    weight = np.ones((size, size), np.float32)
    if rng.random() < 0.6:
        angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2)
        y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
        wave = rng.uniform(0, 0.08) * np.sin(x * rng.uniform(5, 25) + y * rng.uniform(5, 25))
        weight = np.clip((np.cos(angle) * x + np.sin(angle) * y + shift + wave) * size, 0, 1).astype(np.float32)
    factor = 1 + weight[..., None] * (np.minimum(light, 1.0) - 1)
    return np.asarray(np.clip(crop * factor, 0, 255), np.uint8)


def spectacled(rng: np.random.Generator, crop: Picture) -> Picture:
    """An aligned crop with spectacles: clear, glaring or dark lenses, round or square, with or without a rim."""
    size = crop.shape[0]
    changed = crop.copy()
    kind = rng.random()
    rim = (30, 28, 34) if rng.random() < 0.5 else random_colour(rng)
    lens, cover = (rim, 0.0) if kind < 0.4 else ((235, 240, 245), 0.75) if kind < 0.6 else ((28, 26, 34), 0.93)
    across, down = rng.uniform(0.13, 0.18) * size, rng.uniform(0.07, 0.15) * size
    line = int(rng.integers(1, 4)) if kind < 0.8 else 0
    middle = (CROP_EYES[0][1] + rng.uniform(-0.01, 0.06)) * size
    is_round = rng.random() < 0.4
    lenses = np.zeros((size, size), np.float32)
    rims = np.zeros((size, size), np.float32)
    for x, _ in CROP_EYES:
        place = (round(x * size), round(middle))
        if is_round:
            cv2.ellipse(lenses, place, (round(across), round(down)), 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
            if line:
                cv2.ellipse(rims, place, (round(across), round(down)), 0, 0, 360, (1.0,), line, cv2.LINE_AA)
            continue
        corners = (place[0] - round(across), place[1] - round(down)), (place[0] + round(across), place[1] + round(down))
        cv2.rectangle(lenses, *corners, (1.0,), -1)
        if line:
            cv2.rectangle(rims, *corners, (1.0,), line)
    inner = [round(CROP_EYES[0][0] * size + across), round(CROP_EYES[1][0] * size - across)]
    cv2.line(rims, (inner[0], round(middle)), (inner[1], round(middle)), (1.0,), max(1, line))
    for weight, colour in ((cover * lenses, lens), (np.clip(rims, 0, 1), rim)):
        changed = (changed + weight[..., None] * (np.array(colour, np.float32) - changed)).astype(np.uint8)
    return changed


def two_inks(rng: np.random.Generator, picture: Picture) -> Picture:
    """A picture printed from one dark to one light colour, smooth or in a few flat tones."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    grey = np.clip((grey - 0.5) * rng.uniform(0.8, 1.6) + rng.uniform(0.4, 0.6), 0, 1)
    if rng.random() < 0.5:
        steps = int(rng.integers(2, 6))
        grey = np.round(grey * steps) / steps
    dark = np.array(random_colour(rng), np.float32) * rng.uniform(0, 0.5)
    light = np.array(random_colour(rng), np.float32)
    light = 255 - (255 - light) * rng.uniform(0.2, 1.0)
    return np.asarray(dark + grey[..., None] * (light - dark), np.uint8)
