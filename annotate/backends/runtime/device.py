"""A network with the arithmetic of its input on the device: only bytes are copied there, and the input values are
computed there.

The same code runs on a CPU, where nothing is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import OrtValue

from annotate.backends.runtime import device_graph, onnx_session
from annotate.backends.runtime.inputs import InputSpec, Picture
from ingest.errors import BadInput

GPU, HOST = "cuda", "cpu"
FIXED_MAX = 256  # largest fixed batch of a graph
KEPT = 3  # device buffers per shape: one in use, one waiting, one being filled
# Out-of-memory messages of onnxruntime, CUDA, cuDNN and cuBLAS, which come in exceptions of several types.
_FULL = ("failed to allocate memory", "out of memory", "bad allocation", "alloc_failed", "available memory of")


@dataclass(slots=True)
class Staged:
    """Bytes [n, h, w, 3] on the device; the first `count` rows are pictures, the others padding of a fixed batch."""

    value: Any  # OrtValue
    count: int
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.count


Batch = Picture | Staged


class Network:
    """An open session with one picture input. `stage` copies (any thread), `run` computes (one thread at a time).

    `fixed`: the batch size the graph was exported with, None if it takes any.
    """

    def __init__(self, opened: onnx_session.Opened, spec: InputSpec, *, copies: bool | None = None) -> None:
        """`copies`: whether bytes are copied to a buffer on the device; by default only on a GPU.

        Raises BadInput for a graph whose first input is not numeric pictures, or whose fixed batch is implausibly
        large.
        """
        self.spec = spec
        self.device, self.on_gpu = opened.device, opened.on_gpu
        self.session = opened.session
        entry = self.session.get_inputs()[0]
        self._input, self._name = entry.name, opened.name
        self.outputs = tuple(output.name for output in self.session.get_outputs())
        self.fixed = entry.shape[0] if entry.shape and isinstance(entry.shape[0], int) and entry.shape[0] > 0 else None
        if entry.type != "tensor(float)" or (self.fixed or 0) > FIXED_MAX:
            raise BadInput(f"{opened.name}: its input {entry.type} {entry.shape} does not take pictures.")
        self._arithmetic = onnx_session.open_beside(device_graph.arithmetic(spec), opened)
        self._place = GPU if self.on_gpu else HOST
        self._copies = self.on_gpu if copies is None else copies
        self._free: dict[tuple[int, ...], list[Any]] = {}

    def stage(self, batch: Picture) -> Staged:
        """Copy bytes uint8 [n, h, w, 3] to the device; the caller MUST NOT change them until `run` has returned.

        A fixed batch is padded with black pictures. Raises ValueError for more pictures than it takes.
        """
        count = len(batch)
        if self.fixed is not None and count != self.fixed:
            if count > self.fixed:
                raise ValueError(f"this network takes {self.fixed} pictures at a time, not {count}")
            batch = np.concatenate([batch, np.zeros((self.fixed - count, *batch.shape[1:]), np.uint8)])
        if not self._copies:
            return Staged(OrtValue.ortvalue_from_numpy(np.ascontiguousarray(batch)), count, batch.shape)
        value = self._buffer(batch.shape)
        value.update_inplace(batch)
        return Staged(value, count, batch.shape)

    def run(
        self, batch: Batch, outputs: Sequence[str] = (), *, others: dict[str, NDArray[Any]] | None = None
    ) -> list[NDArray[Any]]:
        """Compute the outputs (all, or those named) for staged bytes, or for plain bytes [n, h, w, 3] of any n.

        A CPU gets plain bytes one picture at a time, so that no answer depends on its neighbours.
        `others` are further inputs of the graph. The first axis of each output is the picture. Raises BadInput when the
        network fails or returns a different number of pictures.
        """
        if isinstance(batch, Staged):
            return self._run(batch, outputs or self.outputs, others or {})
        step = self.fixed or (max(1, len(batch)) if self.on_gpu else 1)
        parts = [
            self._run(self.stage(batch[start : start + step]), outputs or self.outputs, others or {})
            for start in range(0, max(1, len(batch)), step)
        ]
        return parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts)]

    def release(self, staged: Staged) -> None:
        """Return the buffer of staged bytes for reuse. `run` does so itself when it succeeds."""
        if not self._copies or staged.value is None:
            return
        free_buffers = self._free.setdefault(staged.shape, [])
        if len(free_buffers) < KEPT:
            free_buffers.append(staged.value)
        staged.value = None

    def forget(self) -> None:
        """Free the buffers kept for later batches."""
        self._free.clear()

    def _run(self, staged: Staged, outputs: Sequence[str], others: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        before = self._arithmetic.io_binding()
        before.bind_ortvalue_input(device_graph.INPUT, staged.value)
        before.bind_output(device_graph.OUTPUT, self._place)
        self._arithmetic.run_with_iobinding(before)
        binding = self.session.io_binding()
        binding.bind_ortvalue_input(self._input, before.get_outputs()[0])
        for name, value in others.items():
            binding.bind_cpu_input(name, value)
        for name in outputs:
            binding.bind_output(name, HOST)
        try:
            self.session.run_with_iobinding(binding)
        except onnx_session.RUN_ERRORS as error:
            if is_out_of_memory(error):
                raise
            why = onnx_session.first_line(error)
            raise BadInput(f"{self._name}: running this network failed ({why}). Download it again.") from error
        full_outputs = [np.asarray(output) for output in binding.copy_outputs_to_cpu()]
        for output in full_outputs:
            if output.shape[:1] != staged.shape[:1]:
                raise BadInput(f"{self._name}: output {output.shape} for {staged.shape[0]} pictures.")
        trimmed = [output[: staged.count] for output in full_outputs]
        self.release(staged)
        return trimmed

    def _buffer(self, shape: tuple[int, ...]) -> Any:
        free_buffers = self._free.get(shape)
        try:
            return (
                free_buffers.pop()
                if free_buffers
                else OrtValue.ortvalue_from_shape_and_type(list(shape), np.uint8, self._place, 0)
            )
        except IndexError:  # another thread took it
            return OrtValue.ortvalue_from_shape_and_type(list(shape), np.uint8, self._place, 0)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of any type says that memory ran out, on the device or the machine."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _FULL)
