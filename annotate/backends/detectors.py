"""Opens a face detector by its name: `builtin`, a cascade, or an ONNX file with the built-in's interface."""

from __future__ import annotations

from pathlib import Path

from annotate.backends import weights
from annotate.backends.contract import FaceDetector
from annotate.backends.face_builtin import BuiltinFaces
from annotate.backends.face_lbp import CascadeFaces

DEFAULT = "builtin"


def open_detector(
    name: str, models_dir: Path, *, threshold: float | None = None, threads: int = 0, gpu: bool = True
) -> FaceDetector:
    """`builtin`: our own weights; else NAME.xml (cascade) or NAME.onnx in the models folder.

    Raises BadInput when there is no such model or its file cannot be used.
    """
    if name == DEFAULT:
        return BuiltinFaces(threshold=threshold, threads=threads, gpu=gpu)
    if weights.NAME.fullmatch(name) and (models_dir / f"{name}.xml").is_file():
        return CascadeFaces([models_dir], name=name)
    return BuiltinFaces([models_dir], name=name, threshold=threshold, threads=threads, gpu=gpu)
