"""Time per picture of a model on this machine, on a few generated pictures, without files or database."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annotate.backends.contract import Embedder, FaceDetector, Picture, PictureModel, Upscaler
from annotate.backends.runtime.onnx_session import AUTO
from annotate.chosen_models.tasks import task_named
from ingest.errors import BadInput, Cancelled

WIDTH, HEIGHT, CROP = 1280, 720, 256
ENOUGH_S = 2.0
ROUNDS_MAX = 50
BATCH, BATCH_GPU = 1, 16

Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Speed:
    """`ms_per_picture`: with fitting, without decoding; `opening_s`: seconds of loading and of the first batch."""

    device: str
    sha256: str
    batch: int
    pictures: int
    ms_per_picture: float
    opening_s: float


def measure(
    task: str,
    name: str,
    models_dir: Path,
    *,
    device: str = AUTO,
    stop: Stop = lambda: False,
    enough_s: float = ENOUGH_S,
) -> Speed:
    """Open the model and run it for a while on generated pictures of 1280x720 (crops of 256x256 for embedders and
    upscalers).

    Raises BadInput where the model cannot be opened or its kind is not timed; Cancelled.
    """
    began = time.perf_counter()
    model = task_named(task).open(name, models_dir, device=device)
    call, batch = _call(model)
    call(_pictures(model, batch))
    opening_s = time.perf_counter() - began
    pictures = _pictures(model, batch)
    rounds, began = 0, time.perf_counter()
    while rounds == 0 or (time.perf_counter() - began < enough_s and rounds < ROUNDS_MAX):
        if stop():
            raise Cancelled("Stopped. Nothing was measured.")
        call(pictures)
        rounds += 1
    took = time.perf_counter() - began
    count = rounds * batch
    return Speed(str(model.device), model.info.sha256, batch, count, 1000 * took / count, opening_s)


def _call(model: Any) -> tuple[Callable[[Sequence[Picture]], Any], int]:
    """The call to time, and its pictures per call."""
    if isinstance(model, FaceDetector):
        return model.detect, BATCH
    if isinstance(model, PictureModel):
        network = getattr(model, "network", None)
        batch = getattr(network, "fixed", None) or (BATCH_GPU if getattr(network, "on_gpu", False) else BATCH)

        def answer_batch(pictures: Sequence[Picture]) -> Any:
            sizes = [(picture.shape[1], picture.shape[0]) for picture in pictures]
            return model.answer(np.stack([model.fit(picture) for picture in pictures]), sizes)

        return answer_batch, int(batch)
    if isinstance(model, Embedder):
        return model.embed, BATCH
    if isinstance(model, Upscaler):
        return lambda pictures: [model.upscale(picture, times=1) for picture in pictures], BATCH
    raise BadInput("Models of this kind are not timed here.")


def _pictures(model: Any, count: int) -> list[Picture]:
    """Flat areas with edges and some noise, like drawn pictures; the same in every call."""
    small = not isinstance(model, FaceDetector | PictureModel)
    width, height = (CROP, CROP) if small else (WIDTH, HEIGHT)
    random = np.random.default_rng(3)
    coarse = random.integers(0, 256, (9, 16, 3), np.uint8)
    rows, columns = np.arange(height) * 9 // height, np.arange(width) * 16 // width
    flat = coarse[rows][:, columns].astype(np.int16)
    noisy = flat + random.integers(-4, 5, flat.shape, np.int16)
    return [np.clip(noisy, 0, 255).astype(np.uint8)] * count
