"""The arithmetic of an input (channel order, layout, scale, mean, standard deviation) as an ONNX graph.

The few protobuf messages it needs (onnx.proto, IR version 8, opset 17) are encoded by hand, so that Koma depends on
onnxruntime only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annotate.backends.runtime.inputs import InputSpec

INPUT, OUTPUT = "bytes", "values"
_FLOAT, _UINT8, _INT64 = 1, 2, 7  # TensorProto.DataType
_IR_VERSION, _OPSET = 8, 17


def arithmetic(spec: InputSpec) -> bytes:
    """A model from `bytes` uint8 [n, h, w, 3] RGB to `values` float32, bit for bit equal to `spec.tensor`.

    Channels are reordered as planes of bytes, which is several times faster than reordering interleaved floats.
    """
    steps: list[tuple[str, list[str], bytes]] = []  # operator, its constants, its attributes
    constants: list[bytes] = []

    def constant(value: NDArray[np.generic], kind: int) -> str:
        name = f"constant_{len(constants)}"
        constants.append(
            _packed(1, value.shape)
            + _number(2, kind)
            + _text(8, name)
            + _bytes(9, np.ascontiguousarray(value).tobytes())
        )
        return name

    if spec.nchw or spec.bgr:
        steps.append(("Transpose", [], _integers("perm", (0, 3, 1, 2))))
    if spec.bgr:
        steps.append(("Gather", [constant(np.array([2, 1, 0], np.int64), _INT64)], _integer("axis", 1)))
    if spec.bgr and not spec.nchw:
        steps.append(("Transpose", [], _integers("perm", (0, 2, 3, 1))))
    steps.append(("Cast", [], _integer("to", _FLOAT)))
    shape = (3, 1, 1) if spec.nchw else (3,)
    if spec.scale != 1:
        steps.append(("Mul", [constant(np.array([spec.scale], np.float32), _FLOAT)], b""))
    if spec.mean != (0.0, 0.0, 0.0):
        steps.append(("Sub", [constant(np.array(spec.mean, np.float32).reshape(shape), _FLOAT)], b""))
    if spec.std != (1.0, 1.0, 1.0):
        steps.append(("Div", [constant(np.array(spec.std, np.float32).reshape(shape), _FLOAT)], b""))

    graph, before = b"", INPUT
    for index, (kind, others, attributes) in enumerate(steps):
        after = OUTPUT if index == len(steps) - 1 else f"step_{index}"
        inputs = b"".join(_text(1, name) for name in (before, *others))
        graph += _bytes(1, inputs + _text(2, after) + _text(4, kind) + attributes)
        before = after
    graph += _text(2, "arithmetic") + b"".join(_bytes(5, constant_tensor) for constant_tensor in constants)
    sides: tuple[str | int, ...] = ("n", "a", "b", "c")
    graph += _bytes(11, _value(INPUT, _UINT8, ("n", "h", "w", 3))) + _bytes(12, _value(OUTPUT, _FLOAT, sides))
    opset = _bytes(8, _text(1, "") + _number(2, _OPSET))
    return _number(1, _IR_VERSION) + _text(2, "koma") + _bytes(7, graph) + opset


def _value(name: str, kind: int, shape: Sequence[str | int]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, dim) if isinstance(dim, int) else _text(2, dim)) for dim in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dims)))


def _integer(name: str, value: int) -> bytes:
    return _bytes(5, _text(1, name) + _number(3, value) + _number(20, 2))


def _integers(name: str, values: Sequence[int]) -> bytes:
    return _bytes(5, _text(1, name) + _packed(8, values) + _number(20, 7))


def _packed(field: int, values: Sequence[int]) -> bytes:
    """Encode each number in its own field, which every reader of repeated fields accepts."""
    return b"".join(_number(field, int(value)) for value in values)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Encode a non-negative number with seven bits per byte, lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
