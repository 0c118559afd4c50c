"""The face detector's image pyramid: levels of a picture, decoding of output planes, and the second pass."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import boxes

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Level:
    """A scaled copy: `pixels` uint8 [h, w, 3], padded to multiples of the step, and its pixels a picture pixel."""

    pixels: Picture
    scale_x: float
    scale_y: float


# The second pass shows each detection alone in a square: (face side in its pixels, mirrored).
LOOK_SIDE = 96
LOOKS = ((48.0, False), (56.0, True), (64.0, False))
LOOK_LEAST = 0.2  # a look with a lower score has no say about the box
LOOKS_WEIGHT = 2.0  # of three looks against the first score: more faces at as few false finds than equal parts
FIRST_SHARE = (
    0.8  # finds from this part of the threshold on get a second look; 0.7 finds no more faces and takes longer
)


@dataclass(frozen=True, slots=True)
class Detections:
    """Faces of one picture: `boxes` float32 [n, 4] in its pixels, inside it; `scores` float32 [n], best first."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]


def levels(
    picture: Picture,
    *,
    longest: int = 1120,
    shortest: int = 32,
    ratio: float = 0.5,
    levels_max: int = 5,
    step: int = 16,
) -> list[Level]:
    """Copies, each `ratio` the size of the one before, while the longer side stays at least `shortest` pixels.

    The first is at most `longest` pixels long.

    Raises ValueError when the picture is not uint8 [h, w, 3].
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"a picture must be uint8 [height, width, 3], not {picture.dtype} {picture.shape}")
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    result: list[Level] = []
    sources = halves(picture)
    for place in range(levels_max):
        wide, high = max(1, round(width * scale)), max(1, round(height * scale))
        if place and max(wide, high) < shortest:
            break
        current = next(source for source in reversed(sources) if (source.shape[1] >= wide and source.shape[0] >= high))
        if (wide, high) != (current.shape[1], current.shape[0]):
            current = np.asarray(cv2.resize(current, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)
        down, across = -high % step, -wide % step
        padded = cv2.copyMakeBorder(current, 0, down, 0, across, cv2.BORDER_REPLICATE) if down or across else current
        result.append(Level(np.ascontiguousarray(padded, dtype=np.uint8), wide / width, high / height))
        scale *= ratio
    return result


def halves(picture: Picture, *, side_min: int = 32) -> list[Picture]:
    """The picture and copies of halving size whose shorter side is at least `least` pixels.

    From the next larger of them, bilinear scaling is as good as averaging, and several times faster.
    """
    result = [picture]
    while min(result[-1].shape[:2]) >= 2 * side_min:
        half = result[-1].shape[1] // 2, result[-1].shape[0] // 2
        result.append(np.asarray(cv2.resize(result[-1], half, interpolation=cv2.INTER_AREA), np.uint8))
    return result


def decode(
    heat: NDArray[np.float32],
    shape: NDArray[np.float32],
    *,
    threshold: float,
    stride: int = 8,
    unit_side: float = 32.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes [n, 4] in level pixels and scores [n] at the 3x3 peaks of heat [h, w] that reach the threshold.

    `shape` [4, h, w]: x and y of the centre from the cell's centre in cells, ln(width / unit_side) and
    ln(height / unit_side); or [3, h, w] with one side for both.
    """
    peak = (heat >= threshold) & (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8)))
    rows, columns = np.nonzero(peak)
    decoded = _boxes_at(rows, columns, shape[:, rows, columns], stride, unit_side)
    return decoded, heat[rows, columns].astype(np.float32)


def _boxes_at(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32], stride: int, unit_side: float
) -> NDArray[np.float32]:
    """Decode boxes float32 [n, 4] in pixels from shape values [3 or 4, n] of these cells."""
    x, y = (columns + 0.5 + values[0]) * stride, (rows + 0.5 + values[1]) * stride
    across = unit_side * np.exp(np.clip(values[2], -4, 4)) / 2
    down = unit_side * np.exp(np.clip(values[-1], -4, 4)) / 2
    return np.stack([x - across, y - down, x + across, y + down], 1).astype(np.float32)


def merge(
    parts: list[tuple[Level, NDArray[np.float32], NDArray[np.float32]]],
    width: int,
    height: int,
    *,
    side_min: float = 0.0,
    faces_max: int = 100,
) -> Detections:
    """Merge the levels' boxes and scores: convert to picture pixels, suppress duplicates, clip to the picture.

    Boxes with a side below `least` pixels of the first level are dropped: too small to be distinguished from foliage.
    """
    rows, values = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
    for level, level_boxes, scores in parts:
        rows.append((level_boxes / np.array([level.scale_x, level.scale_y] * 2, np.float32)).astype(np.float32))
        values.append(scores)
    together, score = np.concatenate(rows), np.concatenate(values)
    if parts:
        large = (together[:, 2] - together[:, 0]) * parts[0][0].scale_x >= side_min
        together, score = together[large], score[large]
    strongest = np.argsort(-score, kind="stable")[:faces_max]
    together, score = together[strongest], score[strongest]
    chosen = boxes.suppress(together, score)
    cut = boxes.clip(together[chosen], width, height)
    seen = boxes.areas(cut) > 0
    return Detections(cut[seen], score[chosen][seen])


def looks(picture: Picture, detections: Detections) -> Picture:
    """Squares uint8 [n * len(LOOKS), LOOK_SIDE, LOOK_SIDE, 3] round each find, at other sizes and mirrored.

    What looks like a face by accident of one size and grid seldom does so at three others.
    """
    crops = []
    sources = halves(picture) if len(detections.boxes) else []
    for box in detections.boxes.tolist():
        for seen, mirrored in LOOKS:
            square = _cut(sources, *_square(box, seen))
            crops.append(square[:, ::-1] if mirrored else square)
    return np.ascontiguousarray(np.stack(crops)) if crops else np.zeros((0, LOOK_SIDE, LOOK_SIDE, 3), np.uint8)


def _square(box: list[float], seen: float) -> tuple[float, float, float]:
    """Left, top and side in picture pixels of the square in which the face's longer side is `seen` look pixels."""
    left, top, right, bottom = box
    span = max(right - left, bottom - top, 1.0) * LOOK_SIDE / seen
    return (left + right - span) / 2, (top + bottom - span) / 2, span


def _cut(sources: list[Picture], left: float, top: float, side: float) -> Picture:
    """A square of the picture (the first of `sources`, its halves), scaled to LOOK_SIDE; the border repeats beside."""
    half = min(len(sources) - 1, max(0, int(np.log2(max(side / LOOK_SIDE, 1.0)))))
    source = sources[half]
    # Half copies drop an odd last row or column: the scale is that of the sizes, not exactly a power of two.
    grow_x = LOOK_SIDE / side * sources[0].shape[1] / source.shape[1]
    grow_y = LOOK_SIDE / side * sources[0].shape[0] / source.shape[0]
    shift_x, shift_y = -left * LOOK_SIDE / side, -top * LOOK_SIDE / side
    # Pixel centres lie half a pixel within the coordinates that boxes use.
    matrix = np.array([[grow_x, 0, grow_x / 2 + shift_x - 0.5], [0, grow_y, grow_y / 2 + shift_y - 0.5]])
    square = cv2.warpAffine(
        source, matrix, (LOOK_SIDE, LOOK_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(square, np.uint8)


def confirm(detections: Detections, *heats: NDArray[np.float32], threshold: float) -> Detections:
    """The finds whose score reaches the threshold, best first.

    The score is the weighted mean of the first one and of each network's mean over the second looks: 1 for the first,
    LOOKS_WEIGHT for the looks of the network that found it, 1 for those of another one. `heats`, one of each network
    [n * len(LOOKS), h, w], belong to `looks`; a look's score is the highest within two cells of its middle.
    """
    if not len(detections.boxes):
        return detections
    score = _score(detections, *(_looks_mean(heat) for heat in heats))
    order = np.argsort(-score, kind="stable")
    order = order[score[order] >= threshold]
    return Detections(detections.boxes[order], score[order])


def reachable(detections: Detections, heat: NDArray[np.float32], *, threshold: float) -> NDArray[np.int64]:
    """Rows of the finds that `confirm` with another network's looks may still confirm."""
    mean = _looks_mean(heat)
    return np.flatnonzero(_score(detections, mean, np.ones_like(mean)) >= threshold)


def _looks_mean(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    means: NDArray[np.float32] = _middle(heat).max(axis=(1, 2)).reshape(-1, len(LOOKS)).mean(axis=1)
    return means


def _score(detections: Detections, *looks_means: NDArray[np.float32]) -> NDArray[np.float32]:
    weights = [1.0, LOOKS_WEIGHT, *[1.0] * (len(looks_means) - 1)]
    return np.average([detections.scores, *looks_means], axis=0, weights=weights).astype(np.float32)


def _middle(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = planes.shape[-2] // 2, planes.shape[-1] // 2
    return planes[..., rows - 2 : rows + 2, columns - 2 : columns + 2]


def refine(
    detections: Detections,
    heat: NDArray[np.float32],
    shape: NDArray[np.float32],
    *,
    width: int,
    height: int,
    stride: int = 8,
    unit_side: float = 32.0,
) -> Detections:
    """The finds with boxes averaged over the first and the second looks, each weighed by its score there.

    `heat` and `shape` [n * len(LOOKS), ...] belong to `looks` of these finds, in their order. A box that was cut at the
    picture's border tells nothing about the face's extent: there the looks decide alone, where they see a face.
    """
    if not len(detections.boxes):
        return detections
    heat_middle, values = _middle(heat), _middle(shape)
    flat = heat_middle.reshape(len(heat_middle), -1)
    best = flat.argmax(axis=1)
    each = np.arange(len(heat_middle))
    rows, columns = np.divmod(best, heat_middle.shape[2])
    seen = _boxes_at(
        rows + heat.shape[1] // 2 - 2,
        columns + heat.shape[2] // 2 - 2,
        values[each, :, rows, columns].T,
        stride,
        unit_side,
    )
    weights = np.where(flat[each, best] >= LOOK_LEAST, flat[each, best], 0)
    refined = []
    for place, (box, score) in enumerate(zip(detections.boxes, detections.scores)):
        cut = (box[:2] <= 0.5).any() or box[2] >= width - 0.5 or box[3] >= height - 0.5
        rows_of = slice(place * len(LOOKS), (place + 1) * len(LOOKS))
        back = [_back(crop_box, box, variant) for crop_box, variant in zip(seen[rows_of], LOOKS)]
        share = np.array([0.0 if cut else score, *weights[rows_of]])
        refined.append(box if share.sum() <= 0 else share @ np.stack([box, *back]) / share.sum())
    return Detections(boxes.clip(np.stack(refined).astype(np.float32), width, height), detections.scores)


def _back(seen: NDArray[np.float32], box: NDArray[np.float32], variant: tuple[float, bool]) -> NDArray[np.float32]:
    """A box in a look's pixels, in those of the picture; `box` is the find that was looked at."""
    left, top, span = _square(box.tolist(), variant[0])
    across = LOOK_SIDE - seen[[2, 0]] if variant[1] else seen[[0, 2]]
    down = seen[[1, 3]]
    scale = span / LOOK_SIDE
    x, y = left + across * scale, top + down * scale
    return np.array([x[0], y[0], x[1], y[1]], np.float32)
