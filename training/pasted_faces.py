"""Changes aligned face crops before they are pasted: cut out, turned, seen from the side, eyes shut, hair in front."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenery import Picture

# Position of the face in an aligned crop, in shares of its side: the skin in the mean of all crops is from 0.20 to
# 0.80 across and its chin to 0.80; the box is a fifth larger, so that it shares more than half with tighter and with
# looser notions of a face's box.
CROP_CENTRE = (0.50, 0.535)
CROP_FACE = 0.72
CROP_EYES = ((0.31, 0.40), (0.69, 0.40))

Box = tuple[float, float, float, float]  # centre x, centre y, width, height


def turned_extent(width: float, height: float, turn: float) -> tuple[float, float]:
    """Width and height of the upright box round an ellipse of these axes that is turned by `turn` radians."""
    return (
        float(np.hypot(width * np.cos(turn), height * np.sin(turn))),
        float(np.hypot(width * np.sin(turn), height * np.cos(turn))),
    )


def random_turn(rng: np.random.Generator, tilted: float) -> float:
    """An angle in radians: a little off the upright, or (share `tilted`) anything up to 50 degrees."""
    return float(np.radians(rng.uniform(-50, 50) if rng.random() < tilted else rng.normal(0, 10)))


def mask(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Weight of a pasted crop: whole, feathered, a rounded head, or one with a ragged edge."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    kind = rng.random()
    if kind < 0.2:
        return np.ones((size, size), np.float32)
    if kind < 0.45:
        edge = 0.5 - np.maximum(np.abs(rows), np.abs(columns))
        return np.asarray(np.clip(edge * rng.uniform(6, 25), 0, 1), np.float32)
    power = rng.uniform(2, 5)
    radius = (np.abs(columns / rng.uniform(0.42, 0.5)) ** power + np.abs(rows / rng.uniform(0.46, 0.52)) ** power) ** (
        1 / power
    )
    if kind > 0.8:
        bumps = rng.normal(0, 0.05, 24)
        angle = ((np.arctan2(rows, columns) / (2 * np.pi) + 0.5) * 24).astype(int) % 24
        radius = radius + bumps[angle].astype(np.float32)
    return np.asarray(np.clip((1 - radius) * rng.uniform(8, 40), 0, 1), np.float32)


def warp(
    rng: np.random.Generator,
    crop: Picture,
    cover: NDArray[np.float32],
    side: float,
    *,
    tilted: float,
    middle: float = CROP_CENTRE[0],
) -> tuple[Picture, NDArray[np.float32], Box]:
    """Turns and stretches a crop so that its face is about `side` pixels: tile, mask, and the face's box in it.

    `middle`: where the face's middle lies across the crop, in parts of its side.
    """
    source = crop.shape[0]
    turn = random_turn(rng, tilted)
    stretch = float(np.exp(rng.normal(0, 0.09)))
    scale = side / (CROP_FACE * source)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag(
        [scale * stretch, scale / stretch]
    )
    size = int(np.ceil(1.6 * side / CROP_FACE))
    shift = np.array([size / 2, size / 2]) - matrix @ np.array([source / 2, source / 2])
    affine = np.hstack([matrix, shift[:, None]])
    method = cv2.INTER_LINEAR if scale < 0.6 or rng.random() < 0.5 else cv2.INTER_CUBIC
    if scale < 0.6:  # warpAffine has no area averaging
        crop = cv2.GaussianBlur(crop, (0, 0), 0.35 / scale)
    tile = cv2.warpAffine(crop, affine, (size, size), flags=method, borderMode=cv2.BORDER_REPLICATE)
    laid = cv2.warpAffine(cover, affine, (size, size), flags=cv2.INTER_LINEAR)
    x, y = (affine @ np.array([middle * source, CROP_CENTRE[1] * source, 1.0])).tolist()
    width, height = turned_extent(side * stretch, side / stretch, turn)
    return tile, np.asarray(laid, np.float32), (float(x), float(y), width, height)


def skin_of(crop: Picture) -> tuple[int, int, int]:
    """Skin colour below the eyes of an aligned crop."""
    size = crop.shape[0]
    red, green, blue = np.median(
        crop[size * 9 // 16 : size * 11 // 16, size * 3 // 8 : size * 5 // 8].reshape(-1, 3), 0
    )
    return (int(red), int(green), int(blue))


def hair_of(crop: Picture) -> tuple[int, int, int]:
    """Hair colour at the upper edge of an aligned crop."""
    edge = crop.shape[0] // 8
    red, green, blue = np.median(crop[:edge, edge:-edge].reshape(-1, 3), 0)
    return (int(red), int(green), int(blue))


def shut_eyes(rng: np.random.Generator, crop: Picture) -> Picture:
    """A crop whose eyes are painted over with skin and drawn shut, hanging or smiling."""
    size = crop.shape[0]
    changed = crop.copy()
    skin = skin_of(crop)
    patch = np.zeros((size, size), np.float32)
    for x, y in CROP_EYES:
        axes = (round(0.135 * size), round(0.125 * size))
        cv2.ellipse(patch, (round(x * size), round((y + 0.01) * size)), axes, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(patch, (0, 0), 0.02 * size)[..., None]
    changed = (changed * (1 - soft) + np.array(skin, np.float32) * soft).astype(np.uint8)
    dark = tuple(int(c * rng.uniform(0.1, 0.4)) for c in hair_of(crop)) if rng.random() < 0.5 else (40, 30, 36)
    smiling = rng.random() < 0.35
    wide, deep = rng.uniform(0.08, 0.13) * size, rng.uniform(0.01, 0.06) * size
    drop = rng.uniform(0.0, 0.07) * size
    for x, y in CROP_EYES:
        arc = (200, 340) if smiling else (15, 165)
        position = (round(x * size), round(y * size + drop))
        cv2.ellipse(
            changed, position, (round(wide), max(1, round(deep))), 0, *arc, dark, int(rng.integers(1, 3)), cv2.LINE_AA
        )
    return changed


def hang_hair(rng: np.random.Generator, crop: Picture) -> Picture:
    """A crop with strands of its own hair over a part of the face: one side, or between the eyes."""
    size = crop.shape[0]
    changed = crop.copy()
    hair = np.array(hair_of(crop), np.float32)
    right = rng.random() < 0.5
    reach = rng.uniform(0.28, 0.56) if rng.random() < 0.7 else 0.2
    for _ in range(int(rng.integers(3, 9))):
        top, end = rng.uniform(0.0, reach, 2) * size
        low = rng.uniform(0.45, 1.1) * size
        width = rng.uniform(0.04, 0.16) * size
        strand = np.array(
            [(top, -2), (top + width, -2), ((top + end) / 2 + width, low * 0.5), (end, low), ((top + end) / 2, low / 2)]
        )
        if right:
            strand[:, 0] = size - strand[:, 0]
        colour = tuple(int(c) for c in np.clip(hair * rng.uniform(0.75, 1.2), 0, 255))
        cv2.fillPoly(changed, [np.round(strand * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
        if rng.random() < 0.6:
            line = tuple(int(c * 0.5) for c in hair)
            cv2.polylines(changed, [np.round(strand[1:] * 16).astype(np.int32)], False, line, 1, cv2.LINE_AA, 4)
    return changed


def sideways(rng: np.random.Generator, crop: Picture) -> tuple[Picture, NDArray[np.float32]]:
    """A front face made to look like one from the side that looks right: one half, narrowed, hair drawn over the rest.

    Behind the line of forehead, nose and chin (made up) the mask ends, so that the scenery meets the skin.
    """
    size = crop.shape[0]
    hair_end, nose = round(0.19 * size), round(rng.uniform(0.54, 0.64) * size)
    edge = round(rng.uniform(0.74, 0.8) * size)
    strip = round(rng.uniform(0.22, 0.5) * size)
    changed = np.empty_like(crop)
    hair = cv2.resize(crop[:, :hair_end], (edge - strip, size), interpolation=cv2.INTER_LINEAR)
    changed[:, : edge - strip] = cv2.GaussianBlur(hair, (0, 0), 1.0) if rng.random() < 0.5 else hair
    changed[:, edge - strip : edge] = cv2.resize(crop[:, hair_end:nose], (strip, size), interpolation=cv2.INTER_AREA)
    changed[:, edge:] = changed[:, edge - 1 : edge]
    # Parts of the face's height, and how far the line lies before or behind the edge: brow, bridge, nose, mouth, chin.
    heights = np.array([-0.5, 0.2, 0.46, 0.66, 0.76, 0.86, 1.2]) * size
    reach = np.array([-0.14, 0.0, -0.03, rng.uniform(0.02, 0.08), 0.0, -0.05, -0.3]) * size
    line = edge + np.interp(np.arange(size), heights, reach)
    columns = np.arange(size, dtype=np.float32)[None, :]
    cover = np.clip(line[:, None] - columns, 0, 1) * np.clip(columns / rng.uniform(2, 8), 0, 1)
    border = np.clip(np.minimum(np.arange(size), np.arange(size)[::-1]) / rng.uniform(2, 8), 0, 1)
    return changed, np.asarray(cover * border[:, None], np.float32)


def recolour(rng: np.random.Generator, tile: Picture) -> Picture:
    """Other hue, saturation and brightness, grey, or sharpened."""
    if rng.random() < 0.5:
        hsv = cv2.cvtColor(tile, cv2.COLOR_RGB2HSV).astype(np.int16)
        hsv[..., 0] = (hsv[..., 0] + int(rng.normal(0, 8))) % 180
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.4, 1.5), 0, 255)
        hsv[..., 2] = np.clip(hsv[..., 2] * rng.uniform(0.5, 1.2), 0, 255)
        tile = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    if rng.random() < 0.12:
        tile = cv2.cvtColor(cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.3:
        soft = cv2.GaussianBlur(tile, (0, 0), 1.2)
        tile = cv2.addWeighted(tile, 2.0, soft, -1.0, 0)
    return tile
