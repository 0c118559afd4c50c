"""Opens a face detector by its name: built-in (`builtin`, `builtin-small`), a cascade, an ONNX file, or a folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotate.algorithms.box_scale import Border
from annotate.backends.boxes.builtin import BuiltinFaces
from annotate.backends.boxes.lbp import NEIGHBOURS, SIDE_MIN, STEP, CascadeFaces
from annotate.backends.contract import FaceDetector
from annotate.backends.model_files import registry, weights
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime.onnx_session import AUTO
from ingest.errors import BadInput

DEFAULT = registry.BUILTIN
SMALL_FACES = "builtin-small"  # the same weights on a larger copy of the picture
OWN = (DEFAULT, SMALL_FACES)


@dataclass(frozen=True, slots=True)
class CascadeOptions:
    """Options of a cascade; see CascadeFaces. `box_scale` 1 keeps boxes on the face, as all other detectors do."""

    step: float = STEP
    side_min: int = SIDE_MIN
    neighbours: int = NEIGHBOURS
    box_scale: float = 1.0
    border: Border = Border.SHIFT

    @property
    def words(self) -> str:
        """Describe the options that differ from the defaults, such as "step 1.5, box_scale 1.5"; empty if none do."""
        usual = asdict(CascadeOptions())
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value != usual[name])


def open_detector(
    name: str,
    models_dir: Path,
    *,
    threshold: float | None = None,
    cascade: CascadeOptions | None = None,
    dynamic: bool = False,
    threads: int = 0,
    device: str = AUTO,
) -> FaceDetector:
    """Open a detector by name: `builtin` (Koma's weights), `builtin-small` (the same for small faces), or NAME.xml
    (cascade), NAME.onnx or the folder NAME in the models folder.

    `cascade` applies to cascades, `dynamic` (the older preprocessing) to YOLO detectors; all others ignore them. Raises
    BadInput when there is no such model or its file cannot be used.
    """
    if name in OWN:
        return BuiltinFaces(threshold=threshold, small_faces=name == SMALL_FACES, threads=threads, device=device)
    if weights.NAME.fullmatch(name) and (models_dir / f"{name}.xml").is_file():
        options: dict[str, Any] = asdict(cascade or CascadeOptions())
        return CascadeFaces([models_dir], name=name, **options)
    if weights.NAME.fullmatch(name) and (models_dir / name).is_dir():
        installed = registry.find(name, models_dir, task="faces")
        if installed.family.name == "yolo_faces":
            opened: FaceDetector = registry.open_model(
                installed, device=device, threads=threads, threshold=threshold, dynamic=dynamic
            )
            return opened
        return _in_folder(installed, threshold=threshold, cascade=cascade, device=device, threads=threads)
    return BuiltinFaces([models_dir], name=name, threshold=threshold, threads=threads, device=device)


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> FaceDetector:
    """Open a cascade (.xml) or a network with the built-in detector's interface (.onnx), either as a file in the models
    folder or in a folder with a card."""
    if installed.path.is_dir():
        return _in_folder(installed, device=device, threads=threads)
    return open_detector(installed.name, installed.path.parent, threads=threads, device=device)


def _in_folder(installed: Installed, **options: Any) -> FaceDetector:
    """Open the detector file in a folder with a card."""
    files = sorted(path for path in installed.path.iterdir() if path.suffix in (".xml", ".onnx"))
    if not files:
        raise BadInput(f"{installed.path} holds no .onnx and no .xml file. Install the model {installed.name} again.")
    return open_detector(files[0].stem, installed.path, **options)
