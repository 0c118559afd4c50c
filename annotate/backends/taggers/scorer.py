"""What all taggers and classifiers in ONNX share: an input, one output of scores or logits, labels and rules."""

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
SIDE_MAX = 4096  # of the pictures that a network takes
STRAY = 1e-3  # half precision may leave 0..1 by so much
PREPARE_THREADS = 4
BATCH = 4  # pictures a call of `scores`; larger ones gain nothing on a processor

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Described:
    """All of a scorer but its session: what reading its stored answers needs, known without loading a network."""

    info: ModelInfo
    labels: tuple[Label, ...]
    rules: Rules
    weights: Path


class Input(Protocol):
    """An InputSpec, or steps before one: `spec` is the arithmetic that a device may do."""

    @property
    def spec(self) -> InputSpec: ...

    def fit(self, picture: Picture) -> Picture: ...


class OnnxScorer:
    """A Scorer over one session. `extra` labels have no output: a subclass makes their scores in `completed`."""

    def __init__(
        self, told: Described, opened: Opened, taken: Input | InputSpec, *, output: str, logits: bool = False,
        extra: int = 0,
    ) -> None:  # fmt: skip
        """`logits`: the output needs a sigmoid. BadInput when the graph does not give one score a label."""
        self.info, self.labels, self.rules = told.info, told.labels, told.rules
        self.reading = AcceptedTags(told.labels, told.rules)
        self.device = opened.device
        self._taken = taken
        self.network = Network(opened, taken if isinstance(taken, InputSpec) else taken.spec)
        self._path, self._output, self._logits = told.weights, output, logits
        self._outputs = len(told.labels) - extra
        shape = next(graph_output.shape for graph_output in opened.session.get_outputs() if graph_output.name == output)
        if len(shape) != 2:
            raise BadInput(
                f"{told.weights}: this ONNX file is no tagger or classifier: it gives {shape}, not [n, labels]."
            )
        if isinstance(shape[1], int):
            self._check_count(shape[1])

    @property
    def fitting(self) -> Input | InputSpec:
        """What fits pictures, and can be sent to a process that reads them."""
        return self._taken

    def fit(self, picture: Picture) -> Picture:
        """The bytes [h, w, 3] that go to the device."""
        return self._taken.fit(picture)

    def answer(self, batch: Picture | Staged, sizes: Sequence[tuple[int, int]]) -> list[Scores]:
        """Scores [labels] (0 to 1) of each picture; BadInput when the network gives anything but scores."""
        return self.said(self.computed(batch), sizes)

    def computed(self, batch: Picture | Staged) -> Any:
        """What the network gives: the device's part of an answer."""
        return self.network.run(batch, [self._output])[0]

    def said(self, raw: Any, sizes: Sequence[tuple[int, int]]) -> list[Scores]:
        """The processor's part of an answer."""
        return list(self.completed(self.scored(np.asarray(raw, np.float32))))

    def scores(self, pictures: Sequence[Picture]) -> Scores:
        """Scores [n, labels] of pictures, fitted in threads: for tools that have no reader of their own."""
        rows: list[Scores] = []
        with ThreadPoolExecutor(PREPARE_THREADS) as pool:
            for start in range(0, len(pictures), BATCH):
                part = pictures[start : start + BATCH]
                rows += self.answer(
                    np.stack(list(pool.map(self.fit, part))), [picture.shape[1::-1] for picture in part]
                )
        return np.stack(rows) if rows else np.zeros((0, len(self.labels)), np.float32)

    def scored(self, raw: Scores) -> Scores:
        """Probabilities [n, outputs] of the raw output; BadInput when it cannot be what this family gives."""
        if raw.ndim != 2:
            raise BadInput(f"{self._path}: the network gave {list(raw.shape)}, not [n, labels].")
        self._check_count(raw.shape[1])
        if not raw.size:
            return raw
        low, high = float(raw.min()), float(raw.max())  # NaN, if there is one
        if self._logits:
            if not (np.isfinite(low) and np.isfinite(high)):
                raise BadInput(f"{self._path}: the network gave values that are no numbers. {_GET_AGAIN}")
            if low >= 0 and high <= 1 and raw.size > 1:
                raise BadInput(
                    f"{self._path}: the network gave probabilities where its kind gives logits. {_GET_AGAIN}"
                )
            return sigmoid(raw)
        if not (low >= -STRAY and high <= 1 + STRAY):
            raise BadInput(
                f"{self._path}: the network gave scores from {low:.3g} to {high:.3g}, not from 0 to 1: these are "
                f"logits, or the file is damaged. {_GET_AGAIN}"
            )
        return raw if low >= 0 and high <= 1 else np.clip(raw, 0, 1)

    def completed(self, scores: Scores) -> Scores:
        """Scores [n, labels] with those of labels that are no output."""
        return scores

    def _check_count(self, outputs: int) -> None:
        if outputs != self._outputs:
            raise BadInput(
                f"{self._path.parent}: {self._outputs} labels are listed, but the network beside the list gives "
                f"{outputs}: the two files are of different models. Download both from the same place."
            )


_GET_AGAIN = "Get the model's files again, all from the same place."


def described(
    found: Installed, *, task: str, revision: str, labels: Sequence[Label], rules: Rules, path: Path
) -> Described:
    """What is known of an installed model without loading it; the card's revision and licence go first."""
    info = ModelInfo(
        task=task,
        name=found.name,
        revision=str(found.card.get("revision") or revision),
        sha256=weights.sha256_of(path),
        licence=str(found.card.get("licence") or ""),
    )
    return Described(info, tuple(labels), rules, path)


def file_of(found: Installed, *names: str) -> Path:
    """The first of these files in a model's folder; BadInput names the one that is missing."""
    for name in names:
        if (found.path / name).is_file():
            return found.path / name
    raise BadInput(f"{found.path / names[0]} is missing. Get the model {found.name} again.")


def open_graph(
    path: Path, *, device: str = AUTO, threads: int = 0, nchw: bool
) -> tuple[Opened, tuple[int | None, int | None]]:
    """The session, and the (height, width) that its one picture input asks for: None where any will do."""
    opened = onnx_session.open_session(path, threads=threads, device=device)
    shapes = [graph_input.shape for graph_input in opened.session.get_inputs()]
    if len(shapes) != 1 or len(shapes[0]) != 4 or _other(shapes[0][1 if nchw else 3], 3):
        form = "[n, 3, height, width]" if nchw else "[n, height, width, 3]"
        raise BadInput(f"{path}: this ONNX file is of another kind: it takes {shapes}, not one {form}.")
    sides = shapes[0][2:] if nchw else shapes[0][1:3]
    height, width = (graph_input if isinstance(graph_input, int) and graph_input > 0 else None for graph_input in sides)
    if max(height or 0, width or 0) > SIDE_MAX:
        raise BadInput(f"{path}: this network takes {width} x {height} pixels; at most {SIDE_MAX} a side can be given.")
    return opened, (height, width)


def _other(side: object, wanted: int) -> bool:
    return isinstance(side, int) and side != wanted


def output_of(opened: Opened, path: Path, *names: str) -> str:
    """The first of these outputs that the graph has, or its first one when no name is given; BadInput otherwise."""
    has = [graph_output.name for graph_output in opened.session.get_outputs()]
    for name in names or has[:1]:
        if name in has:
            return name
    raise BadInput(f"{path}: this ONNX file is of another kind: it gives {', '.join(has)}, not {' or '.join(names)}.")


def sigmoid(values: Scores) -> Scores:
    """1 / (1 + exp(-x)), without overflow."""
    wide = values.astype(np.float64)
    small = np.exp(-np.abs(wide))
    return np.where(wide >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def option(found: Installed, name: str, default: Any) -> Any:
    """A setting of the model's card: its `options`, else the card itself."""
    options = found.card.get("options")
    return (options if isinstance(options, dict) else {}).get(name, found.card.get(name, default))
