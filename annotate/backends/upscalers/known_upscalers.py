"""All upscalers by name: two resamplers that are always there, waifu2x where its wheel is, and installed models."""

from __future__ import annotations

from pathlib import Path

from annotate.backends.contract import Upscaler
from annotate.backends.model_files import registry
from annotate.backends.runtime.onnx_session import AUTO
from annotate.backends.upscalers import onnx_upscaler, waifu2x
from annotate.backends.upscalers.resize import FACTOR, FILTERS, ResizeUpscaler
from annotate.backends.upscalers.waifu2x import Waifu2x
from ingest.errors import BadInput

DEFAULT = "lanczos"


def names(models_dir: Path) -> list[str]:
    """What can be chosen: the resamplers, waifu2x when its wheel is installed, then models by name."""
    wheel = [waifu2x.NAME] if waifu2x.is_there() else []
    return [*FILTERS, *wheel, *(model.name for model in registry.installed(models_dir, task="upscale"))]


def fallback() -> str:
    """The upscaler that is always there: waifu2x when its wheel is installed, else resampling."""
    return waifu2x.NAME if waifu2x.is_there() else DEFAULT


def factor_of(name: str, models_dir: Path) -> int:
    """How much a pass enlarges, without loading a model; BadInput for an unknown name."""
    if name in FILTERS:
        return FACTOR
    if name == waifu2x.NAME:
        return waifu2x.FACTOR
    return onnx_upscaler.factor_told(registry.find(name, models_dir, task="upscale"))


def open_upscaler(name: str, models_dir: Path, *, device: str = AUTO, threads: int = 0) -> Upscaler:
    """The upscaler, ready to work. BadInput when it is not there, cannot be loaded, or is of another factor than told.

    Plans count passes by the factor that is told, so a model that does otherwise would make files of wrong sizes.
    """
    if name in FILTERS:
        return ResizeUpscaler(name)
    if name == waifu2x.NAME:
        return Waifu2x(device=device, threads=threads)
    installed = registry.find(name, models_dir, task="upscale")
    opened: Upscaler = registry.open_model(installed, device=device, threads=threads)
    stated_factor = onnx_upscaler.factor_told(installed)
    if opened.factor != stated_factor:
        raise BadInput(
            f"{name} enlarges {opened.factor} times, but its name or card tells {stated_factor}. "
            f'Put "factor": {opened.factor} into {installed.path / registry.CARD}.'
        )
    return opened
