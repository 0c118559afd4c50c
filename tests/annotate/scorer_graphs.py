"""Tiny taggers and classifiers: a linear network over the picture, with the files that lie beside a real one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from annotate.backends.model_files import registry
from annotate.backends.model_files.registry import Installed

Row = tuple[str, int]


def write_tags(folder: Path, rows: Sequence[Row]) -> None:
    """A `selected_tags.csv` of names and category numbers."""
    lines = ["tag_id,name,category,count"] + [f"{n},{name},{category},1" for n, (name, category) in enumerate(rows)]
    (folder / "selected_tags.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_model(
    folder: Path,
    *,
    side: int,
    weights: NDArray[Any],
    batch: int | str = "n",
    outputs: int | None = None,
    bias: Sequence[float] | None = None,
) -> None:
    """A graph [n, side, side, 3] -> flattened / 255 @ weights + bias -> [n, tags], as the WD taggers are."""
    write_linear(
        folder / "model.onnx", [batch, side, side, 3], weights / 255, bias=bias, outputs=outputs, output="prediction"
    )


def write_linear(
    path: Path,
    shape: Sequence[int | str],
    weights: NDArray[Any],
    *,
    bias: Sequence[float] | None = None,
    outputs: int | None = None,
    output: str = "output",
    more: Sequence[str] = (),
) -> None:
    """A graph of `shape` -> flattened @ weights + bias -> `output` [n, labels]; `more` outputs besides."""
    nodes = [
        helper.make_node("Reshape", ["input", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], [output]),
        *(helper.make_node("Neg", ["product"], [name]) for name in more),
    ]
    tags = outputs or weights.shape[1]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], tags]) for name in (*more, output)],
        [
            numpy_helper.from_array(np.array([-1, weights.shape[0]], np.int64), "shape"),
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.array(bias or [0.0] * weights.shape[1], np.float32), "bias"),
        ],
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def write_classifier(
    folder: Path, labels: Sequence[str], scores: Sequence[float], *, card: dict[str, Any] | None = None
) -> None:
    """A classifier that gives the same scores to every picture of 4 x 4."""
    write_linear(folder / "model.onnx", ["n", 3, 4, 4], np.zeros((48, len(labels))), bias=scores)
    (folder / "meta.json").write_text(json.dumps({"labels": list(labels)}), encoding="utf-8")
    if card is not None:
        (folder / registry.CARD).write_text(json.dumps(card), encoding="utf-8")


def installed(folder: Path) -> Installed:
    """The model in a folder, of whatever family it is recognised as."""
    model = {installed_model.name: installed_model for installed_model in registry.installed(folder.parent)}
    return model[folder.name]


def opened(folder: Path) -> Any:
    """The adapter of the model in a folder, on the processor."""
    return registry.open_model(installed(folder), device="cpu")


def said(scorer: Any, picture: NDArray[np.uint8]) -> list[tuple[str, str, float]]:
    """Name, category and rounded score of what follows for a picture."""
    result = scorer.accepted_tags.accepted(scorer.scores([picture])[0])
    return [(label.name, label.category, round(score, 4)) for label, score in result]
