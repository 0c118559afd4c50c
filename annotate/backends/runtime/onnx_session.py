"""Opening ONNX files in onnxruntime on the requested device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from ingest.errors import BadInput
from ingest.imaging.names import plain_text

onnxruntime.set_default_logger_severity(4)  # a missing CUDA library is reported by `device`, not on stderr

AUTO, CPU, CUDA = "auto", "cpu", "cuda"  # auto: the GPU if it works, else the CPU; cuda: only the GPU
DEVICES = (AUTO, CPU, CUDA)

CUDA_PROVIDER, CPU_PROVIDER = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {
    "arena_extend_strategy": "kSameAsRequested",  # allocates what a batch needs, not the next power of two
    "cudnn_conv_algo_search": "HEURISTIC",  # an exhaustive search would be repeated for each new shape
    "use_tf32": "1",  # onnxruntime's default; explicit, since it changes the fourth digit of scores
}

LOAD_ERRORS = (
    failures.Fail, failures.InvalidArgument, failures.InvalidGraph, failures.InvalidProtobuf, failures.NoModel,
    failures.NoSuchFile, failures.NotImplemented, failures.RuntimeException,
    UnicodeDecodeError,  # for names in the file that are not valid text
)  # fmt: skip
RUN_ERRORS = (RuntimeError, *LOAD_ERRORS)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session and a description of where it runs; `on_gpu` for batch sizes; `name`: the file, for messages."""

    session: Any
    device: str
    on_gpu: bool
    name: str = ""


def open_session(path: Path, *, threads: int = 0, device: str = AUTO) -> Opened:
    """Load a graph; `threads` limits the threads per operator (0: the number of cores).

    onnxruntime falls back to the CPU without an error when CUDA does not start, so the session is checked afterwards.
    Raises BadInput when the file is not ONNX, is truncated, needs operators that this onnxruntime lacks, keeps weights
    outside its folder, or has inputs or outputs that are not numeric tensors (text crashes onnxruntime), and when
    `device` is CUDA and CUDA does not start: what was requested for the GPU never runs on the CPU silently.
    """
    if device not in DEVICES:
        raise BadInput(f"{device!r} is not a device: choose {', '.join(DEVICES)}.")
    use_cuda = device != CPU and CUDA_PROVIDER in onnxruntime.get_available_providers()
    try:
        session = _session(str(path), threads=threads, cuda=use_cuda)
        kinds = [
            (value_info.type, value_info.name, value_info.shape)[0]
            for value_info in (*session.get_inputs(), *session.get_outputs())
        ]
        _ = session.get_modelmeta().custom_metadata_map  # read here, where invalid text is reported
    except LOAD_ERRORS as error:
        raise BadInput(
            f"{path}: onnxruntime cannot load this weights file: it is not ONNX, is truncated, or needs a newer "
            f"onnxruntime ({first_line(error)}). Download the file again."
        ) from error
    if not session.get_inputs() or any(not kind.startswith("tensor(") or "string" in kind for kind in kinds):
        raise BadInput(
            f"{path}: the inputs and outputs of this network are {', '.join(sorted(set(kinds)))[:200]}, "
            "not tensors of numbers. Choose another model."
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
    """Return a short, sanitised message of onnxruntime, which may quote names from the file."""
    return plain_text(next(iter(str(error).strip().splitlines()), type(error).__name__), bytes_max=200)


def open_beside(model: bytes, opened: Opened) -> Any:
    """Open a small graph on the device of another session. Raises BadInput if it is placed on a different one."""
    session = _session(model, threads=1, cuda=opened.on_gpu)
    if opened.on_gpu and session.get_providers()[0] != CUDA_PROVIDER:
        raise BadInput("CUDA started for the model but not for its input arithmetic. Free memory on the GPU.")
    return session


def _session(model: str | bytes, *, threads: int, cuda: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its warnings go to stderr; what matters is raised
    # Spinning threads would take the cores from decoders and other workers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = [(CUDA_PROVIDER, CUDA_OPTIONS), CPU_PROVIDER] if cuda else [CPU_PROVIDER]
    return onnxruntime.InferenceSession(model, options, providers=providers)


def check_names(opened: Opened, path: Path, *, inputs: list[str], outputs: list[str], what: str) -> None:
    """Raise BadInput when the graph's inputs and outputs are not those of `what`."""
    has_inputs = [graph_input.name for graph_input in opened.session.get_inputs()]
    has_outputs = [graph_input.name for graph_input in opened.session.get_outputs()]
    if has_inputs != inputs or has_outputs != outputs:
        raise BadInput(
            f"{path}: not a {what}: it takes {', '.join(has_inputs)}, gives {', '.join(has_outputs)}, "
            f"not {', '.join(inputs)} and {', '.join(outputs)}."
        )
