"""Make the folder .venv and install Koma's requirements into it; needs nothing but Python.

Run by `make`. Says what is missing and how to get it, and how long each step took. Does nothing when the lock files
have not changed. Every package is compared with its hash in them; a package that they do not name is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON_LEAST = (3, 11)
# Wheels of the bundled Redis exist for these; another Python works with a Redis of the system.
PYTHONS = ("python3.12", "python3.11", "python3", "python3.13", "python3.14")

DOWNLOADED = re.compile(r"Downloading (?:\S*/)?(?P<name>[\w.]+)-\S+ \((?P<megabytes>[\d.]+) MB\)")
MEGABYTES_TOLD = 10  # smaller files take no time worth a line
# Every module that the web server and the workers import.
IMPORT_ALL = (
    "import django; django.setup(); import project.urls, project.wsgi, project.demo, project.serve.launcher; "
    "import demo_film.film; from ingest.pipeline.registry import stages; stages()"
)


def main() -> None:
    """Install; with --dev also what the tests need (packages of the system too, where we are root on Debian)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also what the tests and checks need")
    dev = parser.parse_args().dev
    requirements = [ROOT / "requirements.txt"] + ([ROOT / "requirements-dev.txt"] if dev else [])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in requirements)).hexdigest()
    stamp = VENV / ("koma-dev.sha256" if dev else "koma.sha256")
    if not (stamp.is_file() and stamp.read_text() == digest and python_of_venv().exists()):
        make_venv()
        install(requirements[-1])
        stamp.write_text(digest)
        if dev:
            (VENV / "koma.sha256").write_text(hashlib.sha256(requirements[0].read_bytes()).hexdigest())
    if dev:
        need_chromium()


def install(requirements: Path) -> None:
    """Install what the file pins, and say what is downloaded and how long it takes.

    Only what Koma uses is compiled: compiling all modules takes longer than unpacking them.
    """
    command = [str(python_of_venv()), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--no-compile", "--require-hashes", "-r", str(requirements)]
    began = time.monotonic()
    print("Downloading Koma's packages, some hundred megabytes ...", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pip:
        for line in pip.stdout or ():
            if (file := DOWNLOADED.search(line)) and float(file["megabytes"]) >= MEGABYTES_TOLD:
                print(f"  {file['name']}, {float(file['megabytes']):.0f} MB", flush=True)
            elif line.startswith("Installing collected packages"):
                print(f"  {time.monotonic() - began:.0f} s", flush=True)
                began = time.monotonic()
                print("Unpacking them into .venv ...", flush=True)
    if pip.returncode:
        sys.exit("Installing failed; the lines above say why. Without a network it cannot work the first time.")
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    with step("Compiling what Koma uses"), tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"KOMA_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "project.settings"}
        subprocess.run([str(python_of_venv()), "-c", IMPORT_ALL], cwd=ROOT, env=environment, check=False)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what begins, and how many seconds it took."""
    print(f"{text} ...", flush=True)
    began = time.monotonic()
    yield
    print(f"  {time.monotonic() - began:.0f} s", flush=True)


def python_of_venv() -> Path:
    """Return the path of the virtual environment's Python."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_venv() -> None:
    """Make .venv if there is none that works; on Debian as root, fetch the package that Python's venv needs."""
    if python_of_venv().exists() and _ok([str(python_of_venv()), "-m", "pip", "--version"]):
        return
    python = find_python()
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not _ok([python, "-c", "import ensurepip, venv"]) and not apt_install(f"python{version}-venv"):
        sys.exit(
            f"{python} cannot make virtual environments: its module ensurepip is missing. "
            f"Install it (Debian and Ubuntu: apt-get install python{version}-venv), then run this again."
        )
    with step(f"Creating .venv with {python}"):
        if subprocess.run([python, "-m", "venv", "--clear", str(VENV)], check=False).returncode:
            sys.exit(f"{python} -m venv failed; the lines above say why.")


def find_python() -> str:
    """Return a Python that is new enough, best first; exit with the reason where there is none."""
    check = f"import sys; sys.exit(sys.version_info < {PYTHON_LEAST!r})"
    for name in (*PYTHONS, sys.executable):
        if (path := shutil.which(name)) and _ok([path, "-c", check]):
            return path
    sys.exit("Koma needs Python 3.11 or newer. Install it (Debian and Ubuntu: apt-get install python3 python3-venv).")


def need_chromium() -> None:
    """Make sure that the browser tests have a Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    if not any(shutil.which(name) for name in names) and not apt_install("chromium", "fonts-noto-cjk"):
        sys.exit("The tests drive a real browser: install Chromium (Debian: apt-get install chromium), then run again.")


def apt_install(*packages: str) -> bool:
    """Install Debian packages where we are root and there is apt-get; False where that cannot be."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    update = ["apt-get", "update", "-qq"]
    with step(f"Installing {' '.join(packages)} with apt-get"):
        return _ok(command, environment) or (_ok(update, environment) and _ok(command, environment))


def _ok(command: list[str], environment: dict[str, str] | None = None) -> bool:
    try:
        return subprocess.run(command, capture_output=True, env=environment, check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    main()
