"""Check whether CUDA really starts: onnxruntime falls back to the CPU without an error, so it has to be tried.

This happens in a separate process, since CUDA holds some hundred megabytes of GPU memory as long as its process lives.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnxruntime

from annotate.backends.runtime import device_graph
from annotate.backends.runtime.inputs import InputSpec
from annotate.backends.runtime.onnx_session import LOAD_ERRORS

CUDA = "CUDAExecutionProvider"
STARTED = "CUDA starts"
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Devices:
    """The providers of onnxruntime, whether CUDA started, and a description for the status page."""

    version: str
    providers: tuple[str, ...]
    cuda: bool
    words: str


@cache
def devices() -> Devices:
    """Try once and cache the result. Takes about a second if onnxruntime has CUDA support, no time otherwise."""
    offered = tuple(onnxruntime.get_available_providers())
    started = CUDA in offered and _tried()
    return Devices(onnxruntime.__version__, offered, started, words_of(offered, started=started))


def known() -> Devices | None:
    """Return the cached result of `devices`, or None; never tries."""
    return devices() if devices.cache_info().currsize else None


def words_of(offered: tuple[str, ...], *, started: bool) -> str:
    """Describe the available providers and the result of the test."""
    if started:
        return "CUDA works: networks run on the GPU."
    refusal = "device=cuda is refused; device=auto uses the CPU and says so."
    if CUDA not in offered:
        return f"Networks run on the CPU: this onnxruntime is built without CUDA. {refusal}"
    return (
        "Networks run on the CPU: this onnxruntime includes CUDA, but it could not be started (no GPU, or its "
        f"driver, CUDA or cuDNN is missing or of another version). {refusal}"
    )


def starts() -> bool:
    """Open a tiny session with CUDA and return whether it runs there."""
    try:
        session = onnxruntime.InferenceSession(
            device_graph.arithmetic(InputSpec(8, 8)), providers=[CUDA, "CPUExecutionProvider"]
        )
    except (*LOAD_ERRORS, RuntimeError):
        return False
    return bool(session.get_providers()[0] == CUDA)


def _tried() -> bool:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "annotate.backends.runtime.cuda_check"],
            cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return STARTED in done.stdout


if __name__ == "__main__":
    sys.stdout.write(STARTED if starts() else "CUDA does not start")
