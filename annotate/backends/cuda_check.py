"""Whether CUDA really starts here. onnxruntime falls back to the processor without an error, so it is tried."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import onnxruntime

from annotate.backends import device_graph
from annotate.backends.inputs import InputSpec
from annotate.backends.onnx_session import LOAD_ERRORS

CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True, slots=True)
class Devices:
    """What onnxruntime offers, whether CUDA started, and both in words for the status page."""

    version: str
    providers: tuple[str, ...]
    cuda: bool
    words: str


@cache
def devices() -> Devices:
    """Starts a session of a few bytes once in this process; half a second where CUDA is there, nothing where not."""
    offered = tuple(onnxruntime.get_available_providers())
    started = CUDA in offered and _starts()
    return Devices(onnxruntime.__version__, offered, started, words_of(offered, started=started))


def words_of(offered: tuple[str, ...], *, started: bool) -> str:
    """The sentence for what is offered and what came of trying."""
    if started:
        return "CUDA starts: networks run on the graphics card."
    refusal = "A run with device=cuda is refused; device=auto takes the processor and says so."
    if CUDA not in offered:
        return f"Networks run on the processor: this onnxruntime has no CUDA part. {refusal}"
    return (
        "Networks run on the processor: CUDA is part of this onnxruntime, but it could not be started (no card, or its "
        f"driver, CUDA or cuDNN is missing or of another version). {refusal}"
    )


def _starts() -> bool:
    try:
        session = onnxruntime.InferenceSession(
            device_graph.arithmetic(InputSpec(8, 8)), providers=[CUDA, "CPUExecutionProvider"]
        )
    except (*LOAD_ERRORS, RuntimeError):
        return False
    return bool(session.get_providers()[0] == CUDA)
