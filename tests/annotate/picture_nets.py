"""Tiny networks that look at pictures, and what a stage or a reader asks of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.device import Batch, Network
from annotate.backends.runtime.inputs import InputSpec


def write_means(path: Path, *, nchw: bool = True, batch: int | str = "n") -> Path:
    """A graph whose output [n, 3] is the mean of each channel of its input, `values`."""
    shape = [batch, 3, "h", "w"] if nchw else [batch, "h", "w", 3]
    axes = [2, 3] if nchw else [1, 2]
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["values"], ["means"], axes=axes, keepdims=0)],
        "means",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("means", TensorProto.FLOAT, [batch, 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


class Means:
    """A picture model whose answer is the mean of each channel; `seen` keeps the size of each batch."""

    def __init__(self, path: Path, spec: InputSpec, *, name: str = "means", copies: bool | None = None) -> None:
        self.info = ModelInfo(task="class", name=name, revision="1", sha256=name)
        self.network = Network(onnx_session.open_session(path, threads=1, device="cpu"), spec, copies=copies)
        self.device = self.network.device
        self.seen: list[int] = []
        self.shapes: list[tuple[int, ...]] = []

    def fit(self, picture: Picture) -> Picture:
        return self.network.spec.fit(picture)

    def answer(self, batch: Batch, sizes: Sequence[tuple[int, int]]) -> list[NDArray[np.float32]]:
        assert len(batch) == len(sizes)
        self.seen.append(len(sizes))
        self.shapes.append(tuple(batch.shape))
        return list(self.network.run(batch)[0])


def grey(level: int, *, width: int = 8, height: int = 6) -> Picture:
    return np.full((height, width, 3), level, np.uint8)


def write_tagger(folder: Path, *, side: int = 4, turned: bool = False) -> Path:
    """A WD tagger of three labels (sky, hero, general) whose scores are the mean blue, green, red (0..1) of a picture.

    `turned`: one less the mean, for a second opinion.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = [helper.make_node("Mul", ["means", "share"], ["output"])]
    if turned:
        last = [
            helper.make_node("Mul", ["means", "share"], ["direct"]),
            helper.make_node("Sub", ["one", "direct"], ["output"]),
        ]
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["input"], ["means"], axes=[1, 2], keepdims=0), *last],
        "tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", side, side, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 3])],
        [
            helper.make_tensor(name, TensorProto.FLOAT, [], [value])
            for name, value in (("share", 1 / 255), ("one", 1.0))
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )
    (folder / "selected_tags.csv").write_text(
        "tag_id,name,category,count\n1,sky,0,9\n2,hero,4,9\n3,general,9,9\n", encoding="utf-8"
    )
    return folder
