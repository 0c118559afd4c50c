"""Reads `preprocess.json` as deepghs' models carry it: stages from a picture to a tensor, done with Pillow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from annotate.backends.inputs import InputSpec, Picture, on_white
from annotate.backends.tag_lists import read_object
from ingest.errors import BadInput

SIDE_MAX = 4096
FILTERS = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX, "hamming": Image.Resampling.HAMMING, "lanczos": Image.Resampling.LANCZOS,
}  # fmt: skip
NUMBERED = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
Step = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, slots=True)
class Stages:
    """Steps on the picture, then the arithmetic of `spec`, whose size is that of the last step."""

    spec: InputSpec
    steps: tuple[Step, ...]

    def fit(self, picture: Picture) -> Picture:
        """Bytes uint8 [spec.height, spec.width, 3] RGB; alpha lands on white."""
        image = Image.fromarray(on_white(picture))
        for step in self.steps:
            image = step(image)
        return np.array(image, np.uint8)


def read_stages(path: Path) -> Stages:
    """The stages of a file; BadInput for one that is not known, or when pictures would get different sizes."""
    told = read_object(path).get("stages")
    if not isinstance(told, list) or not told:
        raise BadInput(f"{path} must hold a list `stages`. Get the file again.")
    steps: list[Step] = []
    size: tuple[int, int] | None = None
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    tensor = False
    try:
        for stage in told:
            kind = stage["type"]
            if tensor and kind in ("convert_rgb", "resize", "center_crop"):
                raise ValueError(f"{kind!r} comes after the picture has become numbers")
            if kind == "resize":
                size = _fixed(stage["size"])
                steps.append(_resize(stage))
            elif kind == "center_crop":
                size = _sides(stage["size"])
                steps.append(partial(_crop, width=size[0], height=size[1]))
            elif kind in ("to_tensor", "maybe_to_tensor"):
                tensor = True
            elif kind == "normalize":
                mean, std = _three(stage["mean"]), _three(stage["std"])
                if min(std) <= 0:
                    raise ValueError("a deviation must be above 0")
            elif kind != "convert_rgb":  # pictures are RGB on white already
                raise ValueError(f"the stage {kind!r} is not known")
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise BadInput(f"{path}: a stage cannot be done: {error}. Get the file again, or a newer Koma.") from error
    if size is None or not tensor:
        raise BadInput(f"{path}: its stages leave pictures of different sizes or no tensor. Get the file again.")
    return Stages(InputSpec(size[0], size[1], mean=mean, std=std), tuple(steps))


def _resize(stage: dict[str, Any]) -> Step:
    told = stage.get("interpolation", "bilinear")
    name = NUMBERED[told] if isinstance(told, int) else str(told).lower()
    sides = stage["size"]
    shorter = sides if isinstance(sides, int) else sides[0] if len(sides) == 1 else 0
    width, height = (0, 0) if shorter else _sides(sides)
    longest = stage.get("max_size")
    gap = None if stage.get("antialias", True) or name not in ("bilinear", "bicubic") else 1.0
    return partial(
        _resized, width=width, height=height, shorter=int(shorter), longest=int(longest) if longest else None,
        resample=FILTERS[name], gap=gap,
    )  # fmt: skip


def _resized(
    image: Image.Image, *, width: int, height: int, shorter: int, longest: int | None, resample: Image.Resampling,
    gap: float | None,
) -> Image.Image:  # fmt: skip
    """To width x height, or the shorter side to `shorter` with the ratio kept and the longer at most `longest`."""
    if shorter:
        w, h = image.size
        width, height = (shorter, int(shorter * h / w)) if w < h else (int(shorter * w / h), shorter)
        if longest is not None and max(width, height) > longest:
            if height > width:
                width, height = int(longest * width / height), longest
            else:
                width, height = longest, int(longest * height / width)
    wanted = (max(1, width), max(1, height))
    return image if wanted == image.size else image.resize(wanted, resample, reducing_gap=gap)


def _crop(image: Image.Image, *, width: int, height: int) -> Image.Image:
    """The middle width x height; what lies outside the picture is black."""
    w, h = image.size
    if w < width or h < height:
        canvas = Image.new("RGB", (max(w, width), max(h, height)), (0, 0, 0))
        canvas.paste(image, (max(width - w, 0) // 2, max(height - h, 0) // 2))
        image = canvas
        w, h = image.size
    left, top = (w - width) // 2, (h - height) // 2
    return image.crop((left, top, left + width, top + height))


def _fixed(sides: Any) -> tuple[int, int] | None:
    """(width, height) of a resize to both sides, None for one to the shorter side."""
    return None if isinstance(sides, int) or len(sides) == 1 else _sides(sides)


def _sides(sides: Any) -> tuple[int, int]:
    """(width, height) of a number or of [height, width], as torchvision counts."""
    told: Sequence[Any] = [sides, sides] if isinstance(sides, int) else list(sides)
    height, width = (int(told[0]), int(told[-1]))
    if len(told) > 2 or not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX):
        raise ValueError(f"the size {sides} cannot be used")
    return width, height


def _three(value: Any) -> tuple[float, float, float]:
    told = [float(one) for one in value] if isinstance(value, list | tuple) else [float(value)]
    if len(told) == 1:
        told *= 3
    red, green, blue = told
    return red, green, blue
