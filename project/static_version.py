"""The version in the address of every static file: `/static/VERSION/js/frames.js`.

Modules of JavaScript import each other by relative addresses, so all files that a page loads are of one version, and a
browser may keep each for good. No copy of the files has to be made before a start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path


def static_version(folder: Path, packages: Iterable[str] = ()) -> str:
    """Return 12 hexadecimal digits that change with any file below `folder` and any version of `packages`."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    for package in packages:
        digest.update(f"{package}\0{metadata.version(package)}\0".encode())
    return digest.hexdigest()[:12]
