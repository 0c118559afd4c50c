"""Model folders: staged separately, moved into place in one step, verified against koma.json, removed.

Staging happens in `.incoming` in the models folder: on the same disk, so that a move is atomic, and not a possible
model name.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotate.backends.model_files import formats, weights
from annotate.backends.model_files.registry import BUILTIN, CARD
from ingest import humane
from ingest.errors import BadInput, Cancelled, Conflict, KomaError

INCOMING = ".incoming"
NAME_MAX = 100  # characters, the length of the database column
TEMP, LOCK, OLD, UPLOAD = ".new", ".lock", ".old-", "upload-"


@dataclass(frozen=True, slots=True)
class FileState:
    """One file of a model compared with koma.json. `state`: fine, damaged, missing, unlisted."""

    name: str
    state: str
    size: int
    sha256: str = ""


def checked_name(name: str) -> str:
    """Return the name if it is a valid folder name for a model. Raises BadInput otherwise."""
    if not weights.NAME.fullmatch(name) or len(name) > NAME_MAX or name.endswith("."):
        raise BadInput(
            f"{name[:80]!r} is not a valid model name: letters, digits, '.', '_' and '-', at most {NAME_MAX}."
        )
    if name in (BUILTIN, "none"):
        raise BadInput(f"{name!r} is taken: it means {'the built-in model' if name == BUILTIN else 'no model'}.")
    return name


def new_name(name: str) -> str:
    """Return the name if a model may be installed under it. Raises BadInput otherwise."""
    if name.endswith(LOCK) or OLD in name or name.startswith(UPLOAD):
        raise BadInput(f"{name!r} is reserved for installations in progress. Choose another name.")
    return checked_name(name)


@contextlib.contextmanager
def incoming(models_dir: Path, name: str) -> Iterator[Path]:
    """Yield the staging folder of a model, kept between attempts. Raises Conflict while another process uses it."""
    folder = models_dir / INCOMING / checked_name(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder.with_name(f"{name}{LOCK}"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise KomaError(f"{folder}: cannot be written ({error.strerror}). Check KOMA_MODELS_DIR's rights.") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(f"{name} is being installed or removed by another process already.") from error
        folder.mkdir(exist_ok=True)  # the previous holder may just have moved it
        for left in folder.parent.glob(f"{name}{OLD}*"):  # left by a process that died while deleting
            erase(left)
        yield folder
    finally:
        os.close(lock)


def finish(models_dir: Path, name: str, folder: Path, card: Mapping[str, Any]) -> Path:
    """Write koma.json last and move the folder into place, replacing a model of that name as a unit."""
    for stray in [path for path in folder.iterdir() if path.name not in card["files"]]:
        erase(stray)
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    write_card(folder, card)
    target = models_dir / new_name(name)
    old = None
    if os.path.lexists(target):
        old = models_dir / INCOMING / f"{name}{OLD}{secrets.token_hex(4)}"
        target.rename(old)
    folder.rename(target)
    if old is not None:
        erase(old)
    return target


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write koma.json atomically."""
    temporary = folder / f"{CARD}{TEMP}"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(card, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / CARD)


def check_space(models_dir: Path, bytes_needed: int, *, reserve: int) -> None:
    """Raise KomaError when `wanted` bytes would use space that is reserved."""
    models_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(models_dir).free
    if free - bytes_needed < reserve:
        raise KomaError(
            f"{models_dir} has {humane.filesize(free)} free; the model needs {humane.filesize(bytes_needed)} and "
            f"{humane.filesize(reserve)} are reserved (KOMA_DISK_RESERVE_BYTES). Free some space.",
            permanent=False,
        )


def verify(
    models_dir: Path,
    name: str,
    *,
    progress: Callable[[int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[FileState]:
    """Verify every file against koma.json, by name. Without a `sha256` or a koma.json, files are "unlisted"."""
    folder = models_dir / checked_name(name)
    if not folder.is_dir():
        return _verify_single(models_dir, name, progress=progress)
    stated = weights.read_card(folder / CARD).get("files", {})
    stated = stated if isinstance(stated, dict) else {}
    states = []
    present = {path.name for path in folder.iterdir() if path.is_file() and path.name != CARD}
    for file in sorted(present | stated.keys()):
        if stop():
            raise Cancelled("Stopped.")
        line = stated.get(file)
        expected: dict[str, Any] = line if isinstance(line, dict) else {}
        if file not in present or not weights.NAME.fullmatch(file):
            states.append(FileState(file, "missing", 0))
            continue
        size = (folder / file).stat().st_size
        digest, _ = formats.hashes(folder / file, progress=progress, stop=stop)
        stated_hash = expected.get("sha256", "")
        state = "unlisted" if not stated_hash else "fine" if stated_hash == digest else "damaged"
        states.append(FileState(file, state, size, digest))
    return states


def _verify_single(models_dir: Path, name: str, *, progress: Callable[[int], None] | None) -> list[FileState]:
    """Verify NAME.onnx or NAME.xml against the sha256 in NAME.json."""
    for ending in (".onnx", ".xml"):
        path = models_dir / f"{name}{ending}"
        if path.is_file():
            stated_hash = str(weights.read_card(path.with_suffix(".json")).get("sha256", ""))
            digest, _ = formats.hashes(path, progress=progress)
            state = "unlisted" if not stated_hash else "fine" if stated_hash == digest else "damaged"
            return [FileState(path.name, state, path.stat().st_size, digest)]
    raise BadInput(f"{name} is not installed in {models_dir}.")


def size_of(path: Path) -> int:
    """Return the bytes of a model: of a file, or of the files directly in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.iterdir() if file.is_file())


def remove(models_dir: Path, name: str) -> int:
    """Delete a model's folder (or NAME.onnx / NAME.xml with its JSON) and its partial downloads; return the bytes
    freed. Raises BadInput if there is nothing, Conflict while another process installs or removes it.

    A symbolic link is removed; its target stays.
    """
    checked_name(name)
    _in_place(models_dir, name, INCOMING)
    with incoming(models_dir, name) as parts:
        paths = _in_place(models_dir, name, *([INCOMING] if any(parts.iterdir()) else []))
        freed = size_of(parts)
        try:
            for path in paths:
                freed += 0 if path.is_symlink() else size_of(path)
                aside = models_dir / INCOMING / f"{name}{OLD}{secrets.token_hex(4)}"  # `incoming` cleans these up
                path.rename(aside)  # gone at once, even if deleting takes long or fails
                erase(aside)
            erase(parts)
        except OSError as error:
            raise KomaError(f"{name} cannot be removed: {error}. Check the rights of {models_dir}.") from error
    return freed


def _in_place(models_dir: Path, name: str, *asides: str) -> list[Path]:
    """Return the installed paths of a model. Raises BadInput when there are none, and none staged either."""
    card = models_dir / f"{name}.json"
    candidates = (models_dir / name, *(models_dir / f"{name}{e}" for e in (".onnx", ".xml")), card)
    paths = [candidate for candidate in candidates if os.path.lexists(candidate)]
    fetched = [models_dir / aside / name for aside in asides]
    if paths in ([], [card]) and not any(map(_holds_files, fetched)):
        raise BadInput(f"{name} is not installed in {models_dir}.")
    return [] if paths == [card] else paths


def _holds_files(folder: Path) -> bool:
    """Return whether a folder exists and is not empty; another process may delete it meanwhile."""
    try:
        return any(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False


def erase(path: Path) -> None:
    """Delete a file, a link (not its target) or a folder with its contents."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
