"""Finding and verifying weights files by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ingest import outside_json
from ingest.errors import BadInput

BUILTIN = Path(__file__).parents[1] / "builtin"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file, its sha256 and its JSON card (empty without one)."""

    path: Path
    sha256: str
    card: dict[str, Any]


@cache
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    """Hash a file; size and time are part of the cache key, so that a replaced file is read again."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ):
            digest.update(block)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the hex sha256 of a file. Raises BadInput when it cannot be read."""
    try:
        about = path.stat()
        return _sha256(path, about.st_size, about.st_mtime_ns)
    except OSError as error:
        raise BadInput(f"{path}: the weights file cannot be read ({error.strerror}). Check its permissions.") from error


def find(name: str, folders: Sequence[Path], *, suffix: str = ".onnx") -> Path:
    """Return the first `name + suffix` in the folders. Raises BadInput when there is none or the name is a path."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} is not a valid model name: use letters, digits, '.', '_' and '-' only, without a folder."
        )
    for folder in folders:
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return path
    folder_list = ", ".join(str(folder) for folder in folders)
    raise BadInput(
        f"There is no {name}{suffix} in {folder_list}. Put the file there (KOMA_MODELS_DIR) or choose another model."
    )


def read(name: str, folders: Sequence[Path], *, suffix: str = ".onnx") -> Weights:
    """Find a weights file and verify its hash against the one in `name.json`.

    Raises BadInput when the file is missing, empty, or not the one described by its JSON (damaged or truncated).
    """
    path = find(name, folders, suffix=suffix)
    if path.stat().st_size == 0:
        raise BadInput(f"{path}: the weights file is empty. Download it again.")
    card = read_card(path.with_suffix(".json"))
    digest = sha256_of(path)
    stated_hash = str(card.get("sha256", digest))
    if stated_hash != digest:
        raise BadInput(
            f"{path}: the file's sha256 is {digest[:12]}..., but {path.stem}.json states {stated_hash[:12]}...: "
            "it is damaged, truncated or of another version. Download both files again."
        )
    return Weights(path, digest, card)


def read_card(path: Path) -> dict[str, Any]:
    """Read the JSON card of a weights file; empty if there is none. Raises BadInput when it is not a JSON object."""
    if not path.is_file():
        return {}
    try:
        card = outside_json.read(path, bytes_max=outside_json.SMALL)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: the model's description cannot be read: {error}. Download the model again.") from error
    if not isinstance(card, dict):
        raise BadInput(f"{path}: the model's description must be a JSON object. Download the model again.")
    return card
