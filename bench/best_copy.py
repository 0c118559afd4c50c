"""How often the better of two copies gets the higher value, by kind of picture: `python -m bench.best_copy [DATA]`.

DATA: a folder with `backgrounds` and `faces/eval_illustrations`, whose pictures are used as well.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_film.crops import random_scene
from demo_film.textures import TEXTURES, textured
from ingest.algorithms.best_copy import worth
from ingest.algorithms.quality import overall
from ingest.imaging.still import measures_of

U8 = NDArray[np.uint8]
SEEDS = range(4)
MOST = 1280  # pixels across: real pictures are JPEGs, and are sharp only when they are made smaller


def resized(picture: U8, scale: float) -> U8:
    size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def jpeg(picture: U8, quality: int) -> U8:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8)


def noisy(picture: U8, sigma: float, seed: int = 0) -> U8:
    noise = np.random.default_rng(seed).normal(0, sigma, (*picture.shape[:2], 1))
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def pairs(picture: U8) -> Iterator[tuple[str, U8, U8]]:
    """Of a sharp picture: the name of a pair, the better copy, the worse one."""
    half = resized(picture, 0.5)
    yield "full / half q90", picture, jpeg(half, 90)
    yield "full / two thirds q90", picture, jpeg(resized(picture, 2 / 3), 90)
    yield "full q85 / half", jpeg(picture, 85), half
    yield "full / enlarged half", picture, resized(half, 2)
    yield "half / enlarged third x3", half, resized(resized(picture, 1 / 3), 3)
    yield "full / blurred 1.5", picture, np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8)
    yield "full / noise 6", picture, noisy(picture, 6)
    yield "full / q30", picture, jpeg(picture, 30)
    yield "grain 2 / half q90", noisy(picture, 2), jpeg(resized(noisy(picture, 2), 0.5), 90)


def pictures(data: Path | None, *, drawn: bool = True) -> Iterator[tuple[str, U8]]:
    for name in TEXTURES if drawn else ():
        for seed in SEEDS:
            yield name, textured(name, seed)
    for seed in SEEDS if drawn else ():
        yield "drawn scene", random_scene(np.random.default_rng(seed), (1280, 720))[0]
    for folder in ("backgrounds", "faces/eval_illustrations") if data else ():
        for path in sorted((data or Path()).joinpath(folder).rglob("*.*"))[::3]:
            read = cv2.imread(str(path))
            if read is not None and "blurred" not in path.name:
                picture = np.asarray(read, np.uint8)
                yield folder, resized(picture, min(0.5, MOST / picture.shape[1]))


def value(picture: U8) -> float:
    quality = np.asarray([overall(measures_of(np.ascontiguousarray(picture)))], np.float32)
    side = np.asarray([min(picture.shape[:2])], np.float32)
    return float(worth(quality, side, np.full(1, np.nan, np.float32))[0])


def measured_pairs(picture: U8, names: Collection[str] = ()) -> dict[str, float]:
    """By pair (all, unless some are wanted): how much more the better copy is worth, in octaves of detail."""
    return {name: value(better) - value(worse) for name, better, worse in pairs(picture) if not names or name in names}


def right(
    data: Path | None = None, *, drawn: bool = True, names: Collection[str] = ()
) -> dict[str, dict[str, list[float]]]:
    """By kind of picture and pair: `measured_pairs` of each picture."""
    result: dict[str, dict[str, list[float]]] = {}
    for kind, picture in pictures(data, drawn=drawn):
        for pair, more in measured_pairs(picture, names).items():
            result.setdefault(kind, {}).setdefault(pair, []).append(more)
    return result


def main() -> None:
    result = right(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    names = list(next(iter(result.values())))
    print("| picture | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|")
    for kind, by_pair in result.items():
        cells = [
            f"{sum(v > 0 for v in by_pair[name])}/{len(by_pair[name])} {min(by_pair[name]):+.2f}" for name in names
        ]
        print(f"| {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
