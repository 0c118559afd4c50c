"""PixAI's tagger 0.9 in deepghs' format, with files for preprocessing, thresholds and the series of each character."""

from __future__ import annotations

from pathlib import Path

from annotate.algorithms.tag_rules import Label, Rules
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime.onnx_session import AUTO
from annotate.backends.taggers import label_lists
from annotate.backends.taggers.preprocess_json import read_stages
from annotate.backends.taggers.scorer import (
    MODEL_FILE,
    Described,
    OnnxScorer,
    described,
    file_of,
    open_graph,
    output_of,
)
from ingest import outside_json
from ingest.errors import BadInput

TAGS_FILE, STAGES_FILE, THRESHOLDS_FILE = "selected_tags.csv", "preprocess.json", "thresholds.csv"
THRESHOLD = 0.4  # for a category that the file does not list
SCORES, LOGITS = "prediction", "logits"


def describe(installed: Installed) -> Described:
    """Return labels, rules and identity of the tagger in a folder. Raises BadInput when a file is missing or
    damaged."""
    path, table = file_of(installed, MODEL_FILE), file_of(installed, TAGS_FILE)
    labels = label_lists.read_table(table)
    thresholds = {label.category: THRESHOLD for label in labels if label.name} | _thresholds(
        installed.path / THRESHOLDS_FILE
    )
    rules = Rules(thresholds, inclusive=True, implies=_series(table, labels))
    return described(installed, task="tags", revision="", labels=labels, rules=rules, path=path)


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> OnnxScorer:
    """Open the tagger in a folder; its output `prediction` holds probabilities, `logits` is used only without it."""
    described = describe(installed)
    stages = read_stages(file_of(installed, STAGES_FILE))
    opened, (height, width) = open_graph(described.weights, device=device, threads=threads, nchw=True)
    if height not in (None, stages.spec.height) or width not in (None, stages.spec.width):
        raise BadInput(
            f"{installed.path}: {STAGES_FILE} makes {stages.spec.width} x {stages.spec.height}, the network takes "
            f"{width} x {height}: the two files are of different models. Download both from the same place."
        )
    output = output_of(opened, described.weights, SCORES, LOGITS)
    return OnnxScorer(described, opened, stages, output=output, logits=output == LOGITS)


def _thresholds(path: Path) -> dict[str, float]:
    """Read thresholds by category from a table category,name,threshold; the first row counts. Empty without a file."""
    thresholds: dict[str, float] = {}
    if not path.is_file():
        return thresholds
    for line, row in label_lists.read_rows(path, "category", "threshold"):
        if row is None:
            continue
        try:
            category, threshold = label_lists.NUMBERS.get(int(row["category"]), "meta"), float(row["threshold"])
        except ValueError:
            raise BadInput(f"{path}: row {line} holds no numbers. Download the file again.") from None
        if not 0 <= threshold <= 1:
            raise BadInput(
                f"{path}: row {line}: the threshold {threshold} is not between 0 and 1. Download the file again."
            )
        thresholds.setdefault(category, threshold)
    return thresholds


def _series(table: Path, labels: list[Label]) -> dict[str, tuple[str, ...]]:
    """Read the series by character from the column `ips` (a JSON list); empty without that column."""
    series: dict[str, tuple[str, ...]] = {}
    for label, (line, row) in zip(labels, label_lists.read_rows(table, "name")):
        series_text = (row or {}).get("ips", "").strip()
        if not series_text:
            continue
        try:
            names = outside_json.parsed(series_text)
        except ValueError:
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadInput(
                f"{table}: row {line}: {series_text[:40]!r} is not a list of series. Download the file again."
            )
        where = f"{table}: row {line}"
        if names and label.name:
            series[label.name] = tuple(label_lists.label_of(name, "copyright", where=where).name for name in names)
    return series
