"""Cuts training canvases out of scenes that the demo film's code draws: people in all views with their true boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_film.backgrounds import random_background
from demo_film.canvas import Canvas
from demo_film.cast import random_appearance, random_pose
from demo_film.characters import draw_person
from demo_film.crops import random_scene

Picture = NDArray[Any]  # uint8 [h, w, 3] RGB; OpenCV's types are less specific


@dataclass(frozen=True, slots=True)
class DrawnScenes:
    """Pictures with boxes float32 [n, 4]; calling it cuts a canvas of `size` pixels with whole-face truth [n, 4]."""

    pictures: list[Picture]
    boxes: list[NDArray[np.float32]]

    def __call__(
        self, rng: np.random.Generator, size: int, sides: tuple[float, float]
    ) -> tuple[Picture, NDArray[np.float32]]:
        """Scales a scene so that one of its faces has a side within `sides`, and cuts a square round about it.

        A cut in which a face is between a third and three fifths visible is discarded as ambiguous.
        """
        while True:
            place = int(rng.integers(len(self.pictures)))
            picture, boxes = self.pictures[place], self.boxes[place]
            height, width = picture.shape[:2]
            if len(boxes):
                box = boxes[int(rng.integers(len(boxes)))]
                side = float(np.exp(rng.uniform(np.log(sides[0]), np.log(sides[1]))))
                scale = side / max(4.0, float(box[3] - box[1]))
                middle = (box[:2] + box[2:]) / 2
            else:
                scale, middle = float(rng.uniform(0.5, 2.0)), rng.uniform(0, 1, 2) * (width, height)
            scale = float(np.clip(scale, size / min(height, width), 3.0))
            corner = np.clip(
                middle * scale - rng.uniform(0.1, 0.9, 2) * size, 0, np.array([width, height]) * scale - size
            )
            mapped = boxes * scale - np.tile(corner, 2)
            extent = mapped[:, 2:] - mapped[:, :2]
            inside = np.prod(np.maximum(np.minimum(mapped[:, 2:], size) - np.maximum(mapped[:, :2], 0), 0), axis=1)
            seen = inside / np.maximum(np.prod(extent, axis=1), 1e-6)
            if ((seen > 0.33) & (seen < 0.6)).any():
                continue
            is_visible = (seen >= 0.6) & (extent[:, 1] >= 8)
            source = corner / scale, size / scale
            left, top = np.floor(source[0]).astype(int).tolist()
            part = picture[top : top + int(np.ceil(source[1])) + 1, left : left + int(np.ceil(source[1])) + 1]
            matrix = np.array([[scale, 0, left * scale - corner[0]], [0, scale, top * scale - corner[1]]])
            if scale < 0.6:
                part = cv2.GaussianBlur(part, (0, 0), 0.35 / scale)
            tile = cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            truth = np.hstack([(mapped[:, :2] + mapped[:, 2:]) / 2, extent])
            return np.asarray(tile, np.uint8), truth[is_visible].astype(np.float32)


def turned_scene(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Picture, list[tuple[float, ...]]]:
    """One or two people who are rarer in `random_scene`: in profile, leaning, with closed eyes; and their boxes."""
    width, height = size
    canvas = Canvas(random_background(rng, size))
    boxes: list[tuple[float, ...]] = []
    for place in range(int(rng.integers(1, 3))):
        unit = height * float(np.exp(rng.uniform(np.log(0.06), np.log(0.24))))
        x = (0.25 + 0.5 * place) * width + float(rng.normal(0, 0.04)) * width
        y = float(rng.uniform(min(unit, 0.5 * height), max(height - 1.6 * unit, 0.5 * height)))
        side = 1 if rng.random() < 0.5 else -1
        yaw = float(rng.uniform(66, 112)) if rng.random() < 0.6 else float(rng.uniform(0, 60))
        shut = rng.random()
        pose = replace(
            random_pose(rng),
            yaw=side * yaw,
            tilt=float(rng.normal(0, 20)),
            eyes=0.0 if shut < 0.45 else 1.0,
            smiling_eyes=bool(shut < 0.12),
        )
        drawn = draw_person(canvas, random_appearance(rng), pose, x=x, y=y, unit=unit)
        if drawn.face is not None:
            left, top, right, bottom = drawn.face
            boxes.append((max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))))
    return canvas.finish(), boxes


def draw_scenes(count: int, *, seed: int, size: tuple[int, int] = (480, 360), turned: float = 0.4) -> DrawnScenes:
    """Draws `count` scenes with random people, a share of them `turned`; another seed gives other people."""
    rng = np.random.default_rng(seed)
    pictures, boxes = [], []
    for _ in range(count):
        picture, scene_boxes = turned_scene(rng, size) if rng.random() < turned else random_scene(rng, size)[:2]
        pictures.append(picture)
        boxes.append(np.array(scene_boxes, np.float32).reshape(-1, 4))
    return DrawnScenes(pictures, boxes)


def draw_places(count: int, *, seed: int, size: int = 320) -> list[Picture]:
    """Face-free drawn backgrounds."""
    rng = np.random.default_rng(seed)
    return [random_background(rng, (size, size)) for _ in range(count)]
