"""Tiny ONNX graphs with the interfaces of Real-ESRGAN and CDC that repeat each pixel four times either way, exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FACTOR = 4


def write_esrgan(path: Path, *, factor: int = FACTOR, channels: tuple[float, ...] = (1, 1, 1)) -> Path:
    """`image.1` to `image`; `channels` multiply what comes in as first, second and third channel."""
    nodes = [
        helper.make_node("Mul", ["image.1", "channels"], ["weighed"]),
        helper.make_node("Resize", ["weighed", "", "scales"], ["image"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric"),
    ]  # fmt: skip
    tensors = {
        "channels": np.array(channels, np.float32).reshape(1, 3, 1, 1),
        "scales": np.array([1, 1, factor, factor], np.float32),
    }
    return _save(path, nodes, tensors, ("image.1", ["n", 3, "h", "w"]), ("image", ["n", 3, "H", "W"]))


def write_smoother(path: Path, *, reach: int) -> Path:
    """As above, but each pixel is first the mean of its surroundings `reach` pixels far; beyond the rim lies black."""
    side = 2 * reach + 1
    nodes = [
        helper.make_node("Conv", ["image.1", "mean"], ["smooth"], group=3, pads=[reach] * 4),
        helper.make_node("Resize", ["smooth", "", "scales"], ["image"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric"),
    ]  # fmt: skip
    tensors = {
        "mean": np.full((3, 1, side, side), 1 / side**2, np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    return _save(path, nodes, tensors, ("image.1", ["n", 3, "h", "w"]), ("image", ["n", 3, "H", "W"]))


def write_cdc(path: Path) -> Path:
    """`input` to `output` of six dimensions [1, 3, 4h/16, 16, 4w/16, 16]; sides that are no multiple of 16 break it."""
    nodes = [
        helper.make_node("Resize", ["input", "", "scales"], ["large"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric"),
        helper.make_node("Shape", ["input"], ["shape"]),
        helper.make_node("Slice", ["shape", "two", "three", "zero"], ["height"]),
        helper.make_node("Slice", ["shape", "three", "four", "zero"], ["width"]),
        helper.make_node("Div", ["height", "sixteen"], ["rows"]),
        helper.make_node("Div", ["width", "sixteen"], ["columns"]),
        helper.make_node("Mul", ["rows", "four"], ["down"]),
        helper.make_node("Mul", ["columns", "four"], ["across"]),
        helper.make_node("Concat", ["start", "down", "sixteen", "across", "sixteen"], ["target"], axis=0),
        helper.make_node("Reshape", ["large", "target"], ["output"]),
    ]  # fmt: skip
    tensors = {
        "scales": np.array([1, 1, FACTOR, FACTOR], np.float32), "start": np.array([1, 3]), "zero": np.array([0]),
        "two": np.array([2]), "three": np.array([3]), "four": np.array([4]), "sixteen": np.array([16]),
    }  # fmt: skip
    return _save(path, nodes, tensors, ("input", ["n", 3, "h", "w"]), ("output", ["n", 3, "a", "b", "c", "d"]))


def _save(path: Path, nodes: list, tensors: dict, given: tuple, gives: tuple) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(gives[0], TensorProto.FLOAT, gives[1])],
        [numpy_helper.from_array(value, key) for key, value in tensors.items()],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
