"""Validation of a face network on composed pictures whose faces and scenery took no part in its training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from annotate.algorithms import boxes
from annotate.algorithms.face_pyramid import FIRST_SHARE, Found, confirm, decode, levels, looks, merge
from training.face_net import FaceNet
from training.scenery import Picture
from training.synthesis import Material, canvas

ALARMS_PER_MEGAPIXEL = 0.05  # one alarm in twenty large frames
LEAST_THRESHOLD = 0.24  # below it every picture has alarms, and the second looks cost most of the time


@dataclass(frozen=True, slots=True)
class Validation:
    """Pictures with true boxes float32 [n, 4]; a good part of them has no face at all."""

    pictures: list[Picture]
    truth: list[NDArray[np.float32]]


def make_validation(
    material: Material, *, seed: int, with_faces: int = 160, without: int = 1200, size: int = 384
) -> Validation:
    """Composes the pictures from held-out material and a seed of their own; faces from 20 to 220 pixels."""
    rng = np.random.default_rng(seed)
    pictures: list[Picture] = []
    truth: list[NDArray[np.float32]] = []
    while len(pictures) < with_faces:
        picture, centres = canvas(rng, size, material, sides=(20, 220), most=4)
        if len(centres) and float(centres[:, 2].min()) >= 14:
            half = centres[:, 2:] / 2
            pictures.append(picture)
            truth.append(
                boxes.clip(np.hstack([centres[:, :2] - half, centres[:, :2] + half]).astype(np.float32), size, size)
            )
    for _ in range(without):
        pictures.append(material.ground(rng, size))
        truth.append(np.zeros((0, 4), np.float32))
    return Validation(pictures, truth)


def find(net: FaceNet, picture: Picture, *, threshold: float, least: float = 0.0) -> Found:
    """Faces of a picture by the same pyramid, decoding and second look as the application's."""
    parts = []
    with torch.inference_mode():
        for level in levels(picture):
            heat, shape = net(torch.from_numpy(level.pixels)[None])
            boxed = decode(heat[0].numpy(), shape[0].numpy(), threshold=FIRST_SHARE * threshold)
            parts.append((level, *boxed))
        found = merge(parts, picture.shape[1], picture.shape[0], least=least)
        again = net(torch.from_numpy(looks(picture, found)))[0].numpy() if len(found.boxes) else np.zeros((0, 12, 12))
    return confirm(found, again.astype(np.float32), threshold=threshold)


def choose_threshold(net: FaceNet, checks: Validation, *, least: float) -> tuple[float, dict[str, float]]:
    """The lowest threshold with at most ALARMS_PER_MEGAPIXEL in the face-free pictures, and the figures there.

    Hits are counted at IoU 0.4; faces below `least` pixels are neither asked for nor counted.
    """
    found = [find(net, picture, threshold=LEAST_THRESHOLD, least=least) for picture in checks.pictures]
    empty = [seen for rows, seen in zip(checks.truth, found, strict=True) if not len(rows)]
    area = sum(p.shape[0] * p.shape[1] for p, rows in zip(checks.pictures, checks.truth, strict=True) if not len(rows))
    allowed = int(ALARMS_PER_MEGAPIXEL * area / 1e6)
    scores = np.sort(np.concatenate([seen.scores for seen in empty]))[::-1]
    threshold = LEAST_THRESHOLD if len(scores) <= allowed else float(np.ceil(scores[allowed] * 100 + 0.5) / 100)
    hits = alarms = faces = plain = 0
    for rows, seen in zip(checks.truth, found, strict=True):
        strong = seen.boxes[seen.scores >= threshold]
        matched = boxes.match(rows, strong, least=0.4)
        large = (rows[:, 3] - rows[:, 1]) >= least + 4
        faces += int(large.sum())
        hits += sum(bool(large[row]) for row, _ in matched.pairs)
        alarms += len(matched.extra)
        plain += len(strong) if not len(rows) else 0
    recall, precision = hits / max(1, faces), hits / max(1, hits + alarms)
    f1 = 2 * recall * precision / max(1e-9, recall + precision)
    figures = {"f1": f1, "recall": recall, "precision": precision, "alarms_with_faces": alarms - plain,
               "alarms_without_faces": plain, "faces": faces}  # fmt: skip
    return threshold, figures
