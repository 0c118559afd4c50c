"""Upscalers without a model: Pillow's bicubic and Lanczos filters, the baseline for all others."""

from __future__ import annotations

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.runtime.inputs import Resample, resized
from annotate.backends.upscalers.tiles import check_size

FACTOR = 2
FILTERS = {"lanczos": Resample.LANCZOS, "bicubic": Resample.BICUBIC}


class ResizeUpscaler:
    """Resamples by `factor` per pass."""

    def __init__(self, name: str, *, factor: int = FACTOR) -> None:
        self._filter = FILTERS[name]
        self.factor = factor
        self.device = "CPU"
        self.info = ModelInfo(task="upscale", name=name, revision="", settings={"factor": factor})

    def upscale(self, picture: Picture, *, times: int) -> Picture:
        """See the contract."""
        check_size(picture, factor=self.factor, times=times)
        for _ in range(times):
            height, width = picture.shape[:2]
            picture = resized(picture, width * self.factor, height * self.factor, self._filter)
        return picture
