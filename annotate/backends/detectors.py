"""Opens a face detector by its name: `builtin`, a cascade, or an ONNX file with the built-in's interface."""

from __future__ import annotations

from pathlib import Path

from annotate.backends import weights
from annotate.backends.contract import FaceDetector
from annotate.backends.face_builtin import BuiltinFaces
from annotate.backends.face_lbp import CascadeFaces
from annotate.backends.onnx_session import AUTO
from annotate.backends.registry import Installed

DEFAULT = "builtin"


def open_detector(
    name: str, models_dir: Path, *, threshold: float | None = None, threads: int = 0, device: str = AUTO
) -> FaceDetector:
    """`builtin`: our own weights; else NAME.xml (cascade) or NAME.onnx in the models folder.

    Raises BadInput when there is no such model or its file cannot be used.
    """
    if name == DEFAULT:
        return BuiltinFaces(threshold=threshold, threads=threads, device=device)
    if weights.NAME.fullmatch(name) and (models_dir / f"{name}.xml").is_file():
        return CascadeFaces([models_dir], name=name)
    return BuiltinFaces([models_dir], name=name, threshold=threshold, threads=threads, device=device)


def open_installed(found: Installed, *, device: str = AUTO, threads: int = 0) -> FaceDetector:
    """A single file of the models folder: a cascade (.xml) or a network with the built-in's interface (.onnx)."""
    return open_detector(found.name, found.path.parent, threads=threads, device=device)
