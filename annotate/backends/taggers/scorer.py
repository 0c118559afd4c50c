"""Common base of ONNX taggers and classifiers: an input, one output of scores or logits, labels and rules."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.tag_rules import AcceptedTags, Label, Rules
from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.model_files import weights
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.device import Network, Staged
from annotate.backends.runtime.inputs import InputSpec
from annotate.backends.runtime.onnx_session import AUTO, Opened
from ingest.errors import BadInput

MODEL_FILE = "model.onnx"
SIDE_MAX = 4096  # of a network's input
STRAY = 1e-3  # tolerance of half precision outside 0..1
PREPARE_THREADS = 4
BATCH = 4  # pictures per call of `scores`; larger batches gain nothing on a CPU

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Described:
    """A scorer without its session: all that reading stored answers needs, without loading a network."""

    info: ModelInfo
    labels: tuple[Label, ...]
    rules: Rules
    weights: Path


class Input(Protocol):
    """An InputSpec, or steps that precede one: `spec` is the arithmetic that a device may do."""

    @property
    def spec(self) -> InputSpec: ...

    def fit(self, picture: Picture) -> Picture: ...


class OnnxScorer:
    """A Scorer over one session. `extra` labels have no output: a subclass computes their scores in `completed`."""

    def __init__(
        self, described: Described, opened: Opened, taken: Input | InputSpec, *, output: str, logits: bool = False,
        extra: int = 0,
    ) -> None:  # fmt: skip
        """`logits`: the output needs a sigmoid. Raises BadInput when the graph does not output one score per label."""
        self.info, self.labels, self.rules = described.info, described.labels, described.rules
        self.accepted_tags = AcceptedTags(described.labels, described.rules)
        self.device = opened.device
        self._taken = taken
        self.network = Network(opened, taken if isinstance(taken, InputSpec) else taken.spec)
        self._path, self._output, self._logits = described.weights, output, logits
        self._outputs = len(described.labels) - extra
        shape = next(graph_output.shape for graph_output in opened.session.get_outputs() if graph_output.name == output)
        if len(shape) != 2:
            raise BadInput(f"{described.weights}: not a tagger or classifier: its output is {shape}, not [n, labels].")
        if isinstance(shape[1], int):
            self._check_count(shape[1])

    @property
    def fitting(self) -> Input | InputSpec:
        """Return what prepares pictures; it can be sent to a decoding process."""
        return self._taken

    def fit(self, picture: Picture) -> Picture:
        """Prepare a picture as the bytes [h, w, 3] for the device."""
        return self._taken.fit(picture)

    def answer(self, batch: Picture | Staged, sizes: Sequence[tuple[int, int]]) -> list[Scores]:
        """Return the scores [labels] (0 to 1) per picture. Raises BadInput when the output is not scores."""
        return self.answers_of(self.computed(batch), sizes)

    def computed(self, batch: Picture | Staged) -> Any:
        """Run the network and return its raw output. This part runs on the device."""
        return self.network.run(batch, [self._output])[0]

    def answers_of(self, raw: Any, sizes: Sequence[tuple[int, int]]) -> list[Scores]:
        """Convert raw output to scores. This part runs on the CPU."""
        return list(self.completed(self.scored(np.asarray(raw, np.float32))))

    def scores(self, pictures: Sequence[Picture]) -> Scores:
        """Compute scores [n, labels] of pictures, fitted in threads: for tools without a reader."""
        rows: list[Scores] = []
        with ThreadPoolExecutor(PREPARE_THREADS) as pool:
            for start in range(0, len(pictures), BATCH):
                part = pictures[start : start + BATCH]
                rows += self.answer(
                    np.stack(list(pool.map(self.fit, part))), [picture.shape[1::-1] for picture in part]
                )
        return np.stack(rows) if rows else np.zeros((0, len(self.labels)), np.float32)

    def scored(self, raw: Scores) -> Scores:
        """Convert raw output to probabilities [n, outputs]. Raises BadInput when it cannot be this family's output."""
        if raw.ndim != 2:
            raise BadInput(f"{self._path}: the network's output is {list(raw.shape)}, not [n, labels].")
        self._check_count(raw.shape[1])
        if not raw.size:
            return raw
        low, high = float(raw.min()), float(raw.max())  # NaN, if there is one
        if self._logits:
            if not (np.isfinite(low) and np.isfinite(high)):
                raise BadInput(f"{self._path}: the network's output holds values that are not numbers. {_GET_AGAIN}")
            if low >= 0 and high <= 1 and raw.size > 1:
                raise BadInput(f"{self._path}: the network's output is probabilities instead of logits. {_GET_AGAIN}")
            return sigmoid(raw)
        if not (low >= -STRAY and high <= 1 + STRAY):
            raise BadInput(
                f"{self._path}: the network's scores range from {low:.3g} to {high:.3g}, not from 0 to 1: these are "
                f"logits, or the file is damaged. {_GET_AGAIN}"
            )
        return raw if low >= 0 and high <= 1 else np.clip(raw, 0, 1)

    def completed(self, scores: Scores) -> Scores:
        """Append the scores of labels that have no output: [n, labels]."""
        return scores

    def _check_count(self, outputs: int) -> None:
        if outputs != self._outputs:
            raise BadInput(
                f"{self._path.parent}: {self._outputs} labels are listed, but the network outputs "
                f"{outputs}: the two files are of different models. Download both from the same place."
            )


_GET_AGAIN = "Download the model's files again, all from the same place."


def described(
    installed: Installed, *, task: str, revision: str, labels: Sequence[Label], rules: Rules, path: Path
) -> Described:
    """Describe an installed model without loading it; the card's revision and licence take precedence."""
    info = ModelInfo(
        task=task,
        name=installed.name,
        revision=str(installed.card.get("revision") or revision),
        sha256=weights.sha256_of(path),
        licence=str(installed.card.get("licence") or ""),
    )
    return Described(info, tuple(labels), rules, path)


def file_of(installed: Installed, *names: str) -> Path:
    """Return the first of these files that a model's folder holds. Raises BadInput if there is none."""
    for name in names:
        if (installed.path / name).is_file():
            return installed.path / name
    raise BadInput(f"{installed.path / names[0]} is missing. Download the model {installed.name} again.")


def open_graph(
    path: Path, *, device: str = AUTO, threads: int = 0, nchw: bool
) -> tuple[Opened, tuple[int | None, int | None]]:
    """Open a graph; return the session and the (height, width) of its picture input, None where any size works."""
    opened = onnx_session.open_session(path, threads=threads, device=device)
    shapes = [graph_input.shape for graph_input in opened.session.get_inputs()]
    if len(shapes) != 1 or len(shapes[0]) != 4 or _other(shapes[0][1 if nchw else 3], 3):
        form = "[n, 3, height, width]" if nchw else "[n, height, width, 3]"
        raise BadInput(f"{path}: a different type of model: it takes {shapes}, not one {form}.")
    sides = shapes[0][2:] if nchw else shapes[0][1:3]
    height, width = (graph_input if isinstance(graph_input, int) and graph_input > 0 else None for graph_input in sides)
    if max(height or 0, width or 0) > SIDE_MAX:
        raise BadInput(f"{path}: this network takes {width} x {height} pixels; the limit is {SIDE_MAX} per side.")
    return opened, (height, width)


def _other(side: object, expected: int) -> bool:
    return isinstance(side, int) and side != expected


def output_of(opened: Opened, path: Path, *names: str) -> str:
    """Return the first of these outputs that the graph has, or its first if no name is given. Raises BadInput
    otherwise."""
    has = [graph_output.name for graph_output in opened.session.get_outputs()]
    for name in names or has[:1]:
        if name in has:
            return name
    raise BadInput(f"{path}: a different type of model: its outputs are {', '.join(has)}, not {' or '.join(names)}.")


def sigmoid(values: Scores) -> Scores:
    """Compute 1 / (1 + exp(-x)) without overflow."""
    wide = values.astype(np.float64)
    small = np.exp(-np.abs(wide))
    return np.where(wide >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def option(installed: Installed, name: str, default: Any) -> Any:
    """Return a setting of the model's card, from its `options`, else from the card itself."""
    options = installed.card.get("options")
    return (options if isinstance(options, dict) else {}).get(name, installed.card.get(name, default))
