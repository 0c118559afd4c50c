"""Time to group very many faces by CCIP; writes the section on it into docs/benchmarks.md.

    python -m bench.groups [--counts 2000 6000 25000 100000]

The metric network is an ONNX graph built here: half of 1 - cosine over 768 values. Vectors are drawn: people with
scenes of near copies, and strangers. Each row runs in a process of its own. Reading the database is not in it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from annotate.algorithms import difference_clustering, difference_graph
from annotate.algorithms.difference_clustering import DEFAULTS, NOBODY
from annotate.algorithms.near_vectors import Vectors
from annotate.backends.embedders.ccip import LENGTH, SIDE, CcipEmbedder
from bench import report

F32 = NDArray[np.float32]
STRANGERS, SCENE, PEOPLE_PER = 0.1, 60, 1_000  # share of faces; faces per scene; faces per person, on average
COLUMNS = ("faces", "way", "pairs asked", "s", "CPU s", "peak MB", "groups", "most alike compared", "right")


class Counted:
    """CCIP's metric network, and the number of pairs it compared."""

    def __init__(self, folder: Path) -> None:
        self.embedder = CcipEmbedder(write_ccip(folder), device="cpu", threads=1)
        self.pairs = 0

    def among(self, vectors: F32) -> F32:
        self.pairs += len(vectors) ** 2
        return self.embedder.among(vectors)

    def differences(self, first: F32, second: F32) -> F32:
        self.pairs += (len(first) + len(second)) ** 2
        return self.embedder.differences(first, second)


def write_ccip(folder: Path) -> Path:
    """A folder with both graphs; the one that describes pictures takes their mean colour and is not used here."""
    save = _save
    save(
        folder / "model_feat.onnx",
        [
            ("ReduceMean", ["input"], "means", {"axes": [2, 3], "keepdims": 0}),
            ("Tile", ["means", "times"], "output", {}),
        ],
        ["n", 3, SIDE, SIDE], ["n", LENGTH], {"times": np.array([1, LENGTH // 3])},
    )  # fmt: skip
    save(
        folder / "model_metrics.onnx",
        [
            ("LpNormalization", ["input"], "units", {"axis": 1, "p": 2}),
            ("Transpose", ["units"], "turned", {"perm": [1, 0]}),
            ("MatMul", ["units", "turned"], "cosines", {}),
            ("Sub", ["one", "cosines"], "apart", {}),
            ("Mul", ["apart", "half"], "output", {}),
        ],
        ["n", LENGTH], ["n", "n"], {"one": np.array(1, np.float32), "half": np.array(0.5, np.float32)},
    )  # fmt: skip
    return folder


def _save(
    path: Path, nodes: list[tuple[str, list[str], str, dict[str, Any]]], inside: list[Any], outside: list[Any],
    tensors: dict[str, NDArray[Any]],
) -> None:  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output], **more) for kind, inputs, output, more in nodes],
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, inside)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, outside)],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def crowd(count: int, *, seed: int = 7) -> tuple[Vectors, NDArray[np.int64]]:
    """Vectors float16 [count, LENGTH] and who each is, -1 for a stranger. A few people have most of the faces."""
    dice = np.random.default_rng(seed)
    people = max(5, count // PEOPLE_PER)
    who = dice.choice(people, count, p=dice.dirichlet(np.full(people, 0.7)))
    scene = dice.integers(0, np.maximum(1, np.bincount(who, minlength=people)[who] // SCENE))
    who[dice.random(count) < STRANGERS] = -1
    middles = dice.standard_normal((people, LENGTH), np.float32)
    vectors = np.empty((count, LENGTH), np.float16)
    for index in range(count):
        if who[index] < 0:
            vectors[index] = dice.standard_normal(LENGTH, np.float32)
        else:
            of_scene = np.random.default_rng((who[index], scene[index])).standard_normal(LENGTH, np.float32)
            vectors[index] = middles[who[index]] + 0.45 * of_scene + 0.2 * dice.standard_normal(LENGTH, np.float32)
    return vectors, who


def group_neighbours(
    points: Vectors, metric: Counted, report_step: Callable[[str], None]
) -> tuple[NDArray[np.int64], str]:
    """Groups as the stage makes them of many faces."""
    threshold = metric.embedder.threshold
    by = difference_graph.measure_of(points, metric.among)
    blocks = []
    for start in range(0, len(points), difference_graph.BLOCK):
        rows = slice(start, start + difference_graph.BLOCK)
        blocks.append(difference_graph.neighbours_of(points, rows, metric.among, by=by))
    report_step("neighbours")
    graph = difference_graph.graph_of(blocks)
    label = difference_graph.group(points, graph, metric.among, DEFAULTS["optics"], by=by, threshold=threshold)
    report_step("groups")
    proof = difference_graph.proof_of(points, blocks, metric.among, threshold=threshold)
    report_step("proof")
    return label, f"{proof.hits:,} of {proof.true_neighbours:,}"


def row(count: int, method: str) -> dict[str, Any]:
    """One row of the table, and seconds of CPU time by step."""
    points, who = crowd(count)
    with tempfile.TemporaryDirectory() as folder:
        metric = Counted(Path(folder) / "ccip")
        began, processor = time.perf_counter(), time.process_time()
        steps: dict[str, float] = {}

        def report_step(step: str) -> None:
            steps[step] = round(time.process_time() - processor - sum(steps.values()), 1)

        if method == "near":
            label, proof = group_neighbours(points, metric, report_step)
        else:
            label = difference_clustering.group(
                points.astype(np.float32), metric.differences, DEFAULTS["optics"], threshold=metric.embedder.threshold
            )
            proof = "all"
        took, processor = time.perf_counter() - began, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    groups = [np.unique(who[label == group], return_counts=True)[1] for group in np.unique(label[label != NOBODY])]
    right = sum(int(counts.max()) for counts in groups) + int(((label == NOBODY) & (who == -1)).sum())
    values = (f"{count:,}", method, f"{metric.pairs / 1e6:,.0f} million", f"{took:.0f}", f"{processor:.0f}",
              f"{peak:,.0f}", f"{len(groups):,}", proof, f"{right / count:.1%}")  # fmt: skip
    return {"row": values, "steps": steps, "label": label.tolist() if count <= difference_clustering.SQUARE_MAX else []}


def same_groups(first: list[int], second: list[int]) -> bool:
    """Whether both ways made the same groups, whatever their numbers."""
    return len(set(zip(first, second, strict=True))) == len(set(first)) == len(set(second))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="*", default=[2_000, 6_000, 25_000, 100_000])
    parser.add_argument("--row", nargs=2, help="measure one count one way (near, all) and print it as JSON")
    options = parser.parse_args()
    if options.row:
        print(json.dumps(row(int(options.row[0]), options.row[1])))
        return
    rows, notes = [], []
    for count in options.counts:
        labels = {}
        for method in ("near", "all") if count <= difference_clustering.SQUARE_MAX else ("near",):
            command = [sys.executable, "-m", "bench.groups", "--row", str(count), method]
            printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            report_step = json.loads(printed.strip().splitlines()[-1])
            rows.append(report_step["row"])
            print(report_step["row"], report_step["steps"], flush=True)
            labels[method] = report_step["label"]
            if report_step["steps"]:
                notes.append(
                    f"{count:,}: " + ", ".join(f"{name} {value:g}" for name, value in report_step["steps"].items())
                )
        if len(labels) == 2:
            notes.append(f"{count:,}: both ways make {'the same' if same_groups(*labels.values()) else 'OTHER'} groups")
    text = (
        "Vectors of 768 values, OPTICS, a metric network of half of 1 - cosine, the network on one thread. All pairs: "
        f"up to {difference_clustering.SQUARE_MAX:,} faces (tracks). Right: faces with the most frequent person of "
        f"their group, and strangers in none.\n\n{report.table(COLUMNS, rows)}\n\n"
        f"CPU seconds by step. {'; '.join(notes)}."
    )
    report.write("Characters: grouping many faces by CCIP", text)


if __name__ == "__main__":
    main()
