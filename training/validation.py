"""Validates a face network on composed pictures whose faces and scenery were not used for training."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from annotate.algorithms import boxes
from annotate.algorithms.face_pyramid import FIRST_SHARE, Detections, confirm, decode, levels, looks, merge, refine
from training.face_net import FaceNet
from training.finish import painted
from training.scenery import Picture
from training.synthesis import Material, Shares, canvas

ALARMS_PER_MEGAPIXEL = 0.02  # one false alarm in fifty large frames
ALARMS_PER_PICTURE = 1 / 60  # of the gathered scenery, whole pictures
LEAST_THRESHOLD = 0.24  # below it every picture has false alarms, and second passes take most of the time


KINDS: dict[str, Shares] = {
    "as trained": Shares(),
    "from the side": Shares(sideways=1.0, tilted=0.0),
    "eyes shut, half hidden": Shares(sideways=0.0, shut=1.0, hidden=1.0),
    "tilted to 50 degrees": Shares(sideways=0.1, tilted=1.0),
    "grey or lines": Shares(grey=0.6, lines=0.4),
    "16 to 32 pixels": Shares(),
}
SMALL = (16.0, 32.0)


@dataclass(frozen=True, slots=True)
class Validation:
    """Pictures with true boxes float32 [n, 4] and their kind; a good part of them has no face at all."""

    pictures: list[Picture]
    truth: list[NDArray[np.float32]]
    kinds: list[str]
    full_pictures: list[Picture] = field(default_factory=list)  # held-out scenery in its own size


def make_validation(
    material: Material, *, seed: int, with_faces: int = 60, without: int = 1200, size: int = 384
) -> Validation:
    """Composes `with_faces` pictures of each kind from held-out material and a seed of their own, faces to 220 px."""
    rng = np.random.default_rng(seed)
    validation = Validation([], [], [])
    for kind, shares in KINDS.items():
        of_kind = replace(material, shares=shares, scenes=material.scenes if kind == "as trained" else None)
        until = len(validation.pictures) + with_faces
        while len(validation.pictures) < until:
            sides = SMALL if kind.startswith("16") else (20.0, 220.0)
            picture, faces = canvas(rng, size, of_kind, sides=sides, heads_max=4)
            if len(faces) and float(faces[:, 3].min()) >= 14:
                half = faces[:, 2:] / 2
                validation.pictures.append(picture)
                corners = np.hstack([faces[:, :2] - half, faces[:, :2] + half]).astype(np.float32)
                validation.truth.append(boxes.clip(corners, size, size))
                validation.kinds.append(kind)
    for _ in range(without):
        validation.pictures.append(material.ground(rng, size))
        validation.truth.append(np.zeros((0, 4), np.float32))
        validation.kinds.append("")
    if material.gathered is not None:
        for place in range(len(material.gathered.scenery)):
            picture = material.gathered.full_picture(place)
            validation.full_pictures.append(painted(rng, picture) if rng.random() < 0.5 else picture)
    return validation


def find(net: FaceNet, picture: Picture, *, threshold: float, side_min: float = 0.0) -> Detections:
    """Faces of a picture with the pyramid, decoding and second pass of the application."""
    parts = []
    with torch.inference_mode():
        for level in levels(picture):
            heat, shape = net(torch.from_numpy(level.pixels)[None])
            boxed = decode(heat[0].numpy(), shape[0].numpy(), threshold=FIRST_SHARE * threshold)
            parts.append((level, *boxed))
        detections = merge(parts, picture.shape[1], picture.shape[0], side_min=side_min)
        if not len(detections.boxes):
            return detections
        heat, shape = (plane.numpy() for plane in net(torch.from_numpy(looks(picture, detections))))
    return confirm(
        refine(detections, heat, shape, width=picture.shape[1], height=picture.shape[0]), heat, threshold=threshold
    )


def _above(scores: list[NDArray[np.float32]], allowed: int) -> float:
    """A low threshold in hundredths at which at most `allowed` of the scores stay, half a hundredth to spare."""
    highest = np.sort(np.concatenate([*scores, np.zeros(0, np.float32)]))[::-1]
    if len(highest) <= allowed:
        return LEAST_THRESHOLD
    return float(np.ceil(highest[allowed] * 100 + 0.5) / 100)


def choose_threshold(net: FaceNet, checks: Validation, *, side_min: float) -> tuple[float, dict[str, float]]:
    """The lowest threshold within both limits of false alarms with a margin of 0.005, and its figures.

    At most ALARMS_PER_MEGAPIXEL in the composed face-free pictures, at most ALARMS_PER_PICTURE in the whole ones.
    Hits are counted at IoU 0.4; faces below `side_min` pixels are neither detected nor counted.
    """
    detections = [find(net, picture, threshold=LEAST_THRESHOLD, side_min=side_min) for picture in checks.pictures]
    empty = [seen for rows, seen in zip(checks.truth, detections, strict=True) if not len(rows)]
    area = sum(p.shape[0] * p.shape[1] for p, rows in zip(checks.pictures, checks.truth, strict=True) if not len(rows))
    full_size = [find(net, picture, threshold=LEAST_THRESHOLD, side_min=side_min) for picture in checks.full_pictures]
    threshold = max(
        _above([seen.scores for seen in empty], int(ALARMS_PER_MEGAPIXEL * area / 1e6)),
        _above([seen.scores for seen in full_size], int(ALARMS_PER_PICTURE * len(full_size))),
    )
    hits = alarms = faces = false_alarms = 0
    overlaps: list[float] = []
    by_kind: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for rows, seen, kind in zip(checks.truth, detections, checks.kinds, strict=True):
        strong = seen.boxes[seen.scores >= threshold]
        matched = boxes.match(rows, strong, min_iou=0.4)
        large = (rows[:, 3] - rows[:, 1]) >= side_min
        hit = np.zeros(len(rows), bool)
        for row, column in matched.pairs:
            hit[row] = True
            overlaps.append(float(boxes.iou(rows[row : row + 1], strong[column : column + 1])[0, 0]))
        if kind:
            by_kind[kind] += hit[large].tolist()
        faces += int(large.sum())
        hits += int(hit[large].sum())
        alarms += len(matched.extra)
        false_alarms += len(strong) if not len(rows) else 0
    recall, precision = hits / max(1, faces), hits / max(1, hits + alarms)
    figures = {
        "f1": 2 * recall * precision / max(1e-9, recall + precision),
        "recall": recall,
        "precision": precision,
        "mean_iou": float(np.mean(overlaps)) if overlaps else 0.0,
        "alarms_with_faces": alarms - false_alarms,
        "alarms_without_faces": false_alarms,
        "alarms_in_whole_scenery": sum(int((seen.scores >= threshold).sum()) for seen in full_size),
        "whole_scenery": len(full_size),
        "faces": faces,
    } | {f"recall, {kind}": float(np.mean(hit)) for kind, hit in by_kind.items() if hit}
    return threshold, figures
