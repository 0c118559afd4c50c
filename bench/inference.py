"""How much the tagger costs beyond the bare network: pre-processing, batching and reading the answers.

    python -m bench.inference [--pictures 8] [--layers 12]

The graph is a vision transformer of the WD tagger's size (B/16 at 448 pixels, 94 million random weights) with its
interface.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from annotate.backends import onnx_session, registry
from annotate.backends.registry import Installed
from annotate.backends.scorer import BATCH, MODEL_FILE
from annotate.backends.tagger_wd import TAGS_FILE, input_of, open_installed
from bench import report

SIDE, PATCH, WIDTH, HEADS, TAGS = 448, 16, 768, 12, 10_861
OVERHEAD_MAX = 0.10


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
        query, value = (self.add("Transpose", one, perm=[0, 2, 1, 3]) for one in (query, value))
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
    """Writes model.onnx and selected_tags.csv of a tagger with random weights."""
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
    made = helper.make_graph(
        graph.nodes,
        "tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", TAGS])],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / MODEL_FILE)
    table = "".join(f"{tag},tag_{tag},0,1\n" for tag in range(TAGS))
    (folder / TAGS_FILE).write_text("tag_id,name,category,count\n" + table, encoding="utf-8")


def measure(folder: Path, *, pictures: int, rounds: int) -> tuple[list[float], list[float], str]:
    """Median (wall, processor) seconds of the whole tagger and of bare `session.run` on the same batches; device."""
    random = np.random.default_rng(2)
    shown = [random.integers(0, 255, (720, 1280, 3), dtype=np.uint8) for _ in range(pictures)]
    tagger = open_installed(Installed("tagger", registry.FAMILIES["wd"], folder))
    spec = input_of(SIDE)
    session = onnx_session.open_session(folder / MODEL_FILE).session
    batches = [
        spec.tensor(np.stack([spec.fit(picture) for picture in shown[at : at + BATCH]]))
        for at in range(0, pictures, BATCH)
    ]
    whole, bare = [], []
    for turn in range(rounds + 1):  # the first round warms both up and is not counted
        marks = [(time.perf_counter(), time.process_time())]
        for batch in batches:
            session.run(None, {"input": batch})
        marks.append((time.perf_counter(), time.process_time()))
        for scores in tagger.scores(shown):
            tagger.reading.following(scores)
        marks.append((time.perf_counter(), time.process_time()))
        if turn:
            bare.append([marks[1][clock] - marks[0][clock] for clock in (0, 1)])
            whole.append([marks[2][clock] - marks[1][clock] for clock in (0, 1)])
    return _medians(whole), _medians(bare), tagger.device


def _medians(rows: list[list[float]]) -> list[float]:
    return [statistics.median(row[clock] for row in rows) for clock in (0, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=8, help="pictures of 1280x720 a round, a multiple of the batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--dry", action="store_true", help="print the table, leave docs/benchmarks.md alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_tagger(folder, layers=options.layers)
        size_mb = (folder / MODEL_FILE).stat().st_size / 1e6
        whole, bare, device = measure(folder, pictures=options.pictures, rounds=options.rounds)
    rows = [
        (clock, f"{bare[at]:.2f} s", f"{whole[at]:.2f} s", f"{whole[at] / bare[at] - 1:+.1%}")
        for at, clock in enumerate(("wall clock", "processor time"))
    ]
    text = (
        f"The WD tagger from picture to tags (pad, scale, batch, run, read) against bare `session.run`: "
        f"{options.pictures} pictures of 1280x720 in batches of {BATCH}, a graph of {size_mb:.0f} MB "
        f"({options.layers} layers), {device}; median of {options.rounds} rounds. "
        f"Asked: at most +{OVERHEAD_MAX:.0%}.\n\n" + report.table(("", "bare", "whole", "overhead"), rows)
    )
    print(text) if options.dry else report.write("Inference overhead", text)


if __name__ == "__main__":
    main()
