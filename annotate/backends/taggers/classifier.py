"""Classifiers of complete pictures in deepghs' format: `model.onnx`, `meta.json` with labels, optionally
`preprocess.json`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.tag_rules import Label, Rules
from annotate.backends.model_files import formats
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime.inputs import InputSpec, Resample
from annotate.backends.runtime.onnx_session import AUTO
from annotate.backends.taggers import label_lists
from annotate.backends.taggers.preprocess_json import Stages, read_stages
from annotate.backends.taggers.scorer import (
    MODEL_FILE,
    Described,
    OnnxScorer,
    Scores,
    described,
    file_of,
    open_graph,
    option,
    output_of,
)
from ingest.errors import BadInput

META_FILE, STAGES_FILE, SAMPLES_FILE = "meta.json", "preprocess.json", "samples.npz"
SIDE = 384  # for a network that takes any size
HALF = (0.5, 0.5, 0.5)
WORD = re.compile(r"[a-z0-9][a-z0-9_]{0,30}")
# Subjects of known classifiers, for a folder without a card.
SUBJECTS = {
    frozenset({"3d", "bangumi", "comic", "illustration", "not_painting"}): "class",
    frozenset({"safe", "r15", "r18"}): "rating",
    frozenset({"monochrome", "normal"}): "monochrome",
    frozenset({"vision", "imagery", "halfbody", "face"}): "character_type",
}
AESTHETIC = ("worst", "low", "normal", "good", "great", "best", "masterpiece")
LADDER = (
    (0.95, "masterpiece"), (0.85, "best"), (0.75, "great"), (0.5, "good"), (0.25, "normal"), (0.1, "low"),
    (0.0, "worst"),
)  # fmt: skip
CLASSES = "aesthetic_class"  # category of its seven outputs, which are never accepted as tags


def describe(installed: Installed) -> Described:
    """Return labels, rules and identity of a classifier; its best label is accepted, as "subject:label"."""
    labels = _labels(installed)
    subject = _subject(installed, labels)
    where = str(installed.path / META_FILE)
    label_list = [label_lists.label_of(name, subject, where=where) for name in labels]
    rules = Rules(one_of=frozenset({subject}))
    return described(
        installed, task="class", revision="", labels=label_list, rules=rules, path=file_of(installed, MODEL_FILE)
    )


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> OnnxScorer:
    """Open a classifier. Input by its `preprocess.json`, else white background, stretched, bilinear,
    (x / 255 - 0.5) / 0.5, [n, 3, h, w]."""
    described = describe(installed)
    opened, size = open_graph(described.weights, device=device, threads=threads, nchw=True)
    return OnnxScorer(described, opened, _input(installed, size), output=output_of(opened, described.weights, "output"))


def describe_aesthetic(installed: Installed) -> Described:
    """Describe the seven classes and, as the last label, the percentile of the picture, which gives its tag."""
    names = _labels(installed)
    if tuple(names) != AESTHETIC:
        raise BadInput(
            f"{installed.path / META_FILE} lists {', '.join(names)}, not {', '.join(AESTHETIC)}: another model."
        )
    labels = [*(Label(name, CLASSES) for name in names), Label("percentile", "aesthetic")]
    rules = Rules(ladders={"aesthetic": LADDER})
    return described(
        installed, task="class", revision="", labels=labels, rules=rules, path=file_of(installed, MODEL_FILE)
    )


def open_aesthetic(installed: Installed, *, device: str = AUTO, threads: int = 0) -> AestheticScorer:
    """Open the aesthetic classifier of a folder with SAMPLES_FILE. Raises BadInput when a file is missing or
    damaged."""
    described = describe_aesthetic(installed)
    curve = read_samples(file_of(installed, SAMPLES_FILE))
    opened, size = open_graph(described.weights, device=device, threads=threads, nchw=True)
    output = output_of(opened, described.weights, "output")
    return AestheticScorer(described, opened, _input(installed, size), output=output, curve=curve)


class AestheticScorer(OnnxScorer):
    """Adds the percentile of the picture's mean class to the probabilities of the seven classes."""

    def __init__(self, *args: Any, curve: NDArray[np.float64], **values: Any) -> None:
        super().__init__(*args, extra=1, **values)
        self._curve = curve

    def completed(self, scores: Scores) -> Scores:
        heights = [percentile(mean_class(row), self._curve) for row in scores]
        return np.concatenate([scores, np.array(heights, np.float32).reshape(-1, 1)], axis=1)


def mean_class(scores: Scores) -> float:
    """Sum of i * p_i over the seven classes: 0 (worst) to 6 (masterpiece)."""
    return float((scores[: len(AESTHETIC)].astype(np.float64) * np.arange(len(AESTHETIC))).sum())


def percentile(score: float, curve: NDArray[np.float64]) -> float:
    """Return the share of drawings below a score, by a curve [2, n] of scores and shares, as in imgutils.

    Interpolates linearly from the first sample that is not below the score to the next; clipped to the samples.
    """
    x, y = curve
    index = int(np.searchsorted(x, np.clip(score, x.min(), x.max())))
    if index >= len(x) - 1 or np.isclose(x[index + 1], x[index]):
        return float(y[min(index, len(y) - 1)])
    slope = (y[index + 1] - y[index]) / (x[index + 1] - x[index])
    return float(np.clip((score - x[index]) * slope + y[index], y.min(), y.max()))


def read_samples(path: Path) -> NDArray[np.float64]:
    """Read the curve [2, n] of a samples.npz; nothing is ever unpickled. Raises BadInput when it is invalid."""
    formats.check_arrays(path, str(path))
    try:
        with np.load(path, allow_pickle=False) as stored:
            curve = np.asarray(stored["arr_0"], np.float64)
    except formats.NO_ARRAYS as error:
        raise BadInput(f"{path}: the samples cannot be read ({error}). Download the file again.") from error
    good = curve.ndim == 2 and curve.shape[0] == 2 and curve.shape[1] > 1 and bool(np.isfinite(curve).all())
    if not good or (np.diff(curve[0]) < 0).any() or curve[1].min() < 0 or curve[1].max() > 1:
        raise BadInput(f"{path}: the samples are not a curve of rising scores and shares. Download the file again.")
    return curve


def _labels(installed: Installed) -> list[str]:
    path = file_of(installed, META_FILE)
    labels = label_lists.read_object(path).get("labels")
    if not isinstance(labels, list) or not labels or not all(isinstance(name, str) for name in labels):
        raise BadInput(f"{path} must hold a list `labels`. Download the file again.")
    return labels


def _subject(installed: Installed, labels: list[str]) -> str:
    """Return the tag prefix before the colon: the card's `prefix`, the subject of known labels, or the folder's
    name."""
    subject = str(option(installed, "prefix", "")) or SUBJECTS.get(frozenset(labels), "")
    subject = subject or re.sub(r"[^a-z0-9]+", "_", installed.name.lower()).strip("_")[:31]
    if not WORD.fullmatch(subject):
        raise BadInput(f"{installed.path}: {subject!r} cannot begin a tag: lower-case letters, digits and _ only.")
    return subject


def _input(installed: Installed, size: tuple[int | None, int | None]) -> Stages | InputSpec:
    if (installed.path / STAGES_FILE).is_file():
        return read_stages(installed.path / STAGES_FILE)
    height, width = size
    if height is None or width is None:
        height = width = SIDE
    return InputSpec(width, height, resample=Resample.BILINEAR, mean=HALF, std=HALF)
