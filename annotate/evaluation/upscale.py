"""Evaluation of an upscaler: pictures are reduced by its factor, enlarged again, and compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.likeness import WINDOW, psnr, ssim
from annotate.backends.contract import Picture, Upscaler
from annotate.backends.upscalers.resize import ResizeUpscaler
from annotate.evaluation.mistakes import WORST, Mistake
from annotate.evaluation.scores import JsonFields, Scores, rounded
from ingest.errors import BadInput
from ingest.imaging.formats import PICTURE_SUFFIXES

F64 = NDArray[np.float64]
BASELINES = ("bicubic", "lanczos")
UNREADABLE_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Method(JsonFields):
    """One way of enlarging: means over the pictures, and seconds per megapixel of the result."""

    name: str
    psnr: float = field(metadata=rounded(3))
    ssim: float = field(metadata=rounded(5))
    ms_per_megapixel: float = field(metadata=rounded(2))


@dataclass(frozen=True, slots=True)
class UpscaleScores(Scores):
    """Result of `evaluate upscale`: the model first, then the resamplers as baseline.

    `wrong`: the pictures on which the model loses most against the last of the resamplers.
    """

    model: str
    device: str
    factor: int
    pictures: int
    ways: tuple[Method, ...]
    unreadable: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        model, *others = self.ways
        figures = {key: value for key, value in model.as_json().items() if key != "name"}
        return {
            "pictures": self.pictures,
            "factor": self.factor,
            **figures,
            "baselines": [method.as_json() for method in others],
            "unreadable": len(self.unreadable),
            "model": self.model,
            "device": self.device,
        }

    def lines(self) -> list[str]:
        head = (
            f"{self.model} on {self.device}: {self.pictures:,} pictures made {self.factor} times smaller (area) and "
            "enlarged again"
        )
        table = [f"  {'':24}{'PSNR dB':>9}{'SSIM':>9}{'ms/megapixel':>14}"]
        for method in self.ways:
            table.append(f"  {method.name:24}{method.psnr:9.2f}{method.ssim:9.4f}{method.ms_per_megapixel:14.1f}")
        return [head, *table]

    def notes(self) -> list[str]:
        return list(self.unreadable[:UNREADABLE_SHOWN])


def measure(folder: Path, upscaler: Upscaler, *, open_picture: Callable[[Path], Picture]) -> UpscaleScores:
    """Compare the upscaler, bicubic and Lanczos on every picture below the folder, cut to a multiple of the factor.

    `open_picture` raises ValueError for an unreadable picture. PSNR (dB) is over the colours, SSIM (0 to 1) over the
    brightness; only the calls are timed. Raises BadInput when no picture can be measured.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder. Give a folder of pictures.")
    factor = upscaler.factor
    ways: list[Upscaler] = [upscaler]
    ways += [ResizeUpscaler(name, factor=factor) for name in BASELINES if name != upscaler.info.name]
    results: list[tuple[str, list[tuple[float, float, float]]]] = []  # name, (psnr, ssim, seconds) by way
    megapixels, left_out = 0.0, []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES):
        name = path.relative_to(folder).as_posix()
        try:
            true = _cut(open_picture(path), factor)
        except ValueError as error:
            left_out.append(str(error))
            continue
        if min(true.shape[:2]) < max(WINDOW, 2 * factor):
            left_out.append(f"{name}: too small to be measured.")
            continue
        if not results:
            upscaler.upscale(_shrunk(true, factor), times=1)  # the first call also sets the model up
        results.append((name, [_compare(method, true) for method in ways]))
        megapixels += true.shape[0] * true.shape[1] / 1e6
    if not results:
        raise BadInput(f"{folder} holds no picture that can be measured. {' '.join(left_out[:1])}".strip())
    table = np.array([rows for _, rows in results])  # [pictures, ways, 3]
    means, seconds = table.mean(axis=0), table[:, :, 2].sum(axis=0)
    return UpscaleScores(
        model=f"{upscaler.info.name} {upscaler.info.revision}".strip(),
        device=upscaler.device,
        factor=factor,
        pictures=len(results),
        ways=tuple(
            Method(method.info.name, float(mean[0]), float(mean[1]), 1000 * float(spent) / megapixels)
            for method, mean, spent in zip(ways, means, seconds, strict=True)
        ),
        unreadable=tuple(left_out),
        wrong=_worst([name for name, _ in results], table[:, 0, 0], table[:, -1, 0], against=ways[-1].info.name),
    )


def _worst(names: list[str], model_values: F64, other: F64, *, against: str) -> tuple[Mistake, ...]:
    lost = other - model_values
    order = [int(index) for index in np.argsort(-lost, kind="stable")[:WORST] if lost[index] > 0]
    return tuple(
        Mistake((names[index],), f"{model_values[index]:.1f} dB, {lost[index]:.1f} dB less than {against}")
        for index in order
    )


def _compare(upscaler: Upscaler, true: Picture) -> tuple[float, float, float]:
    small = _shrunk(true, upscaler.factor)
    before = time.perf_counter()
    enlarged = upscaler.upscale(small, times=1)
    spent = time.perf_counter() - before
    return psnr(true, enlarged), ssim(true, enlarged), spent


def _cut(picture: Picture, factor: int) -> Picture:
    height, width = (side // factor * factor for side in picture.shape[:2])
    return picture[:height, :width]


def _shrunk(picture: Picture, factor: int) -> Picture:
    height, width = picture.shape[:2]
    size = (width // factor, height // factor)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
