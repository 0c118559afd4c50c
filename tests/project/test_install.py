"""The installer with a real pip: it installs what is pinned by its hash and says how long each step takes."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from project import install

pytestmark = pytest.mark.slow


def write_wheel(folder: Path) -> Path:
    """A package of one module in a wheel of more than ten megabytes."""
    path = folder / "tiny_package-1.0-py3-none-any.whl"
    about = "tiny_package-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_package.py", "ANSWER = 42\n")
        wheel.writestr("tiny_package.bin", bytes(12_000_000))
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture()
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel where pip finds it, and a fresh environment to install into."""
    monkeypatch.setattr(install, "VENV", tmp_path / "venv")
    monkeypatch.setattr(install, "IMPORT_ALL", "import tiny_package")
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(tmp_path)), ("PIP_CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    subprocess.run([sys.executable, "-m", "venv", str(install.VENV)], check=True)
    return write_wheel(tmp_path)


def test_what_is_pinned_is_installed_and_only_what_is_imported_is_compiled(
    wheel: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pins = wheel.parent / "pins.txt"
    pins.write_text(f"tiny-package==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    install.install(pins)
    output = capfd.readouterr().out
    seconds = r"\n  \d+ s\n"
    assert re.search(rf"Downloading .*?{seconds}Unpacking .*?{seconds}Compiling .*?{seconds}", output, re.DOTALL)
    compiled = {path.name.partition(".")[0] for path in install.VENV.rglob("site-packages/__pycache__/*.pyc")}
    assert "tiny_package" in compiled


def test_a_package_with_another_hash_is_refused(wheel: Path) -> None:
    pins = wheel.parent / "pins.txt"
    pins.write_text(f"tiny-package==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(SystemExit, match="Installing failed"):
        install.install(pins)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "  Downloading onnxruntime_gpu-1.31.1-cp311-cp311-manylinux_2_28_x86_64.whl (256.1 MB)",
            ("onnxruntime_gpu", 256.1),
        ),
        ("Downloading https://example.org/a/scipy-1.17.1-cp311-abi3-linux.whl.metadata (62 kB)", None),
        ("Collecting scipy==1.17.1", None),
    ],
)
def test_large_downloads_are_told_by_name_and_size(line: str, told: tuple[str, float] | None) -> None:
    file = install.DOWNLOADED.search(line)
    assert (file and (file["name"], float(file["megabytes"]))) == told
