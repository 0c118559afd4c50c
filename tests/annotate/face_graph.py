"""A tiny ONNX graph with the face detector's interface: a cell's mean red is its heat, green and blue move its box."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CELL = 8


def write_graph(
    folder: Path, *, name: str = "tiny", threshold: float = 0.5, unit_side: float = 8.0, heat_channel: int = 0
) -> Path:
    """Heat = mean red (or another channel) / 255; x = mean green / 255, y = mean blue / 255 cells; side = unit_side."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "white": np.array(255, np.float32), "zero": np.array([0]), "one": np.array([1]), "three": np.array([3]),
        "axis": np.array([1]), "none": np.array(0, np.float32),
        "heat_start": np.array([heat_channel]), "heat_end": np.array([heat_channel + 1]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["means"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Div", ["means", "white"], ["parts"]),
        helper.make_node("Slice", ["parts", "zero", "one", "axis"], ["red"]),
        helper.make_node("Slice", ["parts", "heat_start", "heat_end", "axis"], ["heat_plane"]),
        helper.make_node("Squeeze", ["heat_plane", "axis"], ["heat"]),
        helper.make_node("Slice", ["parts", "one", "three", "axis"], ["move"]),
        helper.make_node("Mul", ["red", "none"], ["side"]),
        helper.make_node("Concat", ["move", "side"], ["shape"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", "h", "w", 3])],
        [
            helper.make_tensor_value_info("heat", TensorProto.FLOAT, ["n", "r", "c"]),
            helper.make_tensor_value_info("shape", TensorProto.FLOAT, ["n", 3, "r", "c"]),
        ],
        [numpy_helper.from_array(value, key) for key, value in tensors.items()],
    )
    path = folder / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    card = {"name": name, "version": 1, "threshold": threshold, "stride": CELL, "unit_side": unit_side}
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


def picture_with(
    *cells: tuple[int, int], size: tuple[int, int] = (64, 48), colour: tuple[int, int, int] = (255, 0, 0)
) -> NDArray[np.uint8]:
    """A black picture of size (width, height) with whole cells (column, row) in a colour."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for column, row in cells:
        picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = colour
    return picture
