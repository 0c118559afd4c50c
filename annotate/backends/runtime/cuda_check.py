"""Whether CUDA really starts here. onnxruntime falls back to the processor without an error, so it is tried.

In a process of its own: a started CUDA keeps some hundred megabytes of the card for as long as its process lives.
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
    """What onnxruntime offers, whether CUDA started, and both in words for the status page."""

    version: str
    providers: tuple[str, ...]
    cuda: bool
    words: str


@cache
def devices() -> Devices:
    """Tries once and remembers; about a second where onnxruntime has a CUDA part, nothing where it has none."""
    offered = tuple(onnxruntime.get_available_providers())
    started = CUDA in offered and _tried()
    return Devices(onnxruntime.__version__, offered, started, words_of(offered, started=started))


def known() -> Devices | None:
    """What `devices` found, if somebody asked before; never tries."""
    return devices() if devices.cache_info().currsize else None


def words_of(offered: tuple[str, ...], *, started: bool) -> str:
    """The sentence for what is offered and what came of trying."""
    if started:
        return "CUDA starts: networks run on the graphics card."
    refusal = "What was asked to run on the card (device=cuda) is refused; device=auto takes the processor and says so."
    if CUDA not in offered:
        return f"Networks run on the processor: this onnxruntime has no CUDA part. {refusal}"
    return (
        "Networks run on the processor: CUDA is part of this onnxruntime, but it could not be started (no card, or its "
        f"driver, CUDA or cuDNN is missing or of another version). {refusal}"
    )


def starts() -> bool:
    """Opens a session of a few bytes with CUDA and asks where it runs."""
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
