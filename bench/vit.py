"""A vision transformer of the size of the WD taggers (B/16 at 448 pixels, 94 million random weights) as ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE, PATCH, WIDTH, HEADS, TAGS = 448, 16, 768, 12, 10_861


class Graph:
    """Collects nodes and weights of a graph; weights are small random numbers."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(1)

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, *shape: int) -> str:
        return self.constant((self.random.standard_normal(shape, dtype=np.float32) * 0.02).astype(np.float32))

    def add(self, kind: str, *inputs: str, **settings: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **settings))
        return name

    def dense(self, inside: str, width: int, outside: int) -> str:
        return self.add("Add", self.add("MatMul", inside, self.weight(width, outside)), self.weight(outside))

    def normed(self, inside: str) -> str:
        ones, zeros = self.constant(np.ones(WIDTH, np.float32)), self.constant(np.zeros(WIDTH, np.float32))
        return self.add("LayerNormalization", inside, ones, zeros, axis=-1)

    def attention(self, inside: str, tokens: int) -> str:
        shape = self.constant(np.array([-1, tokens, HEADS, WIDTH // HEADS]))
        query, key, value = (self.add("Reshape", self.dense(inside, WIDTH, WIDTH), shape) for _ in range(3))
        query, value = (self.add("Transpose", tensor, perm=[0, 2, 1, 3]) for tensor in (query, value))
        key = self.add("Transpose", key, perm=[0, 2, 3, 1])
        scale = self.constant(np.array((WIDTH // HEADS) ** -0.5, np.float32))
        weights = self.add("Softmax", self.add("Mul", self.add("MatMul", query, key), scale), axis=-1)
        mixed = self.add("Transpose", self.add("MatMul", weights, value), perm=[0, 2, 1, 3])
        back = self.constant(np.array([-1, tokens, WIDTH]))
        return self.dense(self.add("Reshape", mixed, back), WIDTH, WIDTH)

    def perceptron(self, inside: str) -> str:
        wide = self.dense(inside, WIDTH, 4 * WIDTH)
        return self.dense(self.add("Mul", wide, self.add("Sigmoid", wide)), 4 * WIDTH, WIDTH)


def write_tagger(folder: Path, *, layers: int) -> None:
    """Writes model.onnx and selected_tags.csv of a WD tagger."""
    graph, tokens = Graph(), (SIDE // PATCH) ** 2
    planes = graph.add("Transpose", "input", perm=[0, 3, 1, 2])
    patches = graph.add(
        "Conv", planes, graph.weight(WIDTH, 3, PATCH, PATCH), kernel_shape=[PATCH] * 2, strides=[PATCH] * 2
    )
    rows = graph.add("Reshape", patches, graph.constant(np.array([0, WIDTH, tokens])))
    state = graph.add("Transpose", rows, perm=[0, 2, 1])
    for _ in range(layers):
        state = graph.add("Add", state, graph.attention(graph.normed(state), tokens))
        state = graph.add("Add", state, graph.perceptron(graph.normed(state)))
    mean = graph.add("ReduceMean", graph.normed(state), axes=[1], keepdims=0)
    graph.nodes.append(helper.make_node("Sigmoid", [graph.dense(mean, WIDTH, TAGS)], ["output"]))
    onnx_graph = helper.make_graph(
        graph.nodes,
        "tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", TAGS])],
        graph.weights,
    )
    model = helper.make_model(onnx_graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    table = "".join(f"{tag},tag_{tag},0,1\n" for tag in range(TAGS))
    (folder / "selected_tags.csv").write_text("tag_id,name,category,count\n" + table, encoding="utf-8")
