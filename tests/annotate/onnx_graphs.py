"""Tiny ONNX graphs: a constant answer with the interface of a detector, or a few sums over the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def save(path: Path, nodes: list[Any], *, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]],
         tensors: dict[str, NDArray[Any]], metadata: dict[str, str] | None = None) -> Path:  # fmt: skip
    """Writes a graph of float inputs and outputs by name and shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def write_yolo(
    folder: Path,
    answer: NDArray[np.float32],
    *,
    names: str = "{0: 'face'}",
    imgsz: str | None = "[640, 640]",
    batch: int | str = "n",
    sides: tuple[int | str, int | str] = ("h", "w"),
) -> Path:
    """A detector that gives `answer` [a, b] for every picture, each score times the mean of the picture's red (0..1).

    So a test sees that the tensor is RGB over 255: on pure red the answer comes back as it is.
    """
    planes = answer.shape[-1] != 6 and answer.shape[0] < answer.shape[1]  # scores lie in rows 4.. or columns 4..
    scored = np.zeros(answer.shape, np.float32)
    if answer.shape[-1] == 6:
        scored[:, 4] = answer[:, 4]
    elif planes:
        scored[4:] = answer[4:]
    else:
        scored[:, 4:] = answer[:, 4:]
    tensors = {
        "fixed": (answer - scored)[None].astype(np.float32), "scored": scored[None], "zero": np.array([0]),
        "one": np.array([1]), "axis": np.array([1]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Slice", ["images", "zero", "one", "axis"], ["red"]),
        helper.make_node("ReduceMean", ["red"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("Unsqueeze", ["column", "axis"], ["cube"]),
        helper.make_node("Mul", ["scored", "cube"], ["scores"]),
        helper.make_node("Add", ["fixed", "scores"], ["output0"]),
    ]
    metadata = {"names": names} | ({"imgsz": imgsz} if imgsz else {})
    return save(
        folder / "model.onnx", nodes, inputs={"images": [batch, 3, *sides]}, outputs={"output0": [batch, "a", "b"]},
        tensors=tensors, metadata=metadata,
    )  # fmt: skip


def red(width: int, height: int) -> NDArray[np.uint8]:
    """A picture of pure red."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, :, 0] = 255
    return picture
