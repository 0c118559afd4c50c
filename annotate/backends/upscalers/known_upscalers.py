"""All upscalers by name: two resamplers that are always available, and installed models."""

from __future__ import annotations

from pathlib import Path

from annotate.backends.contract import Upscaler
from annotate.backends.model_files import registry
from annotate.backends.runtime.onnx_session import AUTO
from annotate.backends.upscalers import onnx_upscaler
from annotate.backends.upscalers.resize import FACTOR, FILTERS, ResizeUpscaler
from ingest.errors import BadInput

DEFAULT = "lanczos"


def names(models_dir: Path) -> list[str]:
    """List the choices: the resamplers, then models, those in packages last."""
    return [*FILTERS, *(model.name for model in registry.installed(models_dir, task="upscale"))]


def factor_of(name: str, models_dir: Path) -> int:
    """Return the factor of one pass, without loading a model. Raises BadInput for an unknown name."""
    if name in FILTERS:
        return FACTOR
    return onnx_upscaler.stated_factor(registry.find(name, models_dir, task="upscale"))


def open_upscaler(name: str, models_dir: Path, *, device: str = AUTO, threads: int = 0) -> Upscaler:
    """Open an upscaler. Raises BadInput when it is missing, cannot be loaded, or its factor differs from the stated
    one.

    Plans compute passes from the stated factor, so a model with another factor would give files of wrong sizes.
    """
    if name in FILTERS:
        return ResizeUpscaler(name)
    installed = registry.find(name, models_dir, task="upscale")
    opened: Upscaler = registry.open_model(installed, device=device, threads=threads)
    stated_factor = onnx_upscaler.stated_factor(installed)
    if opened.factor != stated_factor:
        raise BadInput(
            f"{name} enlarges {opened.factor} times, but its name or card states {stated_factor}. "
            f'Put "factor": {opened.factor} into {installed.path / registry.CARD}.'
        )
    return opened
