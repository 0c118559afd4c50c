"""Composes training canvases: face crops and drawn heads on face-free scenes, with square boxes as truth."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.drawing_scenes import DrawnScenes
from training.drawn_heads import draw_head
from training.scenery import Picture, paste, random_colour, scene, shapes

# Where the face lies in an aligned 64 px crop, in parts of the crop's side.
CROP_CENTRE = (0.50, 0.55)
CROP_FACE = 0.62
SIDEWAYS = 0.25  # share of the pasted faces that are turned to the side
HELD_OUT = 10  # every tenth crop is kept for validation


@dataclass(slots=True)
class Material:
    """What canvases are made of: aligned faces, face-free crops, mined hard negatives, drawn scenes and places."""

    faces: list[Picture] = field(default_factory=list)
    others: list[Picture] = field(default_factory=list)
    hard: list[Picture] = field(default_factory=list)
    places: list[Picture] = field(default_factory=list)
    scenes: DrawnScenes | None = None

    def ground(self, rng: np.random.Generator, size: int) -> Picture:
        """A face-free picture uint8 [size, size, 3] of any kind."""
        if self.places and rng.random() < 0.15:
            place = self.places[int(rng.integers(len(self.places)))]
            span = int(rng.uniform(0.35, 1.0) * place.shape[0])
            x, y = rng.integers(0, place.shape[0] - span + 1, 2).tolist()
            return np.asarray(
                cv2.resize(place[y : y + span, x : x + span], (size, size), interpolation=cv2.INTER_AREA), np.uint8
            )
        return scene(rng, size, self.others)


def read_material(archive: Path) -> tuple[Material, Material]:
    """Training and validation part of the crop archive (`face`, `not_face`), divided before anything is learnt."""
    parts = (Material(), Material())
    with zipfile.ZipFile(archive) as packed:
        for place, name in enumerate(sorted(n for n in packed.namelist() if not n.endswith("/"))):
            picture = cv2.imdecode(np.frombuffer(packed.read(name), np.uint8), cv2.IMREAD_COLOR)
            if picture is None:
                raise ValueError(f"{archive}: {name} is no readable picture; unpack the archive again")
            picture = np.ascontiguousarray(picture[..., ::-1])
            part = parts[place % HELD_OUT == 0]
            if name.startswith("face/"):
                part.faces.append(cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA))
            elif picture.std() > 3 or place % 5 == 0:  # most of the plain ones teach nothing
                part.others.append(
                    cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA) if picture.shape[0] > 96 else picture
                )
    return parts


@dataclass(slots=True)
class _Canvas:
    picture: Picture
    centres: list[tuple[float, float, float]] = field(default_factory=list)  # x, y, side

    def clear_of(self, x: float, y: float, reach: float) -> bool:
        """Whether a paste of this reach would leave every labelled face visible."""
        return all(max(abs(x - a), abs(y - b)) > reach + 0.55 * side for a, b, side in self.centres)


def _mask(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
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


def _warp(
    rng: np.random.Generator, crop: Picture, mask: NDArray[np.float32], side: float
) -> tuple[Picture, NDArray[np.float32], float, float, float]:
    """Turns and stretches a crop so that its face is `side` pixels: tile, mask, face centre and side in it."""
    source = crop.shape[0]
    turn = np.radians(rng.normal(0, 12) if rng.random() < 0.8 else rng.uniform(-45, 45))
    stretch = np.exp(rng.normal(0, 0.07))
    scale = side / (CROP_FACE * source)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag(
        [scale * stretch, scale / stretch]
    )
    size = int(np.ceil(1.5 * side / CROP_FACE))
    middle = np.array([source / 2, source / 2])
    shift = np.array([size / 2, size / 2]) - matrix @ middle
    affine = np.hstack([matrix, shift[:, None]])
    method = cv2.INTER_LINEAR if scale < 0.6 or rng.random() < 0.5 else cv2.INTER_CUBIC
    if scale < 0.6:  # warpAffine has no area averaging
        crop = cv2.GaussianBlur(crop, (0, 0), 0.35 / scale)
    tile = cv2.warpAffine(crop, affine, (size, size), flags=method, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(mask, affine, (size, size), flags=cv2.INTER_LINEAR)
    x, y = (affine @ np.array([CROP_CENTRE[0] * source, CROP_CENTRE[1] * source, 1.0])).tolist()
    return tile, np.asarray(cover, np.float32), float(x), float(y), side


def _sideways(rng: np.random.Generator, crop: Picture) -> tuple[Picture, NDArray[np.float32]]:
    """A front face made to look like one from the side that looks right: one half, narrowed, hair drawn over the rest.

    Behind the line of forehead, nose and chin (made up) the mask ends, so that the scenery meets the skin.
    """
    size = crop.shape[0]
    hair_end, nose = round(0.19 * size), round(rng.uniform(0.54, 0.64) * size)
    edge = round(rng.uniform(0.74, 0.8) * size)
    strip = round(rng.uniform(0.26, 0.5) * size)
    made = np.empty_like(crop)
    hair = cv2.resize(crop[:, :hair_end], (edge - strip, size), interpolation=cv2.INTER_LINEAR)
    made[:, : edge - strip] = cv2.GaussianBlur(hair, (0, 0), 1.0) if rng.random() < 0.5 else hair
    made[:, edge - strip : edge] = cv2.resize(crop[:, hair_end:nose], (strip, size), interpolation=cv2.INTER_AREA)
    made[:, edge:] = made[:, edge - 1 : edge]
    # Parts of the face's height, and how far the line lies before or behind the edge: brow, bridge, nose, mouth, chin.
    heights = np.array([-0.5, 0.2, 0.46, 0.66, 0.76, 0.86, 1.2]) * size
    reach = np.array([-0.14, 0.0, -0.03, rng.uniform(0.02, 0.08), 0.0, -0.05, -0.3]) * size
    line = edge + np.interp(np.arange(size), heights, reach)
    columns = np.arange(size, dtype=np.float32)[None, :]
    mask = np.clip(line[:, None] - columns, 0, 1) * np.clip(columns / rng.uniform(2, 8), 0, 1)
    border = np.clip(np.minimum(np.arange(size), np.arange(size)[::-1]) / rng.uniform(2, 8), 0, 1)
    return made, np.asarray(mask * border[:, None], np.float32)


def _recolour(rng: np.random.Generator, tile: Picture) -> Picture:
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
        paste(picture, tile, _mask(rng, max(tile.shape[:2]))[: tile.shape[0], : tile.shape[1]], left,
              round(top + rng.uniform(0, 1.5) * half))  # fmt: skip


def _surroundings(
    rng: np.random.Generator,
    canvas: _Canvas,
    crop: Picture,
    others: list[Picture],
    *,
    x: float,
    y: float,
    side: float,
    looks: int,
) -> None:
    """Hair round and a body below a face to be pasted, in its own colours, so that it does not end at its edge."""
    edge = crop.shape[0] // 8
    hair = tuple(int(v) for v in np.median(crop[:edge, edge:-edge].reshape(-1, 3), 0))
    skin = tuple(
        int(v)
        for v in np.median(crop[crop.shape[0] * 5 // 8 : crop.shape[0] * 6 // 8, edge * 3 : edge * 5].reshape(-1, 3), 0)
    )
    picture = canvas.picture

    def polygon(points: list[tuple[float, float]], colour: tuple[int, ...]) -> None:
        at = np.array([(x + side * a, y + side * b) for a, b in points]).astype(np.int32)
        cv2.fillPoly(picture, [at], colour, cv2.LINE_AA)
        if line:
            cv2.polylines(picture, [at], True, (40, 32, 36), line, cv2.LINE_AA)

    line = int(rng.integers(0, 3))
    if rng.random() < 0.75:
        # Seen from the side the hair lies behind the face.
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


def _add_crop(rng: np.random.Generator, canvas: _Canvas, material: Material, x: float, y: float, side: float) -> None:
    crop = _recolour(rng, material.faces[int(rng.integers(len(material.faces)))])
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
    mask = _mask(rng, crop.shape[0])
    looks = 0  # to the right 1, to the left -1, to the front 0
    if rng.random() < SIDEWAYS:
        looks = int(rng.choice([-1, 1]))
        crop, mask = _sideways(rng, crop)
        if looks < 0:
            crop, mask = np.ascontiguousarray(crop[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
    if rng.random() < 0.8:
        _surroundings(rng, canvas, crop, material.others, x=x, y=y, side=side, looks=looks)
    tile, cover, face_x, face_y, side = _warp(rng, crop, mask, side)
    left, top = round(x - face_x), round(y - face_y)
    paste(canvas.picture, tile, cover, left, top)
    canvas.centres.append((left + face_x, top + face_y, side))


def _add_head(rng: np.random.Generator, canvas: _Canvas, x: float, y: float, side: float) -> None:
    head = draw_head(rng, side)
    left, top = round(x - head.centre[0]), round(y - head.centre[1])
    paste(canvas.picture, head.image, head.alpha, left, top)
    if head.side:
        canvas.centres.append((left + head.centre[0], top + head.centre[1], head.side))


def _add_decoy(rng: np.random.Generator, canvas: _Canvas, material: Material, x: float, y: float, side: float) -> None:
    """Something like a face that is none: shuffled quarters, hair only, a half, upside-down blur, a mined alarm."""
    pick = rng.random()
    if material.hard and pick < 0.3:
        hard = material.hard[int(rng.integers(len(material.hard)))]
        tile = hard[hard.shape[0] // 4 : -(hard.shape[0] // 4), hard.shape[1] // 4 : -(hard.shape[1] // 4)]
    elif material.faces:
        crop = _recolour(rng, material.faces[int(rng.integers(len(material.faces)))])
        half = crop.shape[0] // 2
        quarter = half // 2
        if pick < 0.6:
            parts = [crop[:half, :half], crop[:half, half:], crop[half:, :half], crop[half:, half:]]
            order = rng.permutation(4)
            if (order == np.arange(4)).all():
                order = order[::-1]
            tile = np.vstack(
                [np.hstack([parts[order[0]], parts[order[1]]]), np.hstack([parts[order[2]], parts[order[3]]])]
            )
        elif pick < 0.75:
            tile = crop[: quarter + 2]
        elif pick < 0.88:
            tile = crop[:, :quarter]
        else:
            tile = crop[half + quarter :]
    else:
        tile = shapes(rng, 48)
    size = max(8, round(side / CROP_FACE))
    tile = cv2.resize(np.ascontiguousarray(tile), (size, size), interpolation=cv2.INTER_AREA)
    paste(canvas.picture, tile, _mask(rng, size), round(x - size / 2), round(y - size / 2))


def _spoil(rng: np.random.Generator, picture: Picture) -> Picture:
    """Brightness, tint, blur, grain and compression of the whole canvas."""
    if rng.random() < 0.4:
        tint = rng.uniform(0.7, 1.15, 3) * rng.uniform(0.6, 1.2)
        picture = np.clip(picture * tint + rng.normal(0, 8), 0, 255).astype(np.uint8)
    if rng.random() < 0.06:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.2:
        picture = np.clip(picture + rng.normal(0, rng.uniform(2, 10), picture.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        done, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        again = cv2.imdecode(packed, cv2.IMREAD_COLOR) if done else None
        picture = picture if again is None else again
    return picture


def canvas(
    rng: np.random.Generator, size: int, material: Material, *, sides: tuple[float, float], most: int = 3
) -> tuple[Picture, NDArray[np.float32]]:
    """One canvas uint8 [size, size, 3] and its faces float32 [n, 3]: centre x, centre y, side, in pixels.

    A face may leave the canvas by up to 40 % of its side; its truth then still describes the whole face.
    """
    if material.scenes is not None and rng.random() < (0.22 if material.faces else 0.6):
        picture, truth = material.scenes(rng, size, sides)
        return _spoil(rng, picture), truth
    if material.hard and rng.random() < 0.3:
        hard = material.hard[int(rng.integers(len(material.hard)))]
        made = _Canvas(cv2.resize(hard, (size, size), interpolation=cv2.INTER_LINEAR))  # a copy of that size
    else:
        made = _Canvas(material.ground(rng, size))
    faces = 0 if rng.random() < 0.2 else int(rng.integers(1, most + 1))
    for _ in range(faces + int(rng.integers(0, 3))):
        side = float(np.exp(rng.uniform(np.log(sides[0]), np.log(sides[1]))))
        x, y = rng.uniform(0.1 * side, size - 0.1 * side, 2)
        if not made.clear_of(x, y, side * 0.9):
            continue
        if len(made.centres) >= faces:
            _add_decoy(rng, made, material, x, y, side)
        elif any(b > y and abs(a - x) < 2.2 * side for a, b, _ in made.centres):
            continue  # its body would cover a labelled face
        elif material.faces and rng.random() < 0.62:
            _add_crop(rng, made, material, x, y, side)
        else:
            _add_head(rng, made, x, y, side)
    truth = np.array(made.centres, np.float32).reshape(-1, 3)
    for x, y, side in truth.tolist():
        if rng.random() < 0.1:  # something in front of a part of the face
            angle, reach = rng.uniform(0, 2 * np.pi), 0.55 * side
            at = (int(x + np.cos(angle) * reach), int(y + np.sin(angle) * reach))
            cv2.ellipse(
                made.picture,
                at,
                (max(2, int(side * 0.25)), max(2, int(side * 0.15))),
                float(rng.uniform(0, 180)),
                0,
                360,
                random_colour(rng),
                -1,
                cv2.LINE_AA,
            )
    return _spoil(rng, made.picture), truth


def contact_sheet(canvases: Sequence[tuple[Picture, NDArray[np.float32]]], columns: int) -> Picture:
    """Canvases side by side with their truth drawn in, to be looked at before a training."""
    tiles = []
    for picture, truth in canvases:
        tile = picture.copy()
        for x, y, side in truth.tolist():
            corner = (round(x - side / 2), round(y - side / 2)), (round(x + side / 2), round(y + side / 2))
            cv2.rectangle(tile, corner[0], corner[1], (255, 0, 0), 1)
        tiles.append(tile)
    return np.vstack([np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles) - columns + 1, columns)])
