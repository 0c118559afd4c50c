"""Opens ONNX files in onnxruntime where they are asked to run, and says in words where that is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from ingest.errors import BadInput
from ingest.imaging.names import plain_text

onnxruntime.set_default_logger_severity(4)  # a CUDA library that is missing is told by `device`, not on standard error

AUTO, CPU, CUDA = "auto", "cpu", "cuda"  # auto: the GPU where it starts, else the CPU, in words; cuda: or nothing
DEVICES = (AUTO, CPU, CUDA)

CUDA_PROVIDER, CPU_PROVIDER = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {
    "arena_extend_strategy": "kSameAsRequested",  # takes what a batch needs, not the next power of two
    "cudnn_conv_algo_search": "HEURISTIC",  # an exhaustive search would start again at each new shape
    "use_tf32": "1",  # as onnxruntime does by itself; said here since scores differ by it in the fourth digit
}

LOAD_ERRORS = (
    failures.Fail, failures.InvalidArgument, failures.InvalidGraph, failures.InvalidProtobuf, failures.NoModel,
    failures.NoSuchFile, failures.NotImplemented, failures.RuntimeException,
    UnicodeDecodeError,  # of names in the file that are no text
)  # fmt: skip
RUN_ERRORS = (RuntimeError, *LOAD_ERRORS)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session and where it runs, in words; `on_gpu` for choosing batch sizes. `name`: the file, for messages."""

    session: Any
    device: str
    on_gpu: bool
    name: str = ""


def open_session(path: Path, *, threads: int = 0, device: str = AUTO) -> Opened:
    """Loads a graph; `threads` bounds one operator's threads (0: as many as there are cores).

    onnxruntime falls back to the CPU without an error when CUDA does not start, so the session is asked afterwards.
    Raises BadInput when the file is not ONNX, is cut off, needs operators that this onnxruntime lacks, keeps weights
    outside its folder, or takes or gives anything else than tensors of numbers (text crashes onnxruntime), and when
    `device` is CUDA and CUDA does not start: what was asked for the GPU never runs on the CPU unsaid.
    """
    if device not in DEVICES:
        raise BadInput(f"{device!r} is no device: choose {', '.join(DEVICES)}.")
    use_cuda = device != CPU and CUDA_PROVIDER in onnxruntime.get_available_providers()
    try:
        session = _session(str(path), threads=threads, cuda=use_cuda)
        kinds = [
            (value_info.type, value_info.name, value_info.shape)[0]
            for value_info in (*session.get_inputs(), *session.get_outputs())
        ]
        _ = session.get_modelmeta().custom_metadata_map  # read here, where it is told if that is no text
    except LOAD_ERRORS as error:
        raise BadInput(
            f"{path}: onnxruntime cannot load this weights file: it is not ONNX, is cut off, or needs a newer "
            f"onnxruntime ({first_line(error)}). Get the file again."
        ) from error
    if not session.get_inputs() or any(not kind.startswith("tensor(") or "string" in kind for kind in kinds):
        raise BadInput(
            f"{path}: this network takes and gives {', '.join(sorted(set(kinds)))[:200]}, not tensors of numbers. "
            "Choose another model."
        )
    on_gpu = session.get_providers()[0] == CUDA_PROVIDER
    if on_gpu:
        return Opened(session, "GPU (CUDA)", on_gpu=True, name=str(path))
    if device == CUDA:
        why = "could not be started (driver, CUDA or cuDNN missing)" if use_cuda else "is not part of this onnxruntime"
        raise BadInput(
            f"{path.name} was to run with device=cuda, but CUDA {why}. Repair it (see the status page) or choose "
            "device=auto or device=cpu."
        )
    where = "CPU (CUDA is installed but could not be started)" if use_cuda else "CPU"
    return Opened(session, where, on_gpu=False, name=str(path))


def first_line(error: Exception) -> str:
    """What onnxruntime says, short and harmless: names out of the file stand in it."""
    return plain_text(next(iter(str(error).strip().splitlines()), type(error).__name__), bytes_max=200)


def open_beside(model: bytes, opened: Opened) -> Any:
    """A session of a small graph of our own on the device of another session; BadInput where it lands elsewhere."""
    session = _session(model, threads=1, cuda=opened.on_gpu)
    if opened.on_gpu and session.get_providers()[0] != CUDA_PROVIDER:
        raise BadInput("CUDA started for the model but not for the arithmetic before it. Free memory on the GPU.")
    return session


def _session(model: str | bytes, *, threads: int, cuda: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its warnings go to standard error; what matters is raised
    # Spinning threads would take the cores from the decoders and the other workers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = [(CUDA_PROVIDER, CUDA_OPTIONS), CPU_PROVIDER] if cuda else [CPU_PROVIDER]
    return onnxruntime.InferenceSession(model, options, providers=providers)


def check_names(opened: Opened, path: Path, *, inputs: list[str], outputs: list[str], what: str) -> None:
    """BadInput when the graph's inputs and outputs are not those of `what`."""
    has_inputs = [graph_input.name for graph_input in opened.session.get_inputs()]
    has_outputs = [graph_input.name for graph_input in opened.session.get_outputs()]
    if has_inputs != inputs or has_outputs != outputs:
        raise BadInput(
            f"{path}: this ONNX file is no {what}: it takes {', '.join(has_inputs)}, gives {', '.join(has_outputs)}, "
            f"not {', '.join(inputs)} and {', '.join(outputs)}."
        )
