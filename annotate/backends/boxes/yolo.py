"""The deepghs detectors (faces, heads, persons, half bodies, hands, eyes) and any other YOLO or RT-DETR export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import yolo_answers
from annotate.algorithms.boxes import areas
from annotate.algorithms.tag_rules import Label
from annotate.algorithms.yolo_answers import Objects
from annotate.backends.contract import Detections, ModelInfo, Picture
from annotate.backends.model_files import weights
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime import onnx_metadata, onnx_session
from annotate.backends.runtime.device import Batch, Network
from annotate.backends.runtime.inputs import Fit, InputSpec, Resample
from annotate.backends.runtime.onnx_session import AUTO
from ingest import outside_json
from ingest.errors import BadInput

MODEL_FILE, TYPE_FILE = "model.onnx", "model_type.json"
TYPES = ("yolo", "rtdetr")
MULTIPLE = 32  # the strides of these networks go up to 32 pixels
SMALL_FILE = 65_536


@dataclass(frozen=True, slots=True)
class Kind:
    """Published thresholds of a detector type; `start` is the prefix of its models' names."""

    start: str
    threshold: float
    overlap: float


KINDS = (  # the first match wins; defaults of imgutils' functions
    Kind("face_detect_", 0.25, 0.7),
    Kind("head_detect_v0_", 0.3, 0.7),
    Kind("head_detect_", 0.4, 0.7),
    Kind("person_detect_", 0.3, 0.5),
    Kind("halfbody_detect_", 0.5, 0.7),
    Kind("hand_detect_", 0.35, 0.7),
    Kind("eye_detect_", 0.3, 0.3),
    Kind("censor_detect_", 0.3, 0.7),
)
ANY_KIND = Kind("", 0.25, 0.7)


def kind_of(name: str) -> Kind:
    """Return the published thresholds for a model of this name."""
    return next((kind for kind in KINDS if name.startswith(kind.start)), ANY_KIND)


class YoloBoxes:
    """A detector from a folder with MODEL_FILE and, for RT-DETR, TYPE_FILE. Also a FaceDetector if it detects faces.

    `dynamic` prepares pictures as imgutils did up to 0.2: shrunk to the network's size with their aspect ratio kept,
    sides rounded up to a multiple of 32; otherwise they are stretched to that size.
    """

    def __init__(
        self,
        folder: Path,
        *,
        task: str = "boxes",
        threshold: float | None = None,
        overlap: float | None = None,
        dynamic: bool = False,
        revision: str = "",
        licence: str = "",
        threads: int = 0,
        device: str = AUTO,
    ) -> None:
        """Raises BadInput when a file is missing or damaged, or the graph is not such a detector."""
        path = folder / MODEL_FILE
        if not path.is_file():
            raise BadInput(f"{path} is missing. A detector needs {MODEL_FILE} in a folder of its own.")
        self._path, self._rtdetr = path, _model_type(folder / TYPE_FILE) == "rtdetr"
        opened = onnx_session.open_session(path, threads=threads, device=device)
        about = opened.session.get_modelmeta().custom_metadata_map
        if "names" not in about:
            raise BadInput(f"{path}: not a YOLO detector: its metadata has no label `names`.")
        self.names = onnx_metadata.names(path, about["names"])
        self.labels = tuple(Label(name, "object") for name in self.names)
        width, height = onnx_metadata.picture_size(path, about.get("imgsz"))
        _check_input(opened.session, path, dynamic=dynamic, size=(width, height))
        fit = Fit.MULTIPLE if dynamic else Fit.STRETCH
        self.network = Network(opened, InputSpec(width, height, fit, Resample.BICUBIC, multiple=MULTIPLE))
        kind = kind_of(folder.name)
        self.threshold = kind.threshold if threshold is None else threshold
        self.overlap = kind.overlap if overlap is None else overlap
        self.device = opened.device
        self.info = ModelInfo(
            task=task,
            name=folder.name,
            revision=f"{revision} dynamic".strip() if dynamic else revision,
            sha256=weights.sha256_of(path),
            licence=licence,
            settings={"threshold": self.threshold, "overlap": self.overlap, "dynamic": dynamic},
        )

    @property
    def fitting(self) -> InputSpec:
        """Return what prepares pictures; it can be sent to a decoding process."""
        return self.network.spec

    def fit(self, picture: Picture) -> Picture:
        """Prepare a picture as bytes [h, w, 3]; with `dynamic` their size follows the picture's, so that a batch holds
        pictures of one size."""
        return self.network.spec.fit(picture)

    def answer(self, batch: Batch, sizes: Sequence[tuple[int, int]]) -> list[Objects]:
        """Detect the objects of each picture; `sizes` are the (width, height) of the pictures. Raises BadInput when the
        network's output has an unexpected shape."""
        return self.answers_of(self.computed(batch), sizes)

    def computed(self, batch: Batch) -> tuple[NDArray[Any], tuple[int, int]]:
        """Run the network: its raw output and the (width, height) of its input. This part runs on the device."""
        return self.network.run(batch, self.network.outputs[:1])[0], (batch.shape[2], batch.shape[1])

    def answers_of(self, raw: tuple[NDArray[Any], tuple[int, int]], sizes: Sequence[tuple[int, int]]) -> list[Objects]:
        """Decode the raw output into objects. This part runs on the CPU."""
        outputs, fed = raw
        if outputs.ndim != 3:
            raise BadInput(f"{self._path}: not a YOLO detector: its output is {outputs.shape}.")
        objects = []
        for output, size in zip(np.asarray(outputs, np.float32), sizes, strict=True):
            try:
                objects.append(self._read(output, fed, size))
            except ValueError as error:
                raise BadInput(
                    f"{self._path}: not a detector of {len(self.names)} labels: {error}. Download it again."
                ) from error
        return objects

    def _read(self, output: NDArray[np.float32], fed: tuple[int, int], size: tuple[int, int]) -> Objects:
        return yolo_answers.read(
            output,
            yolo_answers.form_of(output.shape, rtdetr=self._rtdetr),
            classes=len(self.names),
            threshold=self.threshold,
            overlap=self.overlap,
            fed=fed,
            size=size,
        )

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """Detect the boxes of each picture, of any label, best score first."""
        fitted = [self.fit(picture) for picture in pictures]
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, fitted_picture in enumerate(fitted):
            by_shape.setdefault(fitted_picture.shape, []).append(index)
        detections: dict[int, Detections] = {}
        for places in by_shape.values():
            sizes = [(pictures[index].shape[1], pictures[index].shape[0]) for index in places]
            answers = self.answer(np.stack([fitted[index] for index in places]), sizes)
            for index, objects in zip(places, answers):
                seen = areas(objects.boxes) > 0  # rounding may reduce a tiny box to nothing
                detections[index] = Detections(objects.boxes[seen], objects.scores[seen])
        return [detections[index] for index in range(len(pictures))]


def open_installed(
    installed: Installed,
    *,
    device: str = AUTO,
    threads: int = 0,
    threshold: float | None = None,
    overlap: float | None = None,
    dynamic: bool = False,
) -> YoloBoxes:
    """Open the detector in a folder of the models folder; confidence and overlap default to those of its card."""
    card_options = installed.card.get("options")
    card_options = card_options if isinstance(card_options, dict) else {}
    return YoloBoxes(
        installed.path,
        task=installed.task,
        threshold=_share(installed, card_options, "confidence") if threshold is None else threshold,
        overlap=_share(installed, card_options, "overlap") if overlap is None else overlap,
        dynamic=dynamic or card_options.get("dynamic") is True,
        revision=str(installed.card.get("revision", "")),
        licence=str(installed.card.get("licence", "")),
        device=device,
        threads=threads,
    )


def _share(installed: Installed, options: dict[str, Any], name: str) -> float | None:
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BadInput(f"{installed.path}: the option {name} of this model must lie between 0 and 1, not {value!r}.")
    return float(value)


def _model_type(path: Path) -> str:
    """Read the type from `model_type.json`, an object with `model_type` or the bare word; `yolo` without the file."""
    if not path.is_file():
        return TYPES[0]
    try:
        parsed = outside_json.read(path, bytes_max=SMALL_FILE)
        parsed = parsed.get("model_type", parsed.get("problem_type")) if isinstance(parsed, dict) else parsed
        word = str(parsed).lower()
        if word not in TYPES:
            raise ValueError(f"{word[:40]!r} is none of {', '.join(TYPES)}")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: the detector's type cannot be read: {error}. Download the model again.") from error
    return word


def _check_input(session: Any, path: Path, *, dynamic: bool, size: tuple[int, int]) -> None:
    """Raise BadInput when the graph does not take pictures of `size` (width, height), or of any size if `dynamic`."""
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise BadInput(
            f"{path}: not a YOLO detector: it takes {[graph_input.shape for graph_input in inputs]}, "
            "not one [n, 3, height, width]."
        )
    fixed = [side for side in shape[2:] if isinstance(side, int)]
    if dynamic and fixed:
        raise BadInput(f"{path}: this export takes {shape[3]} x {shape[2]} pixels only: leave `dynamic` off.")
    if fixed and (shape[3], shape[2]) != size:
        raise BadInput(f"{path}: the graph takes {shape[3]} x {shape[2]} pixels, but its `imgsz` is {size}.")
