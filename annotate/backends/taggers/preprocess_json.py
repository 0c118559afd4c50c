"""The `preprocess.json` of deepghs' models: stages from a picture to a tensor, done with Pillow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageColor

from annotate.backends.runtime.inputs import InputSpec, Picture, on_white
from annotate.backends.taggers.label_lists import read_object
from ingest.errors import BadInput

SIDE_MAX = 4096
STAGES_MAX = 32
PIXELS_MAX = 64_000_000  # of an intermediate picture; a long thin one may become this large
FILTERS = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX, "hamming": Image.Resampling.HAMMING, "lanczos": Image.Resampling.LANCZOS,
}  # fmt: skip
NUMBERED = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
Step = Callable[[Image.Image], Image.Image]
Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The mapping of a byte: (byte * scale - mean) / std. `to_tensor` divides by 255; later stages are folded in."""

    scale: float = 1 / 255
    mean: Colour = (0.0, 0.0, 0.0)
    std: Colour = (1.0, 1.0, 1.0)

    def times(self, factor: float) -> Numbers:
        """Multiply the values by a factor, in addition to the 1/255 of `to_tensor`, which always applies."""
        if not (isfinite(factor) and factor > 0):
            raise ValueError("a rescale_factor must be above 0")
        if self == Numbers(self.scale):
            return Numbers(self.scale * factor)
        red, green, blue = self.std
        return Numbers(self.scale, self.mean, (red / factor, green / factor, blue / factor))

    def normalized(self, mean: Colour, std: Colour) -> Numbers:
        """Subtract `mean` and divide by `std`: ((x - m) / s - mean) / std is (x - m - mean * s) / (s * std)."""
        if not (min(std) > 0 and all(map(isfinite, (*mean, *std)))):
            raise ValueError("a standard deviation must be above 0")
        means = [before + model_mean * by for before, model_mean, by in zip(self.mean, mean, self.std, strict=True)]
        return Numbers(self.scale, _three(means), _three([a * b for a, b in zip(self.std, std, strict=True)]))


@dataclass(frozen=True, slots=True)
class Stages:
    """Steps on the picture, then the arithmetic of `spec`, which has the size of the last step."""

    spec: InputSpec
    steps: tuple[Step, ...]

    def fit(self, picture: Picture) -> Picture:
        """Fit a picture to uint8 [spec.height, spec.width, 3] RGB; alpha is composited on white."""
        image = Image.fromarray(on_white(picture))
        for step in self.steps:
            image = step(image)
        return np.array(image, np.uint8)


def read_stages(path: Path) -> Stages:
    """Read the stages of a file. Raises BadInput for an unknown stage, or if pictures would get different sizes."""
    stages = read_object(path).get("stages")
    if not isinstance(stages, list) or not 0 < len(stages) <= STAGES_MAX:
        raise BadInput(f"{path} must hold a list `stages`, of at most {STAGES_MAX}. Download the file again.")
    steps: list[Step] = []
    size: tuple[int, int] | None = None
    numbers = Numbers()
    tensor = False
    try:
        for stage in stages:
            kind = stage["type"]
            if tensor and kind in ("convert_rgb", "resize", "center_crop", "pad_to_size"):
                raise ValueError(f"{kind!r} comes after the conversion to a tensor")
            if not tensor and kind in ("rescale", "normalize"):
                raise ValueError(f"{kind!r} comes before the conversion to a tensor")
            if kind == "resize":
                step = _resize(stage)
                # A resize to the shorter side gives one size only if all pictures have one already.
                size = _fixed(stage["size"]) or (step(Image.new("RGB", size)).size if size else None)
                steps.append(step)
            elif kind == "center_crop":
                size = _sides(stage["size"])
                steps.append(partial(_crop, width=size[0], height=size[1]))
            elif kind == "pad_to_size":
                size = _wide_first(stage["size"])
                steps.append(_pad(stage, size))
            elif kind in ("to_tensor", "maybe_to_tensor"):
                tensor = True
            elif kind == "rescale":
                numbers = numbers.times(float(stage.get("rescale_factor", 1 / 255)))
            elif kind == "normalize":
                numbers = numbers.normalized(_three(stage["mean"]), _three(stage["std"]))
            elif kind != "convert_rgb":  # pictures are already RGB on white
                raise ValueError(f"the stage {kind!r} is not known")
    except (TypeError, LookupError, ValueError, AttributeError, OverflowError) as error:
        raise BadInput(f"{path}: a stage cannot be done: {error}. Download the file again, or a newer Koma.") from error
    if size is None or not tensor:
        raise BadInput(
            f"{path}: its stages result in pictures of different sizes or no tensor. Download the file again."
        )
    spec = InputSpec(size[0], size[1], scale=numbers.scale, mean=numbers.mean, std=numbers.std)
    return Stages(spec, tuple(steps))


def _filter(stage: dict[str, Any]) -> str:
    filter_name = stage.get("interpolation", "bilinear")
    return NUMBERED[filter_name] if isinstance(filter_name, int) else str(filter_name).lower()


def _resize(stage: dict[str, Any]) -> Step:
    name = _filter(stage)
    sides = stage["size"]
    shorter = sides if isinstance(sides, int) else sides[0] if len(sides) == 1 else 0
    width, height = _sides(shorter or sides)
    longest = stage.get("max_size")
    gap = None if stage.get("antialias", True) or name not in ("bilinear", "bicubic") else 1.0
    return partial(
        _resized, width=width, height=height, shorter=shorter, longest=int(longest) if longest else None,
        resample=FILTERS[name], gap=gap,
    )  # fmt: skip


def _resized(
    image: Image.Image, *, width: int, height: int, shorter: int, longest: int | None, resample: Image.Resampling,
    gap: float | None,
) -> Image.Image:  # fmt: skip
    """Resize to width x height, or the shorter side to `shorter` with the longer at most `longest`, ratio kept."""
    if shorter:
        w, h = image.size
        width, height = (shorter, int(shorter * h / w)) if w < h else (int(shorter * w / h), shorter)
        if longest is not None and max(width, height) > longest:
            if height > width:
                width, height = int(longest * width / height), longest
            else:
                width, height = longest, int(longest * height / width)
    target = (max(1, width), max(1, height))
    if target[0] * target[1] > PIXELS_MAX:
        raise BadInput(f"its {image.width} x {image.height} pixels are too long and thin for this model")
    return image if target == image.size else image.resize(target, resample, reducing_gap=gap)


def _crop(image: Image.Image, *, width: int, height: int) -> Image.Image:
    """Crop the central width x height; outside the picture is black."""
    w, h = image.size
    if w < width or h < height:
        canvas = Image.new("RGB", (max(w, width), max(h, height)), (0, 0, 0))
        canvas.paste(image, (max(width - w, 0) // 2, max(height - h, 0) // 2))
        image = canvas
        w, h = image.size
    left, top = (w - width) // 2, (h - height) // 2
    return image.crop((left, top, left + width, top + height))


def _pad(stage: dict[str, Any], size: tuple[int, int]) -> Step:
    background = stage.get("background_color", "white")
    if isinstance(background, str):
        levels: Sequence[Any] = ImageColor.getrgb(background)
    else:
        levels = [background] * 3 if isinstance(background, int) else list(background)
    # A fourth number is an alpha value; pictures are RGB here.
    colour = tuple(int(level) for level in levels[:3])
    if len(colour) != 3 or len(levels) > 4 or not all(0 <= level <= 255 for level in colour):
        raise ValueError(f"the background_color {background} cannot be used")
    return partial(_padded, width=size[0], height=size[1], colour=colour, resample=FILTERS[_filter(stage)])


def _padded(
    image: Image.Image, *, width: int, height: int, colour: tuple[int, ...], resample: Image.Resampling
) -> Image.Image:
    """Resize to fit width x height, up or down, with the ratio kept, and centre on a canvas of one colour.

    Sides are rounded to the nearest integer, halves to even, as in the reference (imgutils' pad_to_size).
    """
    w, h = image.size
    ratio = min(width / w, height / h)
    wide, high = max(1, round(w * ratio)), max(1, round(h * ratio))
    canvas = Image.new("RGB", (width, height), colour)
    canvas.paste(image.resize((wide, high), resample), ((width - wide) // 2, (height - high) // 2))
    return canvas


def _wide_first(sides: Any) -> tuple[int, int]:
    """Parse (width, height) from a number or [width, height]: unlike other stages, `pad_to_size` has the width
    first."""
    if not isinstance(sides, int) and len(sides) != 2:
        raise ValueError(f"the size {sides} cannot be used")
    height, width = _sides(sides)
    return width, height


def _fixed(sides: Any) -> tuple[int, int] | None:
    """Parse (width, height) of a resize to both sides; None for one to the shorter side."""
    return None if isinstance(sides, int) or len(sides) == 1 else _sides(sides)


def _sides(sides: Any) -> tuple[int, int]:
    """Parse (width, height) from a number or [height, width], in torchvision's order."""
    side_list: Sequence[Any] = [sides, sides] if isinstance(sides, int) else list(sides)
    height, width = (int(side_list[0]), int(side_list[-1]))
    if len(side_list) > 2 or not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX):
        raise ValueError(f"the size {sides} cannot be used")
    return width, height


def _three(value: Any) -> Colour:
    numbers = [float(number) for number in value] if isinstance(value, list | tuple) else [float(value)]
    if len(numbers) == 1:
        numbers *= 3
    red, green, blue = numbers
    return red, green, blue
