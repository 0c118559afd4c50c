"""Material for the near-duplicate benchmark: pictures, copies of them, and descriptor sets of whole collections."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from demo_film.film import draw_episode
from ingest.algorithms.descriptors import as_vectors, describe

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
TEST_DATA = Path(os.environ.get("KOMA_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SIDES = (1280, 720)


def described(picture: U8) -> U8:
    """The descriptor of an RGB picture uint8[h, w, 3], by way of the planes that a film would have."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    planes = cv2.cvtColor(np.ascontiguousarray(picture[:height, :width]), cv2.COLOR_RGB2YUV_I420)
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    luma = cv2.resize(planes[:height], (240, 135), interpolation=cv2.INTER_AREA)
    u, v = (cv2.resize(plane, (120, 68), interpolation=cv2.INTER_AREA) for plane in chroma)
    return describe(np.asarray(luma, np.uint8), np.asarray(u, np.uint8), np.asarray(v, np.uint8))


def _film(path: Path, every: int) -> Iterator[U8]:
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            picture = frame.to_ndarray(format="rgb24") if number % every == 0 else None
            if picture is not None and 30 < picture.mean() < 245:
                yield np.asarray(cv2.resize(picture, SIDES, interpolation=cv2.INTER_AREA), np.uint8)


def real_pictures() -> list[U8]:
    """One picture per second of the real cuts; none where the test data is absent."""
    path = TEST_DATA / "video" / "real_cuts_ep01.mp4"
    return list(_film(path, 24)) if path.exists() else []


def drawn_pictures() -> list[U8]:
    """One picture per second of an episode that Koma draws."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.mp4"
        draw_episode(path, seed=7, seconds=75, size=SIDES)
        return list(_film(path, 24))


def backgrounds() -> list[U8]:
    """Painted places, several of them twice: by day and by night, which are different pictures."""
    pictures = []
    for path in sorted((TEST_DATA / "backgrounds").glob("*.jpg")):
        bgr = cv2.imread(str(path))
        if bgr is not None:
            pictures.append(np.asarray(cv2.resize(bgr[..., ::-1], SIDES, interpolation=cv2.INTER_AREA), np.uint8))
    return pictures


def _units(descriptors: U8) -> F32:
    vectors = as_vectors(descriptors)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def collection(pictures: list[U8], count: int, *, seed: int = 1) -> tuple[U8, F32]:
    """Descriptors uint8[count, D] of a large collection with qualities: shots of 1 to 20 drawings, openings again.

    Looks come from cut-outs of the pictures, so that layouts and colours are those of pictures, and are mixed in pairs,
    as there are too few to fill a collection; the drawings of a shot differ as neighbours of a film do.
    """
    rng = np.random.default_rng(seed)
    looks = _units(np.stack([described(_cut_out(pictures[place % len(pictures)], rng)) for place in range(2_000)]))
    per_shot = 1 + rng.geometric(0.12, size=count // 5).clip(max=20)
    shots = np.repeat(np.arange(len(per_shot)), per_shot)[:count]
    shots = np.pad(shots, (0, count - len(shots)), mode="wrap")
    opening = rng.random(len(per_shot)) < 0.05
    per_shot_look = np.where(opening, rng.integers(0, 40, len(per_shot)), np.arange(len(per_shot)) + 40)
    descriptors = np.empty((count, looks.shape[1]), np.uint8)
    for start in range(0, count, 50_000):
        chunk = per_shot_look[shots[start : start + 50_000]]
        descriptors[start : start + 50_000] = _drawings(looks, chunk, rng)
    return descriptors, rng.random(count).astype(np.float32)


def _cut_out(picture: U8, rng: np.random.Generator) -> U8:
    share = rng.uniform(0.35, 1.0)
    width, height = int(SIDES[0] * share), int(SIDES[1] * share)
    left, top = rng.integers(0, SIDES[0] - width + 1), rng.integers(0, SIDES[1] - height + 1)
    inner = picture[top : top + height, left : left + width, rng.permutation(3)]
    inner = inner[:, ::-1] if rng.random() < 0.5 else inner
    return np.asarray(cv2.resize(np.ascontiguousarray(inner), (480, 270), interpolation=cv2.INTER_AREA), np.uint8)


def _drawings(looks: F32, shots: NDArray[np.int64], rng: np.random.Generator) -> U8:
    """One drawing for each wanted look: a mix of two cut-outs fixed by its number, moved a little towards a third."""
    mixed = np.random.default_rng(9)
    pairs = mixed.integers(0, len(looks), (int(shots.max()) + 1, 2))
    share = mixed.uniform(0.0, 1.0, int(shots.max()) + 1).astype(np.float32)[shots, None]
    rows = looks[pairs[shots, 0]] * share + looks[pairs[shots, 1]] * (1 - share)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    towards = looks[rng.integers(0, len(looks), len(shots))] - looks[rng.integers(0, len(looks), len(shots))]
    towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-6)
    rows = rows + towards * rng.exponential(0.12, (len(shots), 1)).astype(np.float32).clip(max=0.6)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.clip(np.rint(rows * 400) + 128, 1, 255), np.uint8)
