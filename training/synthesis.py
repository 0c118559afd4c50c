"""Composes training canvases: face crops and drawn heads on face-free scenes, with upright boxes as truth."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.decoys import add_decoy, draw_hand
from training.drawing_scenes import DrawnScenes
from training.drawn_heads import draw_head
from training.finish import flattened, spoil
from training.gathered import Gathered
from training.hard_faces import matured, shaded, spectacled, two_inks
from training.pasted_faces import (
    CROP_CENTRE,
    Box,
    hang_hair,
    mask,
    random_turn,
    recolour,
    shut_eyes,
    sideways,
    turned_extent,
    warp,
)
from training.scenery import Picture, paste, random_colour, scene
from training.surroundings import surroundings

DRAWN_FACE = 1.15  # drawn boxes reach from cheek to cheek; those of the crops are that much larger
HELD_OUT = 10  # every tenth crop is used for validation


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of the canvases, or of their faces, is of a difficult kind."""

    sideways: float = 0.28
    tilted: float = 0.3
    shut: float = 0.12
    hidden: float = 0.15
    grey: float = 0.1
    lines: float = 0.05
    mature: float = 0.25
    shaded: float = 0.12
    spectacles: float = 0.1
    inks: float = 0.06
    turned: float = 0.08  # canvases turned by 90, 180 or 270 degrees


@dataclass(slots=True)
class Material:
    """What canvases are made of: aligned faces, face-free crops, mined hard negatives, drawn scenes and places,
    gathered scenery."""

    faces: list[Picture] = field(default_factory=list)
    others: list[Picture] = field(default_factory=list)
    hard: list[Picture] = field(default_factory=list)
    places: list[Picture] = field(default_factory=list)
    scenes: DrawnScenes | None = None
    gathered: Gathered | None = None
    shares: Shares = Shares()

    def ground(self, rng: np.random.Generator, size: int) -> Picture:
        """A face-free picture uint8 [size, size, 3] of any kind."""
        if self.gathered is not None and rng.random() < 0.4:
            return self.gathered.part(rng, size)
        if self.places and rng.random() < 0.15:
            place = self.places[int(rng.integers(len(self.places)))]
            span = int(rng.uniform(0.35, 1.0) * place.shape[0])
            x, y = rng.integers(0, place.shape[0] - span + 1, 2).tolist()
            part = cv2.resize(place[y : y + span, x : x + span], (size, size), interpolation=cv2.INTER_AREA)
            return np.asarray(part[:, ::-1] if rng.random() < 0.5 else part, np.uint8).copy()
        canvas = scene(rng, size, self.others)
        return flattened(rng, canvas) if rng.random() < 0.15 else canvas


def read_material(archive: Path) -> tuple[Material, Material]:
    """Training and validation part of the crop archive (`face`, `not_face`), divided before anything is learnt."""
    parts = (Material(), Material())
    with zipfile.ZipFile(archive) as packed:
        for place, name in enumerate(sorted(n for n in packed.namelist() if not n.endswith("/"))):
            picture = cv2.imdecode(np.frombuffer(packed.read(name), np.uint8), cv2.IMREAD_COLOR)
            if picture is None:
                raise ValueError(f"{archive}: {name} is not a readable picture; unpack the archive again")
            picture = np.ascontiguousarray(picture[..., ::-1])
            part = parts[place % HELD_OUT == 0]
            if name.startswith("face/"):
                part.faces.append(cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA))
            elif picture.std() > 3 or place % 5 == 0:  # most of the plain ones are of no use
                part.others.append(
                    cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA) if picture.shape[0] > 96 else picture
                )
    return parts


@dataclass(slots=True)
class _Canvas:
    picture: Picture
    faces: list[Box] = field(default_factory=list)

    def clear_of(self, x: float, y: float, reach: float) -> bool:
        """Whether a paste of this reach would leave every labelled face visible."""
        return all(max(abs(x - a), abs(y - b)) > reach + 0.55 * max(w, h) for a, b, w, h in self.faces)


def _add_crop(rng: np.random.Generator, canvas: _Canvas, material: Material, x: float, y: float, side: float) -> None:
    shares = material.shares
    crop = recolour(rng, material.faces[int(rng.integers(len(material.faces)))])
    looks = int(rng.choice([-1, 1])) if rng.random() < shares.sideways else 0  # right 1, left -1, front 0
    if rng.random() < shares.mature:
        crop = matured(rng, crop)
    if rng.random() < (max(0.4, shares.shut) if looks else shares.shut):
        crop = shut_eyes(rng, crop)
    if rng.random() < shares.spectacles:
        crop = spectacled(rng, crop)
    if rng.random() < shares.shaded:
        crop = shaded(rng, crop)
    if not looks and rng.random() < shares.hidden:
        crop = hang_hair(rng, crop)
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
    cover = mask(rng, crop.shape[0])
    if looks:
        crop, cover = sideways(rng, crop)
        if looks < 0:
            crop, cover = np.ascontiguousarray(crop[:, ::-1]), np.ascontiguousarray(cover[:, ::-1])
    if rng.random() < 0.8:
        surroundings(rng, canvas.picture, crop, material.others, x=x, y=y, side=0.86 * side, looks=looks)
    tile, laid, (face_x, face_y, width, height) = warp(
        rng, crop, cover, side, tilted=shares.tilted, middle=CROP_CENTRE[0] + 0.05 * looks
    )
    left, top = round(x - face_x), round(y - face_y)
    paste(canvas.picture, tile, laid, left, top)
    canvas.faces.append((left + face_x, top + face_y, width, height))


def _add_head(rng: np.random.Generator, canvas: _Canvas, x: float, y: float, side: float, *, tilted: float) -> None:
    """A drawn head; `side` is that of its enlarged box."""
    head = draw_head(rng, side / DRAWN_FACE)
    image, alpha, extent = head.image, head.alpha, (head.side, head.side)
    turn = random_turn(rng, tilted)
    if abs(turn) > 0.05:
        matrix = cv2.getRotationMatrix2D(head.centre, float(np.degrees(turn)), 1.0)
        image = np.asarray(cv2.warpAffine(image, matrix, image.shape[1::-1]), np.uint8)
        alpha = np.asarray(cv2.warpAffine(alpha, matrix, alpha.shape[1::-1]), np.float32)
        extent = turned_extent(*extent, turn)
    left, top = round(x - head.centre[0]), round(y - head.centre[1])
    paste(canvas.picture, image, alpha, left, top)
    if head.side:
        position = left + head.centre[0], top + head.centre[1]
        canvas.faces.append((*position, DRAWN_FACE * extent[0], DRAWN_FACE * extent[1]))


def _in_front(rng: np.random.Generator, picture: Picture, face: Box) -> None:
    """Something in front of a part of the face: a blob of any colour, or a hand."""
    x, y, width, height = face
    angle, side = rng.uniform(0, 2 * np.pi), (width + height) / 2
    position = x + np.cos(angle) * 0.55 * side, y + np.sin(angle) * 0.55 * side
    if rng.random() < 0.4:
        draw_hand(rng, picture, position[0], position[1], side * rng.uniform(0.3, 0.6))
        return
    axes = (max(2, int(side * 0.25)), max(2, int(side * 0.15)))
    turn = float(rng.uniform(0, 180))
    cv2.ellipse(picture, (int(position[0]), int(position[1])), axes, turn, 0, 360, random_colour(rng), -1, cv2.LINE_AA)


def canvas(
    rng: np.random.Generator, size: int, material: Material, *, sides: tuple[float, float], heads_max: int = 3
) -> tuple[Picture, NDArray[np.float32]]:
    """One canvas uint8 [size, size, 3] and its faces float32 [n, 4]: centre x, centre y, width, height, in pixels.

    A face may leave the canvas by up to 40 % of its side; its truth then still describes the whole face.
    """
    shares = material.shares
    if material.scenes is not None and rng.random() < (0.22 if material.faces else 0.6):
        picture, truth = material.scenes(rng, size, sides)
        truth[:, 2:] *= DRAWN_FACE
        return _finished(rng, picture, truth, shares)
    if material.hard and rng.random() < 0.3:
        hard = material.hard[int(rng.integers(len(material.hard)))]
        canvas = _Canvas(cv2.resize(hard, (size, size), interpolation=cv2.INTER_LINEAR))  # a copy of that size
    else:
        canvas = _Canvas(material.ground(rng, size))
    faces = 0 if rng.random() < 0.2 else int(rng.integers(1, heads_max + 1))
    for _ in range(faces + int(rng.integers(0, 3))):
        side = float(np.exp(rng.uniform(np.log(sides[0]), np.log(sides[1]))))
        x, y = rng.uniform(0.1 * side, size - 0.1 * side, 2)
        if not canvas.clear_of(x, y, side * 0.8):
            continue
        if len(canvas.faces) >= faces:
            if material.gathered is not None and material.gathered.objects and rng.random() < 0.3:
                material.gathered.lay(rng, canvas.picture, float(x), float(y), side * float(rng.uniform(0.7, 1.8)))
            else:
                add_decoy(rng, canvas.picture, faces=material.faces, hard=material.hard, x=x, y=y, side=side)
        elif any(b > y and abs(a - x) < 2.2 * side for a, b, _, _ in canvas.faces):
            continue  # its body would cover a labelled face
        elif material.faces and rng.random() < 0.7:
            _add_crop(rng, canvas, material, x, y, side)
        else:
            _add_head(rng, canvas, x, y, side, tilted=shares.tilted)
    truth = np.array(canvas.faces, np.float32).reshape(-1, 4)
    for face in canvas.faces:
        if rng.random() < 0.12:
            _in_front(rng, canvas.picture, face)
    return _finished(rng, canvas.picture, truth, shares)


def _finished(
    rng: np.random.Generator, picture: Picture, truth: NDArray[np.float32], shares: Shares
) -> tuple[Picture, NDArray[np.float32]]:
    """The canvas in its final light and colours, some turned by quarters with their faces."""
    picture = spoil(rng, picture, grey=shares.grey, lines=shares.lines)
    if rng.random() < shares.inks:
        picture = two_inks(rng, picture)
    if rng.random() < shares.turned:
        for _ in range(int(rng.integers(1, 4))):
            picture, truth = quarter_turn(picture, truth)
    return picture, truth


def quarter_turn(picture: Picture, truth: NDArray[np.float32]) -> tuple[Picture, NDArray[np.float32]]:
    """A canvas [s, s, 3] turned by 90 degrees to the left, with its faces [n, 4] (centre, width, height)."""
    x, y, width, height = truth.T
    return np.ascontiguousarray(np.rot90(picture)), np.stack([y, picture.shape[1] - x, height, width], 1)


def contact_sheet(canvases: Sequence[tuple[Picture, NDArray[np.float32]]], columns: int) -> Picture:
    """Canvases side by side with their boxes drawn in, for inspection before training."""
    tiles = []
    for picture, truth in canvases:
        tile = picture.copy()
        for x, y, width, height in truth.tolist():
            corners = (round(x - width / 2), round(y - height / 2)), (round(x + width / 2), round(y + height / 2))
            cv2.rectangle(tile, corners[0], corners[1], (255, 0, 0), 1)
        tiles.append(tile)
    return np.vstack(
        [np.hstack(tiles[position : position + columns]) for position in range(0, len(tiles) - columns + 1, columns)]
    )
