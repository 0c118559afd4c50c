"""CCIP: embeds pictures of one character; a second network computes the difference of two vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.difference_clustering import BLOCK, DEFAULTS, Clustering
from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.model_files import weights
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.device import Batch, Network
from annotate.backends.runtime.inputs import Fit, InputSpec, Resample
from annotate.backends.runtime.onnx_session import AUTO
from ingest import outside_json
from ingest.errors import BadInput

FEATURES_FILE, METRIC_FILE, METRICS, CLUSTERINGS = (
    "model_feat.onnx", "model_metrics.onnx", "metrics.json", "cluster.json",
)  # fmt: skip
LENGTH, SIDE = 768, 384
LARGEST = float(np.finfo(np.float16).max)  # vectors are stored with 2 bytes per value
THRESHOLDS = {  # as published; other models use the default model's
    "ccip-caformer-24-randaug-pruned": 0.178475,
    "ccip-caformer-6-randaug-pruned_fp32": 0.195122,
    "ccip-caformer-5_fp32": 0.183973,
}
DEFAULT_NAME = "ccip-caformer-24-randaug-pruned"
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
BATCH, BATCH_GPU = 4, 32
IN_FILE = {"dbscan_2": "dbscan_2", "dbscan_free": "dbscan_free", "optics_best": "optics"}  # by their keys there
SMALL_FILE, NUMBER_MAX = 65_536, 1e6


class CcipMetric:
    """The network of a CCIP folder that compares vectors; `threshold` is the largest difference within one
    character."""

    length = LENGTH

    def __init__(self, folder: Path, *, threads: int = 0, device: str = AUTO) -> None:
        """Raises BadInput when a file is missing, damaged or not CCIP."""
        for path in (folder / FEATURES_FILE, folder / METRIC_FILE):
            if not path.is_file():
                raise BadInput(f"{path} is missing. CCIP needs {FEATURES_FILE} and {METRIC_FILE} in one folder.")
        self._metric_path = folder / METRIC_FILE
        self._metric = onnx_session.open_session(self._metric_path, threads=threads, device=device)
        _check(self._metric, self._metric_path, rank=2)
        self.threshold = _threshold(folder)

    def differences(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the differences float32 [n, m] of vectors [n, LENGTH] and [m, LENGTH]; 0 means the same character.

        The metric network compares a list with itself, so blocks of both lists are run together and the differences
        within each block are discarded; memory is bounded by one block.
        """
        differences = np.zeros((len(first), len(second)), np.float32)
        for row in range(0, len(first), BLOCK):
            above = first[row : row + BLOCK]
            for column in range(0, len(second), BLOCK):
                block = second[column : column + BLOCK]
                answer = self.among(np.concatenate([above, block]))
                differences[row : row + BLOCK, column : column + BLOCK] = answer[: len(above), len(above) :]
        return differences

    def among(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute all differences float32 [n, n] of vectors [n, LENGTH] in one call: keep the list short."""
        both = vectors.astype(np.float32)
        try:
            answer = self._metric.session.run(None, {self._metric.session.get_inputs()[0].name: both})[0]
        except onnx_session.RUN_ERRORS as error:
            why = onnx_session.first_line(error)
            raise BadInput(f"{self._metric_path}: running this network failed ({why}). Download it again.") from error
        if answer.shape != (len(both), len(both)):
            raise BadInput(f"{self._metric_path}: not a network that compares vectors: its output is {answer.shape}.")
        if not np.isfinite(answer).all():
            raise BadInput(f"{self._metric_path}: the output holds values that are not numbers. Download it again.")
        return np.asarray(answer, np.float32)

    @staticmethod
    def pack(vector: NDArray[np.float32]) -> bytes:
        """Pack a vector into 2 bytes per value."""
        return vector.astype("<f2").tobytes()

    @staticmethod
    def unpack(stored: Sequence[bytes | memoryview]) -> NDArray[np.float32]:
        """Unpack vectors to float32 [n, LENGTH]. Raises ValueError when one has a different length."""
        wrong = next((len(data) for data in stored if len(data) != 2 * LENGTH), None)
        if wrong is not None:
            raise ValueError(f"a stored vector has {wrong} bytes instead of {2 * LENGTH}")
        return np.frombuffer(b"".join(stored), "<f2").astype(np.float32).reshape(-1, LENGTH)


class CcipEmbedder(CcipMetric):
    """CCIP from a folder with both graphs."""

    def __init__(
        self, folder: Path, *, revision: str = "", licence: str = "", threads: int = 0, device: str = AUTO
    ) -> None:
        """Raises BadInput when a file is missing, damaged or not CCIP."""
        super().__init__(folder, threads=threads, device=device)
        features, metric = folder / FEATURES_FILE, folder / METRIC_FILE
        self.spec = InputSpec(SIDE, SIDE, Fit.STRETCH, Resample.BILINEAR, mean=CLIP_MEAN, std=CLIP_STD)
        opened = onnx_session.open_session(features, threads=threads, device=device)
        _check(opened, features, rank=4)
        self.network = Network(opened, self.spec)
        self._batch = BATCH_GPU if opened.on_gpu else BATCH
        self._features = features
        self.clusterings = _clusterings(folder / CLUSTERINGS, self.threshold)
        self.device = opened.device
        self.info = ModelInfo(
            task="embedding",
            name=folder.name,
            revision=revision,
            sha256=weights.sha256_of(features),
            licence=licence,
            settings={"threshold": self.threshold, "metric_sha256": weights.sha256_of(metric)},
        )

    def fit(self, picture: Picture) -> Picture:
        """Stretch a picture to bytes [SIDE, SIDE, 3], ignoring its aspect ratio."""
        return self.spec.fit(picture)

    def answer(self, batch: Batch, sizes: Sequence[tuple[int, int]]) -> list[NDArray[np.float32]]:
        """Return one vector [LENGTH] per picture for fitted bytes [n, SIDE, SIDE, 3]."""
        return list(self._vectors(batch))

    def embed(self, crops: Sequence[Picture]) -> NDArray[np.float32]:
        """Return the vectors float32 [n, LENGTH] of crops of one character each, in order."""
        rows = [np.zeros((0, LENGTH), np.float32)]
        for start in range(0, len(crops), self._batch):
            rows.append(self._vectors(np.stack([self.fit(crop) for crop in crops[start : start + self._batch]])))
        return np.concatenate(rows)

    def _vectors(self, batch: Batch) -> NDArray[np.float32]:
        vectors = np.asarray(self.network.run(batch)[0], np.float32)
        if vectors.shape != (len(batch), LENGTH):
            raise BadInput(f"{self._features}: not a CCIP network: its output is {vectors.shape}, not [n, {LENGTH}].")
        if not (np.abs(vectors) <= LARGEST).all():  # also true for NaN
            raise BadInput(f"{self._features}: the vectors hold values that are not numbers. Download the model again.")
        return vectors


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> CcipEmbedder:
    """Open the model in a folder of the models folder."""
    return CcipEmbedder(
        installed.path,
        revision=str(installed.card.get("revision", "")),
        licence=str(installed.card.get("licence", "")),
        device=device,
        threads=threads,
    )


def open_metric(installed: Installed, *, device: str = AUTO, threads: int = 0) -> CcipMetric:
    """Open the network that compares vectors, without the one that computes them."""
    return CcipMetric(installed.path, device=device, threads=threads)


def _check(opened: onnx_session.Opened, path: Path, *, rank: int) -> None:
    shapes = [graph_input.shape for graph_input in opened.session.get_inputs()]
    if len(shapes) != 1 or len(shapes[0]) != rank:
        raise BadInput(f"{path}: not part of CCIP: it takes {shapes}, not one of {rank} dimensions.")


def _threshold(folder: Path) -> float:
    path, usual = folder / METRICS, THRESHOLDS.get(folder.name, THRESHOLDS[DEFAULT_NAME])
    parsed = _json(path)
    value = parsed.get("threshold", usual) if isinstance(parsed, dict) else usual
    if not _positive(value):
        raise BadInput(f"{path}: the threshold must be a number above 0, not {value!r}. Download the model again.")
    return float(value)


def _clusterings(path: Path, threshold: float) -> dict[str, Clustering]:
    """Clustering presets by name: two are fixed, the others use the parameters in the model's file."""
    clusterings = DEFAULTS | {"dbscan": Clustering("dbscan", threshold, DEFAULTS["dbscan"].min_samples)}
    parsed = _json(path)
    for name, key in IN_FILE.items() if isinstance(parsed, dict) else ():
        row = parsed.get(key)
        if isinstance(row, dict) and _positive(row.get("eps")) and _positive(row.get("min_samples")):
            clusterings[name] = Clustering(clusterings[name].method, float(row["eps"]), max(2, int(row["min_samples"])))
    return clusterings


def _json(path: Path) -> Any:
    """Read a small JSON file; None if it is missing."""
    if not path.is_file():
        return None
    try:
        return outside_json.read(path, bytes_max=SMALL_FILE)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}. Download the model again.") from error


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= NUMBER_MAX
