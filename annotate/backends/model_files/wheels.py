"""Models that come in packages of the Python index, with their weights: no hub is needed. A new one is a row of WHEELS.

Of a package, only its metadata and its files are looked at here; adapters run its code, if any, in another process.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from annotate.backends.model_files import weights
from ingest.errors import BadInput

SYSTEM_LIBRARIES = {"libvulkan.so.1": "libvulkan1", "libomp.so.5": "libomp5"}  # what ncnn's packages load on Linux
RUNS_ON = "Uses Vulkan if there is a GPU with it, else the CPU."
PYTHON_MAX = (3, 12)  # none of the packages has a wheel for a later one


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A model in a package: `name`, `task` and `family` as in the registry, `title` and `notes` for pages.

    `package` is imported, `project` at `version` is installed from `requirements`, `download_bytes` large. `file`:
    the weights in the package, with their `sha256`. `licence` is the package's, `weights_licence` that of the weights.
    `factor`: of upscalers. `libraries`: what it loads from the system on Linux, keyed like SYSTEM_LIBRARIES.
    """

    name: str
    task: str
    family: str
    title: str
    notes: str
    package: str
    project: str
    version: str
    requirements: str
    download_bytes: int
    licence: str
    weights_licence: str
    file: str
    sha256: str
    factor: int = 0
    libraries: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that installs the package, in Koma's folder."""
        return f".venv/bin/pip install --no-deps --require-hashes -r {self.requirements}"

    @property
    def system_command(self) -> str:
        """The command that installs the system's libraries on Debian; empty if the package needs none."""
        names = [SYSTEM_LIBRARIES[library] for library in self.libraries]
        return f"apt-get install {' '.join(names)}" if names and sys.platform == "linux" else ""

    @property
    def revision(self) -> str:
        return f"{self.project} {self.version}"

    @property
    def licences(self) -> str:
        """The licences of package and weights, for pages."""
        if self.licence == self.weights_licence:
            return self.licence
        return f"{self.licence}, weights {self.weights_licence}"

    @property
    def root(self) -> Path | None:
        """The folder of the installed package; None if it is not installed."""
        spec = find_spec(self.package)
        roots = list(spec.submodule_search_locations or ()) if spec else []
        return Path(roots[0]) if roots else None

    @property
    def path(self) -> Path | None:
        """The file with the weights, which may be missing; None if the package is not installed."""
        root = self.root
        return root / self.file if root is not None else None

    @property
    def fits_python(self) -> bool:
        """Whether there is a package for this Python."""
        return sys.version_info[:2] <= PYTHON_MAX

    def problem(self) -> str:
        """Return why the package cannot be used and what to do; empty if nothing is known to be wrong.

        The weights are not read, see `check`.
        """
        path = self.path
        if path is None:
            return f"The package {self.project} is not installed. {self._how_to_install()}"
        again = f"Install it again: {self.command} --force-reinstall"
        try:
            version = metadata.version(self.project)
        except metadata.PackageNotFoundError:
            version = "of an unknown version"
        if version != self.version:
            return f"The package {self.project} is {version}; Koma uses {self.version}. {again}"
        if not path.is_file():
            return f"The package {self.project} lacks its file {self.file}. {again}"
        missing = [library for library in self.libraries if sys.platform == "linux" and not _loads(library)]
        if missing:
            return f"The package {self.project} needs {' and '.join(missing)}. Run: {self.system_command}"
        return ""

    def check(self) -> None:
        """Raise BadInput when the package is missing, of another version, or its weights are not the pinned ones."""
        if problem := self.problem():
            raise BadInput(f"{self.name}: {problem}")
        path = self.path
        assert path is not None
        if weights.sha256_of(path) != self.sha256:
            raise BadInput(
                f"{self.name}: the file {self.file} of the package {self.project} is damaged or was changed. "
                f"Install it again: {self.command} --force-reinstall"
            )

    def _how_to_install(self) -> str:
        if not self.fits_python:
            return f"It exists for Python up to {'.'.join(map(str, PYTHON_MAX))}; use such a Python."
        also = f", and on the system: {self.system_command}" if self.system_command else ""
        return f"In Koma's folder: {self.command}{also}"


def _ncnn(name: str, *, title: str, notes: str, file: str, sha256: str, factor: int, size: int, weights: str) -> Wheel:
    return Wheel(
        name=name, task="upscale", family="ncnn", title=title, notes=notes, package=f"{name}_ncnn_py",
        project=f"{name}-ncnn-py", version="2.0.0", requirements=f"requirements-{name}.txt", download_bytes=size,
        licence="BSD-3-Clause", weights_licence=weights, file=f"models/{file}", sha256=sha256, factor=factor,
        libraries=tuple(SYSTEM_LIBRARIES),
    )  # fmt: skip


WHEELS = {
    wheel.name: wheel
    for wheel in (
        Wheel(
            name="rapidocr",
            task="text",
            family="paddle_text",
            title="PaddleOCR text finder v4 (RapidOCR)",
            notes="Finds subtitles and credits; does not read them. Only the weights of the package are used.",
            package="rapidocr_onnxruntime",
            project="rapidocr-onnxruntime",
            version="1.4.4",
            requirements="requirements-text.txt",
            download_bytes=14_915_192,
            licence="Apache-2.0",
            weights_licence="Apache-2.0",
            file="models/ch_PP-OCRv4_det_infer.onnx",
            sha256="d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        ),
        _ncnn(
            "waifu2x",
            title="waifu2x (ncnn)",
            notes=f"Doubles pictures and stays close to their pixels. {RUNS_ON}",
            file="models-upconv_7_anime_style_art_rgb/noise0_scale2.0x_model.bin",
            sha256="e1d2c4d91be98e72c0d48d08626cbe7d879aa2b80f740133dcc0d860eabb4189",
            factor=2,
            size=36_030_227,
            weights="MIT",
        ),
        _ncnn(
            "realcugan",
            title="Real-CUGAN 2x Pro (ncnn)",
            notes=f"Doubles pictures and redraws lines sharply. {RUNS_ON}",
            file="models-pro/up2x-conservative.bin",
            sha256="087b4f1836a084f432752503c9e12246a4f8446cfa2c5c919fcf490961b5b4f1",
            factor=2,
            size=46_746_205,
            weights="MIT",
        ),
        _ncnn(
            "realesrgan",
            title="Real-ESRGAN x4 anime (ncnn)",
            notes=f"Enlarges four times; redraws and smooths most. {RUNS_ON}",
            file="realesrgan-x4plus-anime.bin",
            sha256="fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc",
            factor=4,
            size=45_682_267,
            weights="BSD-3-Clause (of their repository, which does not name them)",
        ),
    )
}
"""Keyed by the model's name. Of several for a task, the first that is installed is the default."""


_found: set[str] = set()  # libraries that were loaded once


def _loads(library: str) -> bool:
    """Return whether the system's loader finds a library; only it knows where it looks."""
    if library not in _found:
        try:
            ctypes.CDLL(library)
        except OSError:
            return False
        _found.add(library)
    return True
