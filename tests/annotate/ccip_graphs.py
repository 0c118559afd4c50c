"""A tiny CCIP: a vector holds the mean colour of what the network sees, two vectors differ by their mean gap."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from onnx import helper

from tests.annotate.onnx_graphs import save

LENGTH = 768


def write_ccip(folder: Path, *, threshold: float | None = 0.2, scale: float = 1.0) -> Path:
    """Vectors: red, green, blue in turn, 256 times; differences: `scale` times the mean absolute gap."""
    save(
        folder / "model_feat.onnx",
        [
            helper.make_node("ReduceMean", ["input"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("Tile", ["means", "times"], ["output"]),
        ],
        inputs={"input": ["n", 3, 384, 384]},
        outputs={"output": ["n", LENGTH]},
        tensors={"times": np.array([1, LENGTH // 3])},
    )
    save(
        folder / "model_metrics.onnx",
        [
            helper.make_node("Unsqueeze", ["input", "zero"], ["above"]),
            helper.make_node("Unsqueeze", ["input", "one"], ["beside"]),
            helper.make_node("Sub", ["beside", "above"], ["gaps"]),
            helper.make_node("Abs", ["gaps"], ["sizes"]),
            helper.make_node("ReduceMean", ["sizes"], ["mean"], axes=[2], keepdims=0),
            helper.make_node("Mul", ["mean", "scale"], ["output"]),
        ],
        inputs={"input": ["n", LENGTH]},
        outputs={"output": ["n", "n"]},
        tensors={"zero": np.array([0]), "one": np.array([1]), "scale": np.array(scale, np.float32)},
    )
    if threshold is not None:
        (folder / "metrics.json").write_text(json.dumps({"threshold": threshold}))
    return folder
