"""Make the folder .venv and install Koma's requirements into it; needs nothing but Python.

Run by `make`. Says what is missing and how to get it. Does nothing when the lock files have not changed. Every package
is compared with its hash in them; a package that they do not name is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON_LEAST = (3, 11)
# Wheels of the bundled Redis exist for these; another Python works with a Redis of the system.
PYTHONS = ("python3.12", "python3.11", "python3", "python3.13", "python3.14")


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
        print("Installing Koma's packages into .venv (the first time takes some minutes) ...", flush=True)
        command = [str(python_of_venv()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command.append("--require-hashes")
        if subprocess.run([*command, "-r", str(requirements[-1])], check=False).returncode:
            sys.exit("Installing failed; the lines above say why. Without a network it cannot work the first time.")
        stamp.write_text(digest)
        if dev:
            (VENV / "koma.sha256").write_text(hashlib.sha256(requirements[0].read_bytes()).hexdigest())
    if dev:
        need_chromium()


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
    print(f"Making .venv with {python} ...", flush=True)
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
    print(f"Installing {' '.join(packages)} with apt-get ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    update = ["apt-get", "update", "-qq"]
    return _ok(install, environment) or (_ok(update, environment) and _ok(install, environment))


def _ok(command: list[str], environment: dict[str, str] | None = None) -> bool:
    try:
        return subprocess.run(command, capture_output=True, env=environment, check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    main()
